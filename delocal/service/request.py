"""SweepRequest: what a caller asks for, validated against the models, identified by content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    model_validator,
)

from delocal.physics.model import Model, Parameter
from delocal.physics.models import load_models
from delocal.service.errors import Problem, RequestError, did_you_mean
from delocal.workers.dataset import default_options
from delocal.workers.grid import COMPARISONS, Dimension, Exclusion, Grid
from delocal.workers.keys import content_key
from delocal.workers.plan import Plan, plan_part

MAX_CELLS = 20_000_000
FORMS = ("list", "linspace", "logspace", "geomspace", "like")

Range = tuple[FiniteFloat, FiniteFloat, Annotated[int, Field(ge=1, le=MAX_CELLS)]]
_STRICT = ConfigDict(extra="forbid", frozen=True)


class Axis(BaseModel):
    """The values of one parameter, in exactly one form; a plain list is taken as ``list``.

    ``linspace`` and ``geomspace`` are [first, last, number]; ``logspace`` gives decimal
    exponents. ``like`` copies another axis; ``along`` puts this parameter's own values on the
    dimension of another, point by point (zipped).
    """

    model_config = _STRICT

    list: tuple[FiniteFloat, ...] | None = None
    linspace: Range | None = None
    logspace: Range | None = None
    geomspace: Range | None = None
    like: str | None = None
    along: str | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Axis:
        given = [form for form in FORMS if getattr(self, form) is not None]
        if len(given) != 1:
            have = " and ".join(given) or "none"
            raise ValueError(f"give exactly one of {', '.join(FORMS)}; here: {have}")
        if self.like is not None and self.along is not None:
            raise ValueError("`like` already lies along its axis; leave out `along`")
        if self.list is not None and not self.list:
            raise ValueError("the list is empty; give at least one value")
        if self.geomspace is not None and min(self.geomspace[:2]) <= 0:
            raise ValueError("geomspace needs positive ends; use linspace, or a list")
        return self

    def values(self) -> tuple[float, ...]:
        """Return the values of an axis that has its own."""
        if self.list is not None:
            return self.list
        if self.linspace is not None:
            return _floats(np.linspace(*self.linspace))
        if self.logspace is not None:
            return _floats(np.logspace(*self.logspace))
        assert self.geomspace is not None
        return _floats(np.geomspace(*self.geomspace))


def _as_axis(value: Any) -> Any:
    if isinstance(value, list | tuple | np.ndarray):
        return {"list": [float(v) if isinstance(v, np.generic) else v for v in value]}
    if isinstance(value, int | float | np.generic):
        raise ValueError(f"{value} is one number; put it under `fixed`, or write [{value}]")
    return value


AxisInput = Annotated[Axis, BeforeValidator(_as_axis)]


class SweepRequest(BaseModel):
    """A sweep of models over a grid of parameters.

    Examples
    --------
    >>> request = SweepRequest(models=["scaling"], axes={"T": [1e-3, 1e-2], "alpha": [3, 4],
    ...     "beta": {"like": "alpha"}}, fixed={"d": 3, "W": 1})
    >>> request.plan().parts[0].grid.shape
    (2, 2)
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "models": ["scaling"],
                    "name": "dipoles",
                    "axes": {
                        "d": [2, 3],
                        "alpha": {"linspace": [2.2, 6.0, 20]},
                        "beta": {"like": "alpha"},
                        "T": {"geomspace": [1e-6, 1e-2, 41]},
                        "W": [1, 2],
                    },
                    "fixed": {"t": 0.02, "V": 0.02, "rho": 1},
                }
            ]
        },
    )

    models: tuple[str, ...] = Field(min_length=1, description="names of the models to run")
    axes: dict[str, AxisInput] = Field(
        default_factory=dict, description="swept parameters; the product of their values is run"
    )
    cases: tuple[dict[str, FiniteFloat], ...] = Field(
        default=(), description="explicit points, along a dimension `case`"
    )
    fixed: dict[str, FiniteFloat] = Field(
        default_factory=dict, description="parameters with one value"
    )
    exclude: tuple[dict[str, Any], ...] = Field(
        default=(),
        description="cells to leave out: those that meet every condition of an entry, such as "
        '{"alpha": {"lt": "beta"}} or {"d": [2], "T": {"gt": 0.1}}',
    )
    options: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="options by model"
    )
    seed: int = Field(default=0, ge=0, description="seed of the random numbers")
    name: str = Field(default="", max_length=200)
    tags: tuple[str, ...] = ()

    @classmethod
    def parse(cls, content: Mapping[str, Any] | SweepRequest) -> SweepRequest:
        """Return the request in `content`; RequestError says everything that is wrong with it."""
        if isinstance(content, SweepRequest):
            return content
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise RequestError([_problem(dict(e)) for e in error.errors()]) from error

    @classmethod
    def from_text(cls, text: str) -> SweepRequest:
        """Return the request in a JSON or YAML text."""
        try:
            content = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise RequestError([Problem("", f"neither JSON nor YAML: {error}")]) from error
        if not isinstance(content, dict):
            raise RequestError([Problem("", "a request is an object with `models` and `axes`")])
        return cls.parse(content)

    @classmethod
    def from_file(cls, path: str | Path) -> SweepRequest:
        """Return the request in a JSON or YAML file."""
        return cls.from_text(Path(path).read_text())

    def plan(
        self,
        provenance: Mapping[str, Any] | None = None,
        *,
        block_cells: int | None = None,
        max_cells: int = MAX_CELLS,
    ) -> Plan:
        """Return what is to be computed.

        Raises
        ------
        RequestError
            With every problem found, each naming its field, what is allowed and what to try.
        """
        problems: list[Problem] = []
        models = self._models(problems)
        grid = self._grid(models, max_cells, problems)
        options = {model.name: self._options(model, problems) for model in models}
        if problems:
            raise RequestError(problems)
        parts = tuple(plan_part(m, grid, options[m.name], block_cells) for m in models)
        identity = [
            [[p.model, p.version, p.grid.to_json(), dict(p.options)] for p in parts],
            self.seed,
        ]
        recorded = {"request": self.model_dump_json(exclude_defaults=True), "seed": self.seed}
        return Plan(content_key(identity)[:16], parts, {**(provenance or {}), **recorded})

    def _models(self, problems: list[Problem]) -> list[Model]:
        known = load_models()
        for i, name in enumerate(self.models):
            if name not in known:
                message = f"no model {name!r}; {did_you_mean(name, known)}"
                problems.append(Problem(f"models.{i}", message))
        if len(set(self.models)) < len(self.models):
            problems.append(Problem("models", "the same model twice; name each once"))
        return [known[name] for name in dict.fromkeys(self.models) if name in known]

    def _options(self, model: Model, problems: list[Problem]) -> dict[str, Any]:
        options = default_options(model)
        choices = {option.name: option.choices for option in model.options}
        for name, value in self.options.get(model.name, {}).items():
            field = f"options.{model.name}.{name}"
            if name not in choices:
                message = f"model {model.name!r} has no option {name!r}; {did_you_mean(name, choices)}"
                problems.append(Problem(field, message))
            elif value not in choices[name]:
                allowed = ", ".join(map(str, choices[name]))
                problems.append(Problem(field, f"{value!r} is not one of {allowed}"))
            else:
                options[name] = value
        return options

    def _grid(self, models: list[Model], max_cells: int, problems: list[Problem]) -> Grid:
        parameters = {p.name: p for model in models for p in model.parameters}
        dimensions = self._dimensions(problems)
        fixed = {**_defaults(models, set(self.axes) | self._case_names()), **self.fixed}
        exclusions = tuple(
            exclusion
            for i, entry in enumerate(self.exclude)
            if (exclusion := _exclusion(i, entry, parameters, problems))
        )
        grid = Grid(tuple(dimensions), fixed, exclusions)
        if grid.size > max_cells:
            sizes = " x ".join(f"{d.size} ({d.name})" for d in dimensions)
            message = (
                f"{grid.size:,} cells = {sizes}; at most {max_cells:,} are allowed. "
                "Take fewer points, or split the sweep along one axis"
            )
            problems.append(Problem("axes", message))
        if models:
            self._check_names(models, parameters, problems)
            self._check_values(grid, parameters, problems)
        return grid

    def _case_names(self) -> set[str]:
        return {name for case in self.cases for name in case}

    def _dimensions(self, problems: list[Problem]) -> list[Dimension]:
        found: dict[str, dict[str, tuple[float, ...]]] = {}
        if self.cases:
            names = self._case_names()
            for i, case in enumerate(self.cases):
                if missing := names - set(case):
                    message = f"lacks {', '.join(sorted(missing))}; every case gives the same parameters"
                    problems.append(Problem(f"cases.{i}", message))
            if all(set(case) == names for case in self.cases):
                found["case"] = {n: tuple(c[n] for c in self.cases) for n in self.cases[0]}
        own = {n: a for n, a in self.axes.items() if a.like is None and a.along is None}
        for name, axis in own.items():
            values = axis.values()
            if len(set(values)) < len(values):
                message = "a value stands twice; each point of an axis must differ"
                problems.append(Problem(f"axes.{name}", message))
            found[name] = {name: values}
        for name, axis in self.axes.items():
            if name not in own:
                _zip_onto(found, own, name, axis, problems)
        return [Dimension(name, values) for name, values in found.items()]

    def _check_names(
        self, models: list[Model], known: Mapping[str, Parameter], problems: list[Problem]
    ) -> None:
        places = {"axes": set(self.axes), "cases": self._case_names(), "fixed": set(self.fixed)}
        for place, names in places.items():
            for name in sorted(names - set(known)):
                who = f"no parameter {name!r} in {', '.join(self.models)}"
                problems.append(Problem(f"{place}.{name}", f"{who}; {did_you_mean(name, known)}"))
        given = [name for names in places.values() for name in names]
        for name in sorted({name for name in given if given.count(name) > 1}):
            problems.append(Problem(name, "given twice; keep it under axes, cases or fixed"))
        for model in models:
            for p in model.parameters:
                if p.name not in given and p.default is None and not p.optional:
                    message = f"model {model.name!r} needs {p.name} ({p.long_name})"
                    problems.append(Problem(f"axes.{p.name}", f"{message}; sweep it or fix it"))

    def _check_values(
        self, grid: Grid, known: Mapping[str, Parameter], problems: list[Problem]
    ) -> None:
        values = {n: ("fixed", (v,)) for n, v in self.fixed.items()}
        for d in grid.dimensions:
            place = "cases" if d.name == "case" else "axes"
            values.update({name: (place, v) for name, v in d.values.items()})
        for name, (place, numbers) in values.items():
            if name not in known:
                continue
            array = np.asarray(numbers)
            wrong = array[~known[name].accepts(array)]
            if wrong.size:
                message = f"{wrong[0]:g} is not allowed; {known[name].allowed}"
                problems.append(Problem(f"{place}.{name}", message))


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(values.tolist())


def _defaults(models: list[Model], swept: set[str]) -> dict[str, float]:
    defaults = {p.name: p.default for model in models for p in model.parameters}
    return {n: v for n, v in defaults.items() if v is not None and n not in swept}


def _zip_onto(
    found: dict[str, dict[str, tuple[float, ...]]],
    own: Mapping[str, Axis],
    name: str,
    axis: Axis,
    problems: list[Problem],
) -> None:
    """Add an axis that lies along another one to that one's dimension."""
    leader = axis.like or axis.along
    assert leader is not None
    if leader not in own:
        message = f"no axis {leader!r} with values of its own; {did_you_mean(leader, own)}"
        problems.append(Problem(f"axes.{name}", message))
        return
    values = found[leader][leader] if axis.like else axis.values()
    if len(values) != len(found[leader][leader]):
        message = f"{len(values)} values along {leader!r}, which has {len(found[leader][leader])}"
        problems.append(Problem(f"axes.{name}", f"{message}; zipped axes are equally long"))
        return
    found[leader][name] = values


def _exclusion(
    i: int, entry: Mapping[str, Any], known: Mapping[str, Parameter], problems: list[Problem]
) -> Exclusion | None:
    conditions: list[tuple[str, str, Any]] = []
    before = len(problems)
    for name, condition in entry.items():
        field = f"exclude.{i}.{name}"
        if name not in known:
            problems.append(Problem(field, f"no parameter {name!r}; {did_you_mean(name, known)}"))
        elif isinstance(condition, int | float):
            conditions.append((name, "eq", float(condition)))
        elif isinstance(condition, list | tuple) and all(
            isinstance(value, int | float) for value in condition
        ):
            conditions.append((name, "in", tuple(map(float, condition))))
        elif isinstance(condition, dict) and condition and set(condition) <= set(COMPARISONS):
            for comparison, operand in condition.items():
                if isinstance(operand, str) and operand not in known:
                    message = f"no parameter {operand!r}; {did_you_mean(operand, known)}"
                    problems.append(Problem(f"{field}.{comparison}", message))
                conditions.append((name, comparison, operand))
        else:
            message = f"a number, a list, or an object with {', '.join(COMPARISONS)}"
            problems.append(Problem(field, f"{json.dumps(condition)} is not allowed; give {message}"))
    return Exclusion(tuple(conditions)) if len(problems) == before and conditions else None


def _problem(error: Mapping[str, Any]) -> Problem:
    """Return what pydantic found, in our words: field, message, what was given."""
    field = ".".join(str(part) for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        name = str(error["loc"][-1])
        known = Axis.model_fields if len(error["loc"]) > 1 else SweepRequest.model_fields
        return Problem(field, f"no field {name!r}; {did_you_mean(name, known)}")
    if error["type"] == "missing":
        return Problem(field, "missing; give it")
    given = error.get("input")
    if error["type"] != "value_error" and isinstance(given, str | int | float | None):
        message = f"{message} (given: {given!r})"
    return Problem(field, message)
