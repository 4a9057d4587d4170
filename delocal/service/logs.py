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
QUIET = ("alembic", "asyncio", "distributed", "uvicorn")  # libraries: only what goes wrong


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
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))


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
