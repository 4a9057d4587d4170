"""A refined sweep: where a variable reaches a target along one parameter, and what is stored."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import IntEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from delocal.physics.model import STATUS, Model, Variable

CHANGE = "change"  # the target that is reached wherever the variable takes another value
NEAR = 3  # points set near a noisy crossing, at least

Floats = NDArray[np.float64]


class Outcome(IntEnum):
    """How the search of one cell ended."""

    NOT_SEARCHED = 0
    FOUND = 1
    WITHIN_ERROR = 2
    NO_CROSSING = 3
    UNDEFINED = 4
    UNRESOLVED = 5
    MAX_POINTS = 6


@dataclass(frozen=True)
class Refinement:
    """What is looked for in each cell of the other axes.

    Parameters
    ----------
    variable
        The variable of the model that is looked at.
    along
        The parameter along which it is searched.
    points
        Values of that parameter at which the search begins, ascending.
    target
        A number that is crossed; the name of a flag that begins or ends; or `CHANGE`.
    tolerance
        Width of the bracket at which the search ends: b - a, or b/a - 1 where `scale` is log.
    scale
        In which brackets are divided.
    max_points
        Evaluations in one cell at most, those at `points` among them.
    followers
        Parameters that always have the value of `along`.
    """

    variable: str
    along: str
    points: tuple[float, ...]
    target: float | str
    tolerance: float
    scale: Literal["linear", "log"]
    max_points: int
    followers: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain content from which `from_json` makes an equal refinement."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Refinement:
        """Return the refinement that `to_json` wrote."""
        lists = {name: tuple(content[name]) for name in ("points", "followers")}
        return cls(**{**content, **lists})

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters that have the value that is searched."""
        return (self.along, *self.followers)

    def name_of(self, key: str) -> str:
        """Return the name in the dataset of what a search calls ``refined``, ``at_lower``, ...

        Examples
        --------
        >>> names = Refinement("phase", "gamma", (0.1, 1.0), CHANGE, 1e-6, "log", 100).name_of
        >>> names("lower"), names("at_lower"), names("outcome")
        ('gamma_lower', 'phase_at_lower', 'outcome')
        """
        if key.startswith("at_"):
            return f"{self.variable}_{key}"
        along = key.removesuffix("_stderr") in ("refined", "lower", "upper")
        return f"{self.along}_{key}" if along else key

    def on_scale(self, x: Floats) -> Floats:
        """Return values of the parameter where brackets are divided evenly."""
        return np.log(x) if self.scale == "log" else x

    def off_scale(self, u: Floats) -> Floats:
        """Return the inverse of `on_scale`."""
        return np.exp(u) if self.scale == "log" else u

    def middle(self, a: Floats, b: Floats) -> Floats:
        """Return the middle of brackets, on the scale; without overflow."""
        return np.sqrt(a) * np.sqrt(b) if self.scale == "log" else a / 2 + b / 2

    def width(self, a: Floats, b: Floats) -> Floats:
        """Return the width of brackets, which `tolerance` is compared with."""
        return b / a - 1 if self.scale == "log" else b - a

    def inside(self, x: Floats, a: Floats, b: Floats, integer: bool) -> Floats:
        """Return the points nearest to `x` strictly within brackets, whole ones if need be."""
        if integer:
            return np.clip(np.round(x), np.floor(a) + 1, np.ceil(b) - 1)
        return np.clip(x, np.nextafter(a, b), np.nextafter(b, a))

    def narrow(self, a: Floats, b: Floats, integer: bool) -> NDArray[np.bool_]:
        """Whether brackets are within the tolerance, or have no point between their ends."""
        nothing_between = b - a <= 1 if integer else np.nextafter(a, b) >= b
        return (self.width(a, b) <= self.tolerance) | nothing_between

    def steps(self, integer: bool) -> int:
        """Return how many halvings the widest bracket takes."""
        u, whole = self.on_scale(np.asarray(self.points)), np.diff(self.points).max()
        tolerance = math.log1p(self.tolerance) if self.scale == "log" else self.tolerance
        halvings = math.ceil(max(0.0, math.log2(np.diff(u).max() / tolerance)))
        return min(halvings, math.ceil(math.log2(max(whole, 1.0)))) if integer else halvings

    def evaluations(self, model: Model) -> int:
        """Return how many points one cell takes, unless it ends early; at most `max_points`."""
        steps = self.steps(model.parameter(self.along).integer)
        return min(self.max_points, len(self.points) + steps + 1 + NEAR * self.is_noisy(model))

    def is_noisy(self, model: Model) -> bool:
        """Whether the variable is known with an error bar only."""
        variable = {v.name: v for v in model.variables}[self.variable]
        return variable.estimated or variable.derived


def refined_of(model: Model, refinement: Refinement) -> Model:
    """Return `model` with the variables of a refined sweep."""
    where = _reached(refinement)
    parameter = model.parameter(refinement.along)
    variable = {v.name: v for v in model.variables}[refinement.variable]
    at = Variable(
        refinement.name_of("refined"),
        f"{parameter.long_name} where {where}",
        parameter.units,
        comment="middle of the bracket; for a Monte Carlo estimate, from a line through two points",
    )
    noise = (_error_of(at),) if refinement.is_noisy(model) else ()
    return replace(
        model,
        title=f"{model.title}: where {where} along {refinement.along}",
        variables=(
            STATUS,
            _outcome(),
            at,
            *noise,
            *_ends(refinement, parameter.units, variable, noisy=bool(noise)),
            Variable("n_evaluations", "points at which the model was evaluated", dtype="int64"),
            Variable(
                "n_crossings",
                f"crossings seen between the given values of {refinement.along}",
                dtype="int64",
                comment="the first one, from the smallest value on, is refined",
            ),
        ),
        coordinates={},
        replicate=None,
        derive=None,
        target="",
    )


def _reached(refinement: Refinement) -> str:
    if refinement.target == CHANGE:
        return f"{refinement.variable} changes"
    if isinstance(refinement.target, str):
        return f"{refinement.variable} becomes or ceases to be {refinement.target}"
    return f"{refinement.variable} crosses {refinement.target!r}"


def _outcome() -> Variable:
    return Variable(
        "outcome",
        "how the search ended",
        dtype="int8",
        flags={outcome.name.lower(): int(outcome) for outcome in Outcome},
    )


def _ends(
    refinement: Refinement, units: str, variable: Variable, *, noisy: bool
) -> tuple[Variable, ...]:
    """Return the variables that tell the ends of the bracket and what was found there."""
    found: list[Variable] = []
    for end in ("lower", "upper"):
        at = Variable(
            refinement.name_of(end),
            f"{end} end of the bracket",
            units,
            comment="of all that was searched, where there is no bracket",
        )
        value = Variable(
            refinement.name_of(f"at_{end}"),
            f"{variable.long_name} at the {end} end of the bracket",
            variable.units,
            comment=_codes(variable),
        )
        found += [at, value, _error_of(value)] if noisy else [at, value]
    return tuple(found)


def _codes(variable: Variable) -> str:
    return ", ".join(f"{code}: {name}" for name, code in (variable.flags or {}).items())


def _error_of(variable: Variable) -> Variable:
    return replace(
        variable,
        name=f"{variable.name}_stderr",
        long_name=f"standard error of the {variable.long_name}",
        comment="",
    )
