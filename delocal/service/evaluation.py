"""Evaluate a model at a few points at once: nothing is stored, and its cost is bounded before."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
import xarray as xr
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from delocal.physics.model import Cancelled, Model
from delocal.physics.models import load_models
from delocal.service.errors import (
    NotFound,
    Problem,
    RequestError,
    TooLarge,
    TooManyRequests,
    did_you_mean,
)
from delocal.service.request import MAX_NAMES, OptionValue, SweepRequest, problems_of
from delocal.service.results import MAX_VALUES, choose, refuse_too_many
from delocal.service.sweeps import Sweeps
from delocal.workers.block import evaluate_block
from delocal.workers.dataset import Layout, on_grid
from delocal.workers.plan import Part, Plan, model_of

MAX_VARIABLES = 1000
MAX_CELLS = 100_000  # all variables of so many cells are some dozen MiB
MEASURED_FOR = 1.0  # seconds, before a measured cost is believed rather than the model's own
AT_A_TIME = 2  # each keeps a core busy that sweeps and other answers want too
ADVICE = "Take fewer points, or submit them as a sweep"
FIELDS = {"axes": "parameters", "fixed": "parameters"}
"""Where a caller gave what a request for a sweep has elsewhere."""


class EvaluationRequest(BaseModel):
    """Points at which a model is evaluated.

    Examples
    --------
    >>> asked = EvaluationRequest(parameters={"d": 3, "T": {"geomspace": [1e-6, 1e-2, 5]}})
    >>> asked.as_sweep("scaling")["axes"]
    {'T': {'geomspace': [1e-06, 0.01, 5]}}
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "parameters": {
                        "d": 3,
                        "alpha": 3,
                        "beta": 3,
                        "W": 1,
                        "T": {"geomspace": [1e-6, 1e-2, 41]},
                    },
                    "variables": ["kappa_sd", "kappa_ps"],
                }
            ]
        },
    )

    parameters: dict[str, Any] = Field(
        default_factory=dict,
        max_length=MAX_NAMES,
        description="by name: a number, or an axis as in a request for a sweep",
    )
    options: dict[str, OptionValue] = Field(
        default_factory=dict, max_length=MAX_NAMES, description="of the model"
    )
    variables: tuple[str, ...] | None = Field(
        default=None, max_length=MAX_VARIABLES, description="names of those wanted; all if absent"
    )

    @classmethod
    def parse(cls, content: Mapping[str, Any]) -> EvaluationRequest:
        """Return the request in `content`; RequestError says everything that is wrong with it."""
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise RequestError(problems_of(error, cls)) from error

    @property
    def wanted(self) -> list[str] | None:
        """The variables of the answer, with the status; None if all are wanted."""
        if self.variables is None:
            return None
        return list(dict.fromkeys((*self.variables, "status")))

    def as_sweep(self, model: str) -> dict[str, Any]:
        """Return the sweep that computes the same."""
        numbers = {name: v for name, v in self.parameters.items() if isinstance(v, Real)}
        axes = {name: v for name, v in self.parameters.items() if name not in numbers}
        return {"models": [model], "axes": axes, "fixed": numbers, "options": {model: self.options}}


@dataclass(frozen=True)
class Evaluation:
    """The dataset, in memory, and what is known of cells that raised."""

    dataset: xr.Dataset
    failures: tuple[Mapping[str, Any], ...]


class Evaluations:
    """Small evaluations for whoever asks.

    Parameters
    ----------
    sweeps
        Knows what a cell costs.
    seconds
        That one evaluation may take.
    """

    def __init__(self, sweeps: Sweeps, seconds: float) -> None:
        self._sweeps = sweeps
        self._seconds = seconds
        self._free = threading.BoundedSemaphore(AT_A_TIME)

    def evaluate(self, name: str, asked: EvaluationRequest) -> Evaluation:
        """Evaluate a model here and now.

        Raises
        ------
        NotFound
            No such model.
        RequestError
            Wrong parameters or options, or a Monte Carlo model.
        SelectionError
            No such variable.
        TooLarge
            Too many points, or a cost above the bound.
        TooManyRequests
            Others are evaluating.
        """
        plan = _plan(_model(name), asked)
        part = plan.parts[0]
        self._check_size(plan)
        refuse_too_many(choose(_outline(part), asked.wanted, {}), MAX_VALUES)
        if not self._free.acquire(timeout=self._seconds):
            raise TooManyRequests(f"{AT_A_TIME} evaluations are running already; ask again")
        try:
            return self._evaluate(part, asked.wanted)
        finally:
            self._free.release()

    def _check_size(self, plan: Plan) -> None:
        """Refuse what is too large or too dear, before anything is evaluated."""
        if plan.cells > MAX_CELLS:
            raise TooLarge(f"{plan.cells:,} points; at most {MAX_CELLS:,} at once. {ADVICE}")
        expected = self._sweeps.seconds(plan, MEASURED_FOR)
        if expected > self._seconds:
            raise TooLarge(
                f"{plan.cells:,} points would take about {expected:.2g} s; at most "
                f"{self._seconds:g} s are spent at once. {ADVICE}"
            )

    def _evaluate(self, part: Part, wanted: list[str] | None) -> Evaluation:
        end = time.monotonic() + 2 * self._seconds  # a cost is known roughly
        try:
            found = evaluate_block(part, 0, lambda: time.monotonic() > end)
        except Cancelled as error:
            message = f"not done after {2 * self._seconds:g} s, longer than expected. {ADVICE}"
            raise TooLarge(message) from error
        ds = on_grid(model_of(part), part.grid, found.arrays)
        return Evaluation(choose(ds, wanted, {}), found.failures)


def evaluate_here(name: str, asked: EvaluationRequest) -> Evaluation:
    """Evaluate a model for who has this process to himself: at any cost.

    NotFound, RequestError and SelectionError as in `Evaluations.evaluate`.
    """
    part = _plan(_model(name), asked).parts[0]
    found = evaluate_block(part, 0)
    ds = on_grid(model_of(part), part.grid, found.arrays)
    return Evaluation(choose(ds, asked.wanted, {}), found.failures)


def _model(name: str) -> Model:
    known = load_models()
    if name not in known:
        raise NotFound(f"no model {name!r}; {did_you_mean(name, known)}")
    if known[name].replicate is not None:
        message = f"{name} is a Monte Carlo model; submit it as a sweep"
        raise RequestError([Problem("model", message)])
    return known[name]


def _plan(model: Model, asked: EvaluationRequest) -> Plan:
    """Return a plan of one block; RequestError names fields as the caller does."""
    try:
        plan = SweepRequest.parse(asked.as_sweep(model.name)).plan()
    except RequestError as error:
        raise RequestError([_renamed(problem, model) for problem in error.problems]) from error
    part = plan.parts[0]
    return replace(plan, parts=(replace(part, block_shape=part.grid.shape),))


def _outline(part: Part) -> xr.Dataset:
    """Return a dataset of the shape of the answer, which takes no memory."""
    model = model_of(part)
    layout = Layout.of_grid(part.grid, model)
    variables = model.variables_for(part.grid.parameters)
    nothing = np.zeros((), np.int8)
    return on_grid(
        model, part.grid, {v.name: np.broadcast_to(nothing, layout.shape(v)) for v in variables}
    )


def _renamed(problem: Problem, model: Model) -> Problem:
    place, _, rest = problem.field.partition(".")
    if place == "options":
        rest = rest.removeprefix(model.name).lstrip(".")
    return replace(problem, field=".".join(filter(None, (FIELDS.get(place, place), rest))))
