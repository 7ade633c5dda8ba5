"""What a page of the app shows."""

from __future__ import annotations

import httpx2


def view_of(answer: httpx2.Response) -> str:
    """The base address of an opening."""
    return str(answer.url).rpartition("/")[0]
