"""The EHRs from which the app may be launched, as ``[[smart]]`` of ``tandem.toml`` configures them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from cds_hooks.settings.clients import BaseUrl, SettingsPath
from fhir_plugin.reading.addresses import is_confidential
from mappings.schema.service.servers import GENERIC

_ORIGIN = re.compile(r"https?://(\*\.)?[a-z0-9.-]+(:[0-9]{1,5})?")


def _origin(text: str) -> str:
    # The value becomes part of a header, so it must be an origin and nothing else.
    if not _ORIGIN.fullmatch(text) or not is_confidential(text):
        raise ValueError("must be an origin such as https://ehr.example")
    return text


class Issuer(BaseModel):
    """One EHR, frozen. Unknown keys are rejected, because a misspelt key would be a rule that is not enforced."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    """Its name in logs."""
    title: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    """Its display name on the page for a standalone launch."""
    issuer: BaseUrl
    """Its FHIR base URL: the ``iss`` of a launch, compared exactly, ignoring a trailing slash."""
    client_id: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    """What the EHR calls this app."""
    client_secret: SecretStr | None = None
    """For a confidential client that authenticates with a secret."""
    key: SettingsPath | None = None
    """For a confidential client that authenticates with a private key. With neither, the client is public."""
    frame_ancestors: tuple[Annotated[str, AfterValidator(_origin)], ...] = ()
    """Origins that may embed the app in a frame."""
    scopes: Literal["v2", "v1"] = "v2"
    """Whether scopes are requested in SMART 2 or SMART 1 syntax."""
    may_write: bool = True
    """Whether permission to save questionnaires is requested."""
    profile: str = GENERIC
    """The kind of its FHIR server, one of ``mappings/servers``."""
    minutes: Annotated[int, Field(gt=0, le=480)] = 60
    """The maximum length of a session of the app; it ends earlier if its token expires."""

    @model_validator(mode="after")
    def _one_secret(self) -> Issuer:
        if self.client_secret is not None and self.key is not None:
            raise ValueError("give either client_secret or key, not both")
        return self
