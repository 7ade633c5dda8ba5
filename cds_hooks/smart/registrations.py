"""The configured EHRs, with key files read and server profiles resolved; a fault prevents the start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cds_hooks.settings.issuers import Issuer
from cds_hooks.settings.mistakes import WrongSetting
from fhir_plugin.errors import BadInput
from fhir_plugin.reading.backend_services import ClientKey, read_key
from mappings.schema.service.servers import ServerHabits, ServerProfile


@dataclass(frozen=True, slots=True)
class Registration:
    """This app as one EHR knows it."""

    issuer: Issuer
    habits: ServerHabits
    key: ClientKey | None = field(repr=False)
    """The key of a confidential client that does not authenticate with a secret."""


def registrations(issuers: Iterable[Issuer], profiles: Mapping[str, ServerProfile]) -> dict[str, Registration]:
    """Every EHR by its FHIR base URL; :class:`BadInput` names the key of ``[[smart]]`` that cannot be used."""
    return {issuer.issuer: _registration(issuer, profiles) for issuer in issuers}


def _registration(issuer: Issuer, profiles: Mapping[str, ServerProfile]) -> Registration:
    if issuer.profile not in profiles:
        raise WrongSetting(f"smart.{issuer.name}.profile", f"is none: choose one of {', '.join(profiles)}")
    try:
        key = read_key(issuer.client_id, issuer.key) if issuer.key else None
    except BadInput as fault:
        raise WrongSetting(f"smart.{issuer.name}.key", str(fault)) from None
    return Registration(issuer, profiles[issuer.profile].habits, key)
