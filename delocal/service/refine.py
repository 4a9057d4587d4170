"""`refine` in a request: look for the value of a parameter at which a variable reaches a target."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from delocal.physics.model import STATUS, Model, Variable
from delocal.service.axes import QUOTE, Axis, Number, plain_number
from delocal.service.errors import Problem, did_you_mean
from delocal.workers.grid import Grid
from delocal.workers.refinement import CHANGE, Refinement

MAX_POINTS = 10_000


def _as_target(value: Any) -> Any:
    if isinstance(value, str):
        return value
    number = plain_number(value)
    if not isinstance(number, Real) or not math.isfinite(number):
        raise ValueError(f"{QUOTE.repr(value)} is neither a finite number nor a name")
    return float(number)


Target = Annotated[float | str, BeforeValidator(_as_target)]


class RefineRequest(BaseModel):
    """Where a variable reaches a target along one axis, in every cell of the others.

    The search begins at the values of the axis, takes the first two neighbours between which the
    target is crossed, and divides the bracket until it is as narrow as `tolerance`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    variable: str = Field(description="the variable that is looked at")
    along: str = Field(description="the axis that is searched; its values are where it begins")
    target: Target = Field(
        default=CHANGE,
        description="a number that is crossed, the name of a flag that begins or ends, or "
        "`change`: wherever a flag takes another value",
    )
    tolerance: Number = Field(
        gt=0, description="width of the bracket in the end: b - a, or b/a - 1 on a log scale"
    )
    scale: Literal["linear", "log"] | None = Field(
        default=None, description="log if absent where the axis is a geomspace or logspace"
    )
    max_points: int = Field(
        default=100, ge=3, le=MAX_POINTS, description="evaluations in one cell at most"
    )

    def refinements(
        self, axes: Mapping[str, Axis], grid: Grid, models: Sequence[Model], problems: list[Problem]
    ) -> dict[str, Refinement]:
        """Return what is to be looked for in each model; what is wrong goes into `problems`."""
        found = list(self._axis_problems(axes, grid))
        if not found:
            found = [p for model in models for p in self._model_problems(axes, grid, model)]
        problems += found
        return {} if found else {m.name: self._refinement(axes, m) for m in models}

    def _refinement(self, axes: Mapping[str, Axis], model: Model) -> Refinement:
        followers = {name for name, axis in axes.items() if axis.like == self.along}
        return Refinement(
            self.variable,
            self.along,
            tuple(sorted(axes[self.along].values())),
            self.target,
            self.tolerance,
            self._scale(axes[self.along]),
            self.max_points,
            tuple(sorted(followers & {p.name for p in model.parameters})),
        )

    def _scale(self, axis: Axis) -> Literal["linear", "log"]:
        return self.scale or ("log" if axis.geomspace or axis.logspace else "linear")

    def _axis_problems(self, axes: Mapping[str, Axis], grid: Grid) -> Iterator[Problem]:
        place, along = "refine.along", self.along
        own = [name for name, axis in axes.items() if not (axis.like or axis.along)]
        if along in axes and along not in own:
            leader = axes[along].like or axes[along].along
            yield Problem(place, f"{along!r} lies along {leader!r}; refine along {leader!r}")
            return
        if along not in axes:
            swept = f"give it under axes, at least two values; {did_you_mean(along, own)}"
            yield Problem(place, f"{along!r} is not a swept axis; {swept}")
            return
        values = axes[along].values()
        if len(values) < 2:
            message = "one value; a search begins between two or more"
            yield Problem(f"axes.{along}", message)
        if self._scale(axes[along]) == "log" and min(values) <= 0:
            message = f"log needs positive values, {along} has {min(values):g}; use linear"
            yield Problem("refine.scale", message)
        if self.max_points <= len(values):
            message = f"{self.max_points} leaves none beyond the {len(values)} of the axis"
            yield Problem("refine.max_points", message)
        for name, axis in axes.items():
            if axis.along == along:
                message = f"has values of its own along {along!r}, and none in between; use `like`"
                yield Problem(f"axes.{name}", message)
        searched = {along, *(name for name, axis in axes.items() if axis.like == along)}
        for exclusion in grid.exclusions:
            for name in sorted(exclusion.parameters & searched):
                message = f"{name} is searched and cannot be excluded by; limit its axis"
                yield Problem("exclude", message)

    def _model_problems(
        self, axes: Mapping[str, Axis], grid: Grid, model: Model
    ) -> Iterator[Problem]:
        if self.along not in {p.name for p in model.parameters}:
            yield Problem("refine.along", f"model {model.name!r} has no parameter {self.along!r}")
            return
        variables = {v.name: v for v in model.variables_for(grid.parameters)}
        if self.variable not in variables:
            who = f"model {model.name!r} has no variable {self.variable!r} here"
            advice = did_you_mean(self.variable, variables)
            yield Problem("refine.variable", f"{who}; {advice}")
            return
        variable = variables[self.variable]
        if message := self._why_not(axes, model, variable):
            yield Problem("refine.variable", f"{variable.name} of {model.name!r} {message}")
        elif message := self._wrong_target(variable):
            yield Problem("refine.target", message)

    def _why_not(self, axes: Mapping[str, Axis], model: Model, variable: Variable) -> str | None:
        """Return why a variable cannot be refined, or None if it can."""
        searched = {self.along, *(name for name, axis in axes.items() if axis.like == self.along)}
        if variable.dims:
            return f"has the dimension {', '.join(variable.dims)}; a search follows one number"
        if variable.depends is not None and not searched & set(variable.depends):
            return f"does not depend on {self.along}"
        if model.replicate is not None and variable.name == STATUS.name:
            return "is that of replicas; refine one of its estimates"
        return None

    def _wrong_target(self, variable: Variable) -> str | None:
        """Return what is wrong with the target, or None if it fits the variable."""
        if variable.flags is not None:
            allowed = (CHANGE, *variable.flags)
            if self.target in allowed:
                return None
            given = QUOTE.repr(self.target)
            return f"{given} is not one of {', '.join(allowed)}, which {variable.name} can be"
        if self.target == CHANGE and variable.dtype != "float64":
            return None
        if isinstance(self.target, str):
            return (
                f"{QUOTE.repr(self.target)} is not a number; give the one {variable.name} crosses"
            )
        return None
