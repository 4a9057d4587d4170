"""How the service logs: a line of JSON for each event, or a readable line on a terminal.

Whatever logs in this process comes out the same way, with the ids that are bound where it
happens: `request_id`, `sweep`, `model`, `blocks`.
"""

from __future__ import annotations

import logging
import sys
from typing import Literal, TextIO

import structlog
from pydantic import BaseModel, ConfigDict, Field
from structlog.typing import Processor

Level = Literal["debug", "info", "warning", "error"]
# Libraries say only what goes wrong. Dask warns of every connection that is closed when it stops.
QUIET = {
    "alembic": logging.WARNING,
    "asyncio": logging.WARNING,
    "distributed": logging.ERROR,
    "uvicorn": logging.WARNING,
}


class LogSettings(BaseModel):
    """What is logged, and how. Logs go to standard error."""

    model_config = ConfigDict(extra="forbid")

    form: Literal["auto", "json", "text"] = Field(
        default="auto", description="auto: text on a terminal, else json"
    )
    level: Level | None = Field(
        default=None,
        description="debug, info (one line for each request), warning or error; "
        "warning on a terminal, else info",
    )


def configure_logs(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Send every log of this process to `stream`, standard error if it is None."""
    stream = stream or sys.stderr
    text = settings.form == "text" or (settings.form == "auto" and stream.isatty())
    level = (settings.level or ("warning" if text else "info")).upper()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_last(text, stream),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(max(least, logging.getLevelName(level)))


def adopt_logs(library: str) -> None:
    """Make a library that brought handlers of its own log like everything else.

    Nothing happens in a program whose logs `configure_logs` did not configure.
    """
    formatters = [handler.formatter for handler in logging.getLogger().handlers]
    if not any(isinstance(f, structlog.stdlib.ProcessorFormatter) for f in formatters):
        return
    known = list(logging.getLogger().manager.loggerDict)
    for name in [library, *(name for name in known if name.startswith(f"{library}."))]:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET if name != library else QUIET.get(library, logging.NOTSET))


def quiet_logs() -> None:
    """Say only what goes wrong, on standard error; what is configured already stays.

    For a service in a thread of a program that prints something else.
    """
    if not structlog.is_configured():
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
            logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        )


def _last(text: bool, stream: TextIO) -> list[Processor]:
    if not text:
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain)]
