"""The style sheet and the scripts of the pages: read once at start-up, addressed by content digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from mimetypes import guess_type
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_FOLDER = Path(__file__).with_name("static")
_DIGITS = 16
_NOT_MODIFIED, _NOT_FOUND = 304, 404
_FOREVER = "public, max-age=31536000, immutable"
_TYPES = {".js": "text/javascript", ".svg": "image/svg+xml"}
ADDRESS = "/assets/{name}"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file that a page loads."""

    body: bytes
    media_type: str
    digest: str


class Assets:
    """All files of a folder; a response to an address with the digest may be cached for ever."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        self._files: Mapping[str, Asset] = {path.name: _read(path) for path in sorted(folder.iterdir())}

    def address(self, name: str) -> str:
        """The address of a file, with its digest; ``KeyError`` for an unknown file."""
        return f"{ADDRESS.format(name=name)}?v={self._files[name].digest}"

    async def answer(self, request: Request) -> Response:
        """The file of the request, or 304 if the browser has it cached."""
        asset = self._files.get(request.path_params["name"])
        if asset is None:
            raise HTTPException(_NOT_FOUND)
        known = request.query_params.get("v") == asset.digest
        tag = f'"{asset.digest}"'
        headers = {
            "ETag": tag,
            "Cache-Control": _FOREVER if known else "no-cache",
            "X-Content-Type-Options": "nosniff",
        }
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=_NOT_MODIFIED, headers=headers)
        return Response(asset.body, headers=headers, media_type=asset.media_type)


def _read(path: Path) -> Asset:
    body = path.read_bytes()
    media_type = _TYPES.get(path.suffix) or guess_type(path.name)[0] or "application/octet-stream"
    return Asset(body, media_type, hashlib.sha256(body).hexdigest()[:_DIGITS])
