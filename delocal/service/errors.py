"""Every way a caller can be wrong.

::

    DelocalError
    +-- Unreadable          what came is no request at all
    +-- RequestError        the sweep request is wrong; lists every problem with its field
    +-- SelectionError      the selection from a dataset is wrong
    +-- TooLarge            more cells or values than allowed
    +-- NotFound            no such sweep, model or variable
    +-- NotReady            the answer is not there yet
    +-- Conflict            the sweep is in no state for that
    +-- NoKey               who asks has shown no key, or none that is good
    +-- NotAllowed          the key is good, but not for that
    +-- TooManyRequests     too fast; says when to ask again
    +-- QuotaUsedUp         the key has had what it may have
    +-- NoRoom              a disk is full, or cannot be written
    +-- Damaged             what was stored is not there any more
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MOST_SHOWN = 20  # names beside a good guess
MOST_TOLD = 100  # mistakes in one answer


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a request: where, what was given, what is allowed, what to try."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class DelocalError(Exception):
    """Base of every error that a caller can mend."""


class Unreadable(DelocalError):
    """Something that no name, id or text can hold."""


class RequestError(DelocalError):
    """A sweep request that cannot be run; `problems` has one entry for each mistake.

    Of very many the first are told: an answer is not to be larger than what asked for it.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems[:MOST_TOLD])
        if len(problems) > MOST_TOLD:
            self.problems.append(Problem("", "and more; mend these first"))
        super().__init__("\n".join(map(str, self.problems)))


class SelectionError(DelocalError):
    """A selection that names what the dataset does not have, or that lacks what `problems` say."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = list(problems)


class TooLarge(DelocalError):
    """More cells or values than one request may ask for."""


class NotFound(DelocalError):
    """No sweep, model or variable of that name."""


class NotReady(DelocalError):
    """Not there yet; ask again later."""


class Conflict(DelocalError):
    """What was asked for does not fit the state that the sweep is in."""


class NoKey(DelocalError):
    """No key, or one that is unknown, expired or revoked."""


class NotAllowed(DelocalError):
    """The key is good, but lacks the scope for what was asked."""


class TooManyRequests(DelocalError):
    """Asked too often; `retry_after` seconds later there is an answer."""

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class QuotaUsedUp(DelocalError):
    """More cells, core-seconds or sweeps at a time than one key may have."""


class NoRoom(DelocalError):
    """A disk of the service is full or read-only; make room, and ask again."""


class Damaged(DelocalError):
    """A file that was stored is not there any more; `delocal doctor` computes it again."""


def some_of(names: Iterable[str]) -> str:
    """Return names, separated by commas, and only the first of very many.

    Examples
    --------
    >>> some_of(["T", "W"]), some_of(map(str, range(1000)))[-11:]
    ('T, W', '18, 19, ...')
    """
    first = [*itertools.islice(names, MOST_SHOWN + 1)]
    return ", ".join(first) if len(first) <= MOST_SHOWN else f"{', '.join(first[:-1])}, ..."


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return advice for a mistaken name: the closest one if any, and the known ones.

    Examples
    --------
    >>> did_you_mean("kapa", ["kappa", "T"])
    "did you mean 'kappa'? Known: kappa, T"
    """
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    if close and len(known) > MOST_SHOWN:
        return hint.strip()
    return f"{hint}Known: {', '.join(known) or 'none'}"
