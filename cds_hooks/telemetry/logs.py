"""The log: one JSON object per line on stderr, restricted to a closed list of fields.

A field is written if its name is in ``FIELDS`` and its value matches the pattern there; everything else is dropped.
No careless logging call can therefore write a token, a name, a body or the text of an exception. A failure is
identified by its type and its location in the program.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Literal

import msgspec
import structlog

LogLevel = Literal["debug", "info", "warning", "error", "critical"]
LogFormat = Literal["auto", "json", "console"]

_CODE, _NAME = r"[a-z0-9_.:-]{1,80}", r"[A-Za-z0-9_.-]{1,64}"
_A_CODE = re.compile(_CODE)
FIELDS: dict[str, type[float] | type[dict[str, int]] | re.Pattern[str]] = {
    "correlation": re.compile(r"[0-9a-f]{32}"),
    "trace": re.compile(r"[0-9a-f]{32}"),
    "method": re.compile(r"[A-Z]{1,10}"),
    "operation": re.compile(_CODE),
    "service": re.compile(_CODE),
    "hook": re.compile(_CODE),
    "status": float,
    "ms": float,
    "count": float,
    "unknown": float,
    "worker": float,
    "cards": float,
    "quiet": float,
    "outside": float,
    "verdicts": dict,
    "knowledge": re.compile(r"[0-9a-f]{12}"),
    "version": re.compile(r"[0-9A-Za-z.+-]{1,40}"),
    "settings": re.compile(r"[A-Za-z0-9_./ -]{1,200}"),
    "address": re.compile(r"http://[A-Za-z0-9_.:\[\]-]{1,100}"),
    "clients": float,
    "modes": dict,
    "tenant": re.compile(_NAME),
    "mode": re.compile(_CODE),
    "reason": re.compile(_CODE),
    "member": re.compile(r"(/([A-Za-z]{1,30}|\*)){1,10}"),
    "cause": re.compile(_CODE),
    "rule": re.compile(_CODE),
    "criterion": re.compile(_CODE),
    "fault": re.compile(r"[A-Za-z0-9_.]{1,80}"),
    "place": re.compile(r"[A-Za-z0-9_.<>]{1,120}:[0-9]{1,7}"),
    "logger": re.compile(r"[a-z0-9_.]{1,40}"),
    "said": re.compile(r"[A-Za-z0-9 %:/().,'+\[\]-]{1,120}"),
}
"""The permitted values: a number, counts by code, or text that matches the pattern in full."""

_OUR_PACKAGES = ("cds_hooks", "fhir_plugin", "mappings")
_EVENT = re.compile(r"[a-z0-9 ,;'-]{1,80}")
_ALWAYS = frozenset({"event", "level", "timestamp"})
_ENCODER = msgspec.json.Encoder()
_CALL_FIELDS: ContextVar[dict[str, Any] | None] = ContextVar("line", default=None)

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def configure(level: LogLevel, form: LogFormat = "auto") -> None:
    """Log from ``level`` upwards; ``auto`` means readable text on a terminal and JSON everywhere else."""
    for_people = form == "console" or (form == "auto" and sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _keep_allowed,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if for_people else _as_json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Stderr,
        cache_logger_on_first_use=False,
    )


def capture_process_logs() -> None:
    """Route all output of the process through this log, including libraries and crashes; used by the commands.

    So each line has one format, and the text of no exception is written.
    """
    logging.basicConfig(handlers=[_LibraryLogHandler()], level=logging.INFO, force=True)
    logging.captureWarnings(True)  # noqa: FBT003 - the function's only argument
    sys.unraisablehook = lambda lost: log.error("fault outside a call", **fault_fields(lost.exc_value))
    sys.excepthook = lambda _, fault, __: log.critical("the process ends", **fault_fields(fault))
    threading.excepthook = lambda lost: log.error("fault in a thread", **fault_fields(lost.exc_value))


def add_log_fields(**fields: Any) -> None:
    """Add fields to the log line that is written at the end of this call; no effect outside a call."""
    line = _CALL_FIELDS.get()
    if line is not None:
        line.update(fields)


def fault_fields(fault: BaseException | None) -> dict[str, str]:
    """The type of an exception and where in this program it was raised; never its text, which may quote the record."""
    if fault is None:
        return {}
    return {"fault": type(fault).__qualname__, "place": _location(fault.__traceback__)}


class LogLine:
    """The single log line of a call: the fields collected during the call, and the exception that ended it."""

    def __init__(self, correlation: str) -> None:
        self.fields: dict[str, Any] = {"correlation": correlation}

    def __enter__(self) -> LogLine:
        # Never reset: log lines of the same task after the end of this call still carry its correlation id.
        _CALL_FIELDS.set(self.fields)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(fault, Exception):
            log.error("fault", **fault_fields(fault))


def _location(trace: TracebackType | None) -> str:
    """``module:line`` of the innermost frame in our packages, else of the innermost frame."""
    places: list[tuple[str, int]] = []
    while trace is not None:
        places.append((str(trace.tb_frame.f_globals.get("__name__", "")), trace.tb_lineno))
        trace = trace.tb_next
    own_frames = [place for place in places if place[0].partition(".")[0] in _OUR_PACKAGES]
    module, line = next(reversed(own_frames or places), ("unknown", 0))
    return f"{module}:{line}"


def _keep_allowed(_: Any, __: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """Only the permitted fields, in the order of the list; within a call, with the correlation id of the call."""
    line = _CALL_FIELDS.get()
    if line is not None:
        event["correlation"] = line["correlation"]
    words = event["event"] if _EVENT.fullmatch(str(event["event"])) else "unnamed"
    kept = {name: event[name] for name, shape in FIELDS.items() if name in event and _passes(shape, event[name])}
    return {"event": words, "level": event["level"], "timestamp": event["timestamp"], **kept}


def _passes(shape: type[Any] | re.Pattern[str], value: Any) -> bool:
    if isinstance(shape, re.Pattern):
        return isinstance(value, str) and shape.fullmatch(value) is not None
    if shape is dict:
        return isinstance(value, (dict, Mapping)) and all(
            isinstance(key, str) and _A_CODE.fullmatch(key) and isinstance(count, int) for key, count in value.items()
        )
    return isinstance(value, (int, float))


def _as_json(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    return _ENCODER.encode(event).decode()


class _Stderr:
    """Lines to stderr. A line that cannot be written is dropped; the call that wrote it goes on."""

    def __init__(self, *_: Any) -> None:
        self._file = sys.stderr

    def write(self, line: str) -> None:
        with suppress(OSError, ValueError):
            self._file.write(line + "\n")

    debug = info = warning = error = critical = write


class _LibraryLogHandler(logging.Handler):
    """Log records of libraries: for the web server the message template, for all others only logger and level."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; exceptions of a call are skipped, because the log line of the call reports them."""
        fault = record.exc_info[1] if record.exc_info else None
        served = record.name.startswith("uvicorn")
        if served and isinstance(fault, Exception) and str(record.msg).startswith("Exception in ASGI"):
            return
        if served or record.levelno >= logging.WARNING:
            message = str(record.msg) if served else None
            log.log(record.levelno, "library", logger=record.name, said=message, **fault_fields(fault))
