"""The content of ``/about``: the applied rules and their sources. May know the knowledge; no patient."""
