"""One client: an EHR that may call, as ``[[clients]]`` of ``tandem.toml`` configures it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, StringConstraints

from fhir_plugin.errors import BadInput
from fhir_plugin.reading.addresses import is_loopback
from fhir_plugin.reading.urls import normal_base_url
from mappings.schema.service.servers import GENERIC

Mode = Literal["off", "silent", "live"]
"""``off``: as if there were no services; ``silent``: calls are evaluated but no card is shown; ``live``."""

Algorithm = Literal["ES384", "RS384", "ES256", "ES512", "RS256", "RS512", "PS256", "PS384", "PS512"]
"""The accepted signature algorithms: asymmetric only, and never ``none`` (CDS Hooks, "JWT signing")."""


LONGEST_LEEWAY = 300
"""The greatest tolerated difference between two clocks, in seconds."""


def _without_nul(path: Path) -> Path:
    if "\0" in str(path):
        raise ValueError("is not a valid path")
    return path


def _split(text: str) -> SplitResult:
    """The parts of an unambiguous address that is https, or http on this machine."""
    parts = urlsplit(text)
    _ = parts.port
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not secure or not parts.hostname or "\\" in text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("must be an https address (http only on loopback)")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError("must have neither user nor fragment")
    return parts


def _base_url(text: str) -> str:
    if _split(text).query:
        raise ValueError("must have no query")
    try:
        return normal_base_url(text)
    except BadInput as fault:
        raise ValueError(str(fault)) from None


def _address(text: str) -> str:
    _split(text)
    return text


def _origin(text: str) -> str:
    if text != "*" and (urlsplit(text).path or _split(text).query):
        raise ValueError("must be an origin such as https://ehr.example, or *")
    return text


def _key_set(text: str) -> str:
    return _address(text) if "://" in text else text


SettingsPath = Annotated[Path, AfterValidator(_without_nul)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
Origin = Annotated[str, AfterValidator(_origin)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Claim = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class Client(BaseModel):
    """One client, frozen. Unknown keys are rejected, because a misspelt key would be a rule that is not enforced."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    """Its name in logs and metrics."""
    issuer: Claim
    """The ``iss`` of its tokens, compared exactly."""
    tenant: Claim | None = None
    """The ``tenant`` of its tokens; required where two clients share an issuer."""
    key_set: Annotated[str, Field(min_length=1), AfterValidator(_key_set)]
    """Its public keys, a JWK set: an https address, or a file."""
    jku: Annotated[str, AfterValidator(_address)] | None = None
    """The ``jku`` that a token may name; never fetched. Defaults to the address of the key set."""
    audience_base: BaseUrl
    """The public base URL of this service: a token's ``aud`` is this and the path of the call."""
    audience_may_end_in_slash: bool = False
    """Whether an ``aud`` with an additional trailing slash is accepted."""
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = ("ES384", "RS384")
    """The signature algorithms that its tokens may use: asymmetric ones only."""
    kid_required: bool = True
    """Whether a token must name its key; if not, a token without ``kid`` is verified with the only matching key."""
    leeway_seconds: Annotated[int, Field(ge=0, le=LONGEST_LEEWAY)] = 60
    """The tolerated difference between its clock and ours. Its tokens are refused for as long after a new
    ``replay_store`` was made."""
    lifetime_seconds: Annotated[int, Field(gt=0, le=86_400)] = 3_600
    """The longest time from ``iat`` to ``exp``."""
    deadline_seconds: PositiveFloat | None = None
    """How long one of its calls may spend reading from the FHIR server; unset, as long as for all."""
    fhir_servers: tuple[BaseUrl, ...] = ()
    """FHIR base URLs that may be read on its behalf; if empty, only the prefetch is used."""
    allowed_origins: tuple[Origin, ...] = ()
    """Browser origins that may call with its tokens."""
    null_means: Literal["none", "unknown"] = "none"
    """What ``null`` in its prefetch means: no data (CDS Hooks), or a key that is not supported."""
    profile: str = GENERIC
    """The kind of its FHIR servers, one of ``mappings/servers``."""
    site: SettingsPath | None = None
    """Its own site file (protocol, numbers, roles); unset, the one of the service."""
    knowledge: SettingsPath | None = None
    """The folder with its knowledge; unset, the one of the service. It must offer the same services."""
    shadow_site: SettingsPath | None = None
    """The site file that decides its calls in the shadow: after the answer, and only to count the differences."""
    shadow_knowledge: SettingsPath | None = None
    """The folder with the knowledge that decides its calls in the shadow."""
    calls_in_flight: PositiveInt | None = None
    """How many of its calls one process works on at a time; more are answered with 429 and ``Retry-After``. Unset: as
    many as the process takes on."""
    calls_per_second: PositiveFloat | None = None
    """How many calls it may begin a second in one process, on average over a second; more are answered with 429."""
    mode: Mode
    """``off``: as if there were no services; ``silent``: calls are evaluated but no card is shown; ``live``: cards
    are shown."""

    @property
    def key_set_is_remote(self) -> bool:
        """Whether the key set is fetched from an address rather than read from a file."""
        return "://" in self.key_set

    @property
    def key_set_file(self) -> Path:
        """The key set as a file path; meaningful only where it is not remote."""
        return Path(self.key_set)

    @property
    def expected_jku(self) -> str | None:
        """The only ``jku`` that a token may name; ``None``: keys agreed in advance, ``jku`` is ignored."""
        return self.jku or (self.key_set if self.key_set_is_remote else None)


def overlapping(clients: Iterable[Client]) -> Iterator[tuple[str, str]]:
    """The clients whose tokens could belong to two of them: a key, and what is wrong with it."""
    by_issuer: dict[str, list[Client]] = {}
    for client in clients:
        by_issuer.setdefault(client.issuer, []).append(client)
    named = Counter(client.name for group in by_issuer.values() for client in group)
    yield from (("clients", f"two clients are named {name}") for name, count in named.items() if count > 1)
    for sharing in by_issuer.values():
        tenants = Counter(client.tenant for client in sharing)
        if len(sharing) > 1 and (None in tenants or max(tenants.values()) > 1):
            first, second = sharing[:2]
            words = f"{first.name} and {second.name} have the same issuer: give each its own tenant"
            yield f"clients.{second.name}.issuer", words
