"""Structured logs: one line per record, as JSON for collectors or as text for people.

A record's own fields travel in one attribute, so that none can collide with logging's (a shift's `name` is not the
logger's).  In text, line breaks that came from outside (an error page, a user's object) are shown as escapes: one
record can never pass for two.

Libraries that narrate their work (kopf each handler, httpx each query) are heard from warnings on.
"""

from __future__ import annotations

import json
import logging
import math
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from meshshift.core.plain_text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

Format = Literal["json", "text"]
LEVELS = ("debug", "info", "warning", "error")
TALKATIVE = ("kopf", "httpx", "httpcore", "aiohttp", "asyncio", "kubernetes")
_FIELDS = "meshshift_fields"


def configure(format: str = "json", level: str = "info", stream: TextIO | None = None) -> None:  # noqa: A002
    """Send all logs to `stream` (standard error), from `level` on; a repeated call replaces the first one's effect.

    `format` is `json` or `text`, `level` one of `LEVELS` in any case.  Raises ValueError for anything else.
    """
    if format not in get_args(Format):
        raise ValueError(f"log format is {format!r}: use one of {', '.join(get_args(Format))}")
    if level.lower() not in LEVELS:
        raise ValueError(f"log level is {level!r}: use one of {', '.join(LEVELS)}")
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [other for other in root.handlers if not isinstance(other, _Handler)]
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def fields(**values: object) -> dict[str, Any]:
    """What to pass as `extra` of a logging call; fields that are None are left out."""
    return {_FIELDS: {name: value for name, value in values.items() if value is not None}}


class JsonFormatter(logging.Formatter):
    """One JSON object per line: ts, level, logger, msg, the record's own fields, and `exception` with a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of valid JSON, whatever its fields hold."""
        line: dict[str, object] = {
            "ts": _instant(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
        }
        line = {**_fields(record), **line}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        first = ("ts", "level", "logger", "msg")
        ordered = {name: line[name] for name in first} | line
        plain = {name: _plain(value) for name, value in ordered.items()}
        text = json.dumps(plain, default=str, ensure_ascii=False)
        # Half a surrogate pair cannot be written, and a direction mark acts on whoever reads the raw line.
        return text if text.isprintable() else json.dumps(plain, default=str)


class TextFormatter(logging.Formatter):
    """`<time> <level> <namespace>/<name>: <message> (field=value …)`; records about no shift name their logger."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line, and a traceback below if it has one."""
        rest = dict(_fields(record))
        namespace, name = rest.pop("namespace", None), rest.pop("name", None)
        subject = f"{namespace}/{name}" if namespace and name else namespace or name or record.name
        told = f" ({' '.join(f'{field}={value}' for field, value in rest.items())})" if rest else ""
        line = one_line(f"{_instant(record)} {record.levelname:<7} {subject}: {record.getMessage()}{told}")
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _Handler(logging.StreamHandler["TextIO"]):
    """The handler that `configure` owns, and replaces when it is called again."""


def _fields(record: logging.LogRecord) -> Mapping[str, object]:
    """The record's own fields; kopf tells its subject in an attribute of its own."""
    own = getattr(record, _FIELDS, None)
    if own is not None:
        return dict(own)
    subject = getattr(record, "k8s_ref", None)
    if not isinstance(subject, dict):
        return {}
    return {name: subject[name] for name in ("kind", "namespace", "name") if subject.get(name)}


def _instant(record: logging.LogRecord) -> str:
    stamp = datetime.fromtimestamp(record.created, UTC)
    return stamp.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(value: object) -> object:
    """JSON has no infinity."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
