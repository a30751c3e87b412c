"""One JSON line an event, on standard error; hostile text cannot leave its line.

Must not know what is logged.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from mailguard.core.mail import safe_text

# Without the values of variables: a password or a message may be among them.
_tracebacks = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def configure(level: str, pretty: bool = False) -> None:
    """JSON lines, or coloured text for a person at a terminal (`pretty`)."""
    renderers: list[Any] = [_spelt_out, structlog.dev.ConsoleRenderer()] if pretty else [_line]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info if pretty else _tracebacks,
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd's: it logs raw client text
    libraries = logging.StreamHandler(sys.stderr)
    libraries.setFormatter(_Lines("%(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[libraries])


# ASCII only: ESC, U+2028 and RTLO become escapes that a terminal does not act upon.
_ENCODER = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), default=repr)


_LINED = ("exception", "stack")  # tracebacks: ours but for what an exception says


def _spelt_out(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Any:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = _by_lines(value) if key in _LINED else safe_text.log_value(value)
    return event


def _by_lines(text: str) -> str:
    return "\n".join(map(safe_text.log_value, text.split("\n")))


class _Lines(logging.Formatter):
    """What libraries log by themselves: a line a message, below it the traceback, if any."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return safe_text.log_value(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        return _by_lines(super().formatException(ei))


def _line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    return _ENCODER.encode(event)
