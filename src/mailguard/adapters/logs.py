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

# Without the values of variables: a password or a message may be among them.
_tracebacks = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def configure(level: str, pretty: bool = False) -> None:
    """JSON lines, or coloured text for a person at a terminal (`pretty`)."""
    renderer: Any = structlog.dev.ConsoleRenderer() if pretty else _line
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info if pretty else _tracebacks,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd's: it logs raw client text
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s %(message)s")


# ASCII only: ESC, U+2028 and RTLO become escapes that a terminal does not act upon.
_ENCODER = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), default=repr)


def _line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    return _ENCODER.encode(event)
