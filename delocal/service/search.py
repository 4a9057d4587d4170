"""Find sweeps: by model, tag, state, words, time, and the values of their parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from delocal.physics.models import load_models
from delocal.service.errors import SelectionError, did_you_mean
from delocal.service.results import SAME, Selection
from delocal.service.states import SweepState
from delocal.service.tables import LABEL_LENGTH, labels, spans, sweeps
from delocal.workers.plan import Part, Plan

Span = tuple[float, float]


@dataclass(frozen=True)
class Search:
    """Which sweeps are wanted: those that meet every condition given.

    Parameters
    ----------
    models, tags
        That a sweep has, all of them.
    states
        One of which it is in. If none are given, those in the trash are left out, or with
        `deleted` are the only ones.
    text
        Words, each of which is part of its name, a tag or a model, in capitals or not.
    since, until
        Seconds since the epoch: submitted then or later, and before then.
    spans
        Low and high by parameter: its values, from the lowest to the highest, reach into these.
    """

    models: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    states: tuple[SweepState, ...] = ()
    text: str = ""
    since: float | None = None
    until: float | None = None
    spans: Mapping[str, Span] = field(default_factory=dict)
    deleted: bool = False

    def conditions(self) -> Iterator[sa.ColumnElement[bool]]:
        """Yield what holds for the rows of the table of sweeps."""
        if self.states:
            yield sweeps.c.state.in_(self.states)
        else:
            yield (sweeps.c.state == SweepState.DELETED) == self.deleted
        for kind, values in (("model", self.models), ("tag", self.tags)):
            for value in values:
                has = sa.and_(labels.c.kind == kind, labels.c.value == _label(value))
                yield sweeps.c.id.in_(sa.select(labels.c.sweep_id).where(has))
        for word in _folded(self.text).split():
            yield sweeps.c.words.contains(word, autoescape=True)
        if self.since is not None:
            yield sweeps.c.created >= self.since
        if self.until is not None:
            yield sweeps.c.created < self.until
        for name, (low, high) in self.spans.items():
            meets = sa.and_(spans.c.parameter == name, spans.c.low <= high, spans.c.high >= low)
            yield sweeps.c.id.in_(sa.select(spans.c.sweep_id).where(meets))


def span_of(parameter: str, text: str) -> Span:
    """Return the span written as a value, ``1e-3``, or as a range, ``1e-6:1e-4``.

    An end that means a point of an axis includes it. SelectionError if no model has such a
    parameter, or it is not one span.

    Examples
    --------
    >>> span_of("T", ":0.5")
    (-inf, 0.5000000005)
    """
    known = dict.fromkeys(p.name for model in load_models().values() for p in model.parameters)
    if parameter not in known:
        raise SelectionError(f"no parameter {parameter!r}; {did_you_mean(parameter, known)}")
    chosen = Selection.parse(text)
    low, high = chosen.low, chosen.high
    if chosen.values:
        [*others, value] = chosen.values
        if others or isinstance(value, str):
            raise SelectionError(f"{parameter}={text!r}: give one number, or a range 1e-6:1e-2")
        low = high = value
    if not low <= high:
        raise SelectionError(f"{parameter}={text!r}: the range ends before it begins")
    return low - SAME * abs(low), high + SAME * abs(high)


def as_state(text: str) -> SweepState:
    """Return a state by its name; SelectionError if there is none."""
    if text not in list(SweepState):
        raise SelectionError(f"no state {text!r}; {did_you_mean(text, map(str, SweepState))}")
    return SweepState(text)


def as_seconds(time: datetime) -> float:
    """Return seconds since the epoch of a time, which is one of UTC where it does not say.

    Examples
    --------
    >>> as_seconds(datetime(1970, 1, 2))
    86400.0
    """
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def words_of(name: str, tags: Sequence[str], models: Sequence[str]) -> str:
    """Return what the words of a search are looked for in.

    Examples
    --------
    >>> words_of("Dipoles", ["Paper I"], ["scaling"]).split()
    ['dipoles', 'paper', 'i', 'scaling']
    """
    return _folded("\n".join([name, *tags, *models]))


def models_of(plan: Plan) -> list[str]:
    """Return the names of the models of a sweep, each once."""
    return list(dict.fromkeys(part.model for part in plan.parts))


def enter_labels(db: Connection, plan: Plan, tags: Sequence[str]) -> None:
    """Enter models, tags and spans of parameters of a sweep whose row is there."""
    named = [("model", model) for model in models_of(plan)] + [("tag", tag) for tag in tags]
    rows = [
        {"kind": kind, "value": value, "sweep_id": plan.sweep_id}
        for kind, value in dict.fromkeys((kind, _label(value)) for kind, value in named)
    ]
    db.execute(labels.insert(), rows)
    if found := dict(_spans(plan)):
        db.execute(spans.insert(), [{"sweep_id": plan.sweep_id, **row} for row in found.values()])


def _spans(plan: Plan) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each parameter of a plan with its lowest and highest value in all models."""
    values: dict[str, list[float]] = {}
    for part in plan.parts:
        if part.role != "replicas":
            for name, some in _values(part):
                values.setdefault(name, []).extend((min(some), max(some)))
    for name, ends in values.items():
        yield name, {"parameter": name, "low": min(ends), "high": max(ends)}


def _values(part: Part) -> Iterator[tuple[str, Sequence[float]]]:
    yield from ((name, (value,)) for name, value in part.grid.fixed.items())
    for dimension in part.grid.dimensions:
        yield from dimension.values.items()
    if part.refinement is not None:
        yield from ((name, part.refinement.points) for name in part.refinement.parameters)


def _label(value: str) -> str:
    """Return a tag or name as it is found by: cut off, and without what PostgreSQL cannot hold."""
    return value.replace("\0", "")[:LABEL_LENGTH]


def _folded(text: str) -> str:
    return text.replace("\0", "").casefold()
