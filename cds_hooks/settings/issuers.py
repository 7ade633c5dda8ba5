"""The EHRs from which the app may be launched, as ``[[smart]]`` of ``tandem.toml`` configures them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from cds_hooks.settings.clients import BaseUrl
from fhir_plugin.reading.addresses import is_confidential
from mappings.schema.service.servers import GENERIC

_ORIGIN = re.compile(r"https?://(\*\.)?[a-z0-9.-]+(:[0-9]{1,5})?")


def _origin(text: str) -> str:
    # It becomes a part of a header, so that nothing else than an origin may be in it.
    if not _ORIGIN.fullmatch(text) or not is_confidential(text):
        raise ValueError("must be an origin such as https://ehr.example")
    return text


class Issuer(BaseModel):
    """One EHR, frozen; a key that is not known is refused, because a misspelt one would be a rule not kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    title: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    """What people call it, on the page where a launch begins without a chart."""
    issuer: BaseUrl
    """Its FHIR base URL: the ``iss`` of a launch, compared exactly, trailing slash aside."""
    client_id: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    client_secret: SecretStr | None = None
    """Of a confidential client that authenticates by a secret."""
    key: Path | None = None
    """Private key of a confidential client that authenticates by it; neither: a public client."""
    frame_ancestors: tuple[Annotated[str, AfterValidator(_origin)], ...] = ()
    """Origins that may show the app inside their own pages."""
    scopes: Literal["v2", "v1"] = "v2"
    """Whether permissions are asked for as SMART 2 writes them, or as SMART 1 does."""
    may_write: bool = True
    """Whether permission to save questionnaires is asked for."""
    profile: str = GENERIC
    """The kind of its FHIR server, one of ``mappings/servers``."""
    minutes: Annotated[int, Field(gt=0, le=480)] = 60
    """How long one opening of the app lasts at most; shorter where its token ends before."""

    @model_validator(mode="after")
    def _one_secret(self) -> Issuer:
        if self.client_secret is not None and self.key is not None:
            raise ValueError("give client_secret or key, and not both")
        return self
