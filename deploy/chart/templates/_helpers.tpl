{{- define "tandem.selector" -}}
app.kubernetes.io/name: tandem
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tandem.labels" -}}
{{ include "tandem.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "tandem.name" -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{/* What each pod has in common: nobody's user, nothing to write but the state and /tmp, no token of the cluster. */}}
{{- define "tandem.pod" -}}
automountServiceAccountToken: false
# Else a Service named tandem would set TANDEM_PORT, which is a setting.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "tandem.container" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
env:
  - {name: TANDEM_CONFIG, value: /etc/tandem/tandem.toml}
  - {name: TANDEM_DATABASE_KEY_FILE, value: /run/secrets/tandem/database_key}
  - {name: PGPASSWORD_FILE, value: /run/secrets/tandem/database_password}
  {{- with .Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumeMounts:
  - {name: config, mountPath: /etc/tandem, readOnly: true}
  - {name: secret, mountPath: /run/secrets/tandem, readOnly: true}
  - {name: state, mountPath: /var/lib/tandem}
  - {name: tmp, mountPath: /tmp}
{{- end }}

{{- define "tandem.files" -}}
tandem.toml: {{ required "config: the content of tandem.toml; see docs/operations/kubernetes.md" .Values.config | quote }}
{{- range $name, $content := .Values.files }}
{{ $name }}: {{ $content | quote }}
{{- end }}
{{- end }}
