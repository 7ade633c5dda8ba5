"""One client: an EHR that may call, as ``[[clients]]`` of ``tandem.toml`` configures it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from fhir_plugin.errors import BadInput
from fhir_plugin.reading.addresses import is_loopback
from fhir_plugin.reading.base_url import normal_base_url
from mappings.schema.service.servers import GENERIC

Mode = Literal["off", "silent", "live"]
"""``off``: as if there were no services; ``silent``: everything is worked out and no card is shown; ``live``."""

Algorithm = Literal["ES384", "RS384", "ES256", "ES512", "RS256", "RS512", "PS256", "PS384", "PS512"]
"""Signature algorithms that can be chosen: none that is symmetric, and not ``none`` (CDS Hooks, "JWT signing")."""


def _split(text: str) -> SplitResult:
    """The parts of an address that is https, or http on this machine, and that nobody can read in two ways."""
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


BaseUrl = Annotated[str, AfterValidator(_base_url)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Claim = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class Client(BaseModel):
    """One client, frozen; a key that is not known is refused, because a misspelt one would be a rule not kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    """What logs and metrics call it."""
    issuer: Claim
    """The ``iss`` of its tokens, compared exactly."""
    tenant: Claim | None = None
    """The ``tenant`` of its tokens; must be given where two clients share an issuer."""
    key_set: Annotated[str, Field(min_length=1), AfterValidator(_key_set)]
    """Its public keys, a JWK set: an https address, or a file."""
    jku: Annotated[str, AfterValidator(_address)] | None = None
    """What a token may name as ``jku``; never fetched. The address of the key set where it is not given."""
    audience_base: BaseUrl
    """The public base URL of this service: a token's ``aud`` is this and the path of the call."""
    audience_may_end_in_slash: bool = False
    """Whether an ``aud`` with one slash more at its end is the same."""
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = ("ES384", "RS384")
    kid_required: bool = True
    """Whether a token must name its key; if not, one without ``kid`` is tried with the only key that fits."""
    leeway_seconds: Annotated[int, Field(ge=0, le=300)] = 60
    """How far its clock and ours may differ."""
    lifetime_seconds: Annotated[int, Field(gt=0, le=86_400)] = 3_600
    """The longest time from ``iat`` to ``exp``."""
    fhir_servers: tuple[BaseUrl, ...] = ()
    """FHIR base URLs that may be read on its behalf; none: it is answered from the prefetch alone."""
    allowed_origins: tuple[Annotated[str, AfterValidator(_origin)], ...] = ()
    """Browser origins that may call with its tokens."""
    null_means: Literal["none", "unknown"] = "none"
    """What ``null`` in its prefetch says: that there is no data (CDS Hooks), or that the key is not supported."""
    profile: str = GENERIC
    """The kind of its FHIR servers, one of ``mappings/servers``."""
    mode: Mode

    @property
    def key_set_is_remote(self) -> bool:
        """Whether the key set is fetched; else it is a file."""
        return "://" in self.key_set

    @property
    def key_set_file(self) -> Path:
        """The file of the key set, where it is one."""
        return Path(self.key_set)

    @property
    def expected_jku(self) -> str | None:
        """The only ``jku`` that a token may name; ``None``: keys were agreed on beforehand, and ``jku`` is ignored."""
        return self.jku or (self.key_set if self.key_set_is_remote else None)


def check_clients_distinct(clients: Iterable[Client]) -> None:
    """That every token belongs to one client at most: ValueError names the two clients that overlap."""
    by_issuer: dict[str, list[Client]] = {}
    for client in clients:
        by_issuer.setdefault(client.issuer, []).append(client)
    named = Counter(client.name for group in by_issuer.values() for client in group)
    if repeated := [name for name, count in named.items() if count > 1]:
        raise ValueError(f"two clients are named {repeated[0]}")
    for sharing in by_issuer.values():
        tenants = Counter(client.tenant for client in sharing)
        if len(sharing) > 1 and (None in tenants or max(tenants.values()) > 1):
            first, second = sharing[:2]
            raise ValueError(f"{first.name} and {second.name} have the same issuer: give each its own tenant")
