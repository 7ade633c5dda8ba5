"""Work counted in steps of the interpreter, so that a slow or busy machine changes nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def steps(action: Callable[[], object]) -> int:
    """How many lines, calls and returns of Python an action takes, all modules together."""
    count = 0

    def count_step(_frame: FrameType, _event: str, _arg: Any) -> Any:
        nonlocal count
        count += 1
        return count_step

    before = sys.gettrace()
    sys.settrace(count_step)
    try:
        action()
    finally:
        sys.settrace(before)
    return count
