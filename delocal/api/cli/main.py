"""The way out of a command: what the exit code says."""

from __future__ import annotations

from pydantic import ValidationError

from delocal.api.cli.base import app, err, say
from delocal.service.errors import (
    DelocalError,
    NoRoom,
    NotReady,
    RequestError,
    TooManyRequests,
)

NO, MISTAKE, LATER = 1, 2, 3
PASSING = (ConnectionError, TimeoutError, NotReady, NoRoom, TooManyRequests)
"""Nothing is wrong with what was asked: the same may work later."""


def main() -> None:
    """Run the command line; a mistake of the caller is a message, not a traceback."""
    try:
        app()
    except RequestError as error:
        for problem in error.problems:
            say(err, f"error: {problem}")
        raise SystemExit(MISTAKE) from None
    except ValidationError as error:
        for wrong in error.errors():
            name = "__".join(["DELOCAL", *map(str, wrong["loc"])]).replace("__", "_", 1).upper()
            say(err, f"error: {name}: {wrong['msg']}")
        raise SystemExit(MISTAKE) from None
    except PASSING as error:
        say(err, f"error: {error}")
        raise SystemExit(LATER) from None
    except (DelocalError, OSError, ValueError) as error:
        say(err, f"error: {error}")
        raise SystemExit(MISTAKE) from None
