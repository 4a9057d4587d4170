"""SweepRequest: what a caller asks for, validated against the models, identified by content."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from delocal.physics.model import Model
from delocal.physics.models import load_models
from delocal.service.axes import QUOTE, Axis, AxisInput, Number, Whole, zip_onto
from delocal.service.errors import MOST_TOLD, Problem, RequestError, did_you_mean, some_of
from delocal.service.refine import RefineRequest
from delocal.service.states import Priority
from delocal.workers.dataset import default_options
from delocal.workers.grid import COMPARISONS, Dimension, Exclusion, Grid
from delocal.workers.keys import content_key
from delocal.workers.plan import Part, Plan, plan_parts
from delocal.workers.refinement import Refinement
from delocal.workers.sampling import Sampling

Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]  # that any database takes
MAX_CELLS = 20_000_000
MAX_BLOCKS = 5_000_000  # each is a row of the ledger; few words can ask for a million million
MAX_REPLICAS = 100_000
MAX_NAMES = 100  # of models, parameters, options: each wrong one is looked up among the right ones
MAX_EXCLUSIONS = 1000  # each is asked about every cell
BUDGET = 64  # times the replicas to begin with, where a target is set without a budget


def _as_condition(value: Any) -> Any:
    """Return a condition with its numbers as floats; `_conditions` refuses what is none."""
    if isinstance(value, dict):
        return {name: _as_number(operand) for name, operand in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_as_number(item) for item in value]
    return _as_number(value)


def _as_number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, Real):
        return value
    try:
        return float(value)
    except OverflowError:
        return math.inf


Condition = Annotated[Any, BeforeValidator(_as_condition)]


def _listed(value: Any) -> Any:
    """Return a table of arrays as one of lists."""
    if isinstance(value, Mapping):
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in value.items()}
    return value


OptionValue = Annotated[Any, BeforeValidator(_listed)]


class SamplingRequest(BaseModel):
    """How many replicas a Monte Carlo cell gets, and when its error is small enough.

    With `target_rel_error` a cell gets `replicas`, twice as many, and so on, up to
    `max_replicas`, until the standard error of its model's target is small enough.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    replicas: Whole = Field(default=16, ge=2, le=MAX_REPLICAS)
    max_replicas: Whole | None = Field(default=None, ge=2, le=MAX_REPLICAS)
    target_rel_error: Number | None = Field(default=None, gt=0, lt=1)

    @model_validator(mode="after")
    def _budget(self) -> SamplingRequest:
        if self.max_replicas is not None and self.max_replicas < self.replicas:
            raise ValueError(f"max_replicas = {self.max_replicas} is below {self.replicas}")
        if self.max_replicas is not None and self.target_rel_error is None:
            raise ValueError("max_replicas without target_rel_error: give replicas alone")
        return self

    def resolved(self, seed: int) -> Sampling:
        """Return it with its defaults filled in."""
        budget = self.max_replicas or min(MAX_REPLICAS, BUDGET * self.replicas)
        most = self.replicas if self.target_rel_error is None else budget
        return Sampling(self.replicas, most, self.target_rel_error, seed)


class Extension(BaseModel):
    """What is added to a sweep: values on its axes, or replicas."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    axes: dict[str, AxisInput] = Field(
        default_factory=dict, max_length=MAX_NAMES, description="values to add, by axis"
    )
    sampling: dict[Literal["replicas", "max_replicas", "target_rel_error"], Number] = Field(
        default_factory=dict, description="what replaces the sampling of the sweep"
    )

    @classmethod
    def parse(cls, content: Mapping[str, Any]) -> Extension:
        """Return the extension in `content`; RequestError says everything wrong with it."""
        try:
            found = cls.model_validate(content)
        except ValidationError as error:
            raise RequestError(problems_of(error, cls)) from error
        if not found.axes and not found.sampling:
            raise RequestError([Problem("", "nothing to add; give `axes` or `sampling`")])
        return found


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

    models: tuple[str, ...] = Field(
        min_length=1, max_length=MAX_NAMES, description="names of the models to run"
    )
    axes: dict[str, AxisInput] = Field(
        default_factory=dict,
        max_length=MAX_NAMES,
        description="swept parameters; the product of their values is run",
    )
    cases: tuple[dict[str, Number], ...] = Field(
        default=(), description="explicit points, along a dimension `case`"
    )
    fixed: dict[str, Number] = Field(
        default_factory=dict, max_length=MAX_NAMES, description="parameters with one value"
    )
    exclude: tuple[dict[str, Condition], ...] = Field(
        default=(),
        max_length=MAX_EXCLUSIONS,
        description="cells to leave out: those that meet every condition of an entry, such as "
        '{"alpha": {"lt": "beta"}} or {"d": [2], "T": {"gt": 0.1}}',
    )
    options: dict[str, Annotated[dict[str, OptionValue], Field(max_length=MAX_NAMES)]] = Field(
        default_factory=dict, max_length=MAX_NAMES, description="options by model"
    )
    sampling: SamplingRequest = Field(
        default_factory=lambda: SamplingRequest(), description="replicas of Monte Carlo cells"
    )
    refine: RefineRequest | None = Field(
        default=None, description="search along one axis, in every cell of the others"
    )
    seed: Whole = Field(default=0, ge=0, lt=2**63, description="seed of the random numbers")
    priority: Priority = Field(
        default=Priority.NORMAL, description="turns beside other sweeps: 1, 3 or 9 in a round"
    )
    name: Text = Field(default="", max_length=200)
    tags: tuple[str, ...] = ()

    @field_validator("cases")
    @classmethod
    def _few_names(cls, cases: tuple[dict[str, float], ...]) -> tuple[dict[str, float], ...]:
        if len({name for case in cases for name in case}) > MAX_NAMES:
            raise ValueError(f"more than {MAX_NAMES} parameters; every case gives the same ones")
        return cases

    @classmethod
    def parse(cls, content: Mapping[str, Any] | SweepRequest) -> SweepRequest:
        """Return the request in `content`; RequestError says everything that is wrong with it."""
        if isinstance(content, SweepRequest):
            return content
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise RequestError(problems_of(error, cls)) from error

    @classmethod
    def from_text(cls, text: str) -> SweepRequest:
        """Return the request in a JSON or YAML text."""
        return cls.parse(read_content(text))

    @classmethod
    def from_file(cls, path: str | PathLike[str]) -> SweepRequest:
        """Return the request in a JSON or YAML file."""
        return cls.from_text(Path(path).read_text())

    @classmethod
    def read(cls, request: Request) -> SweepRequest:
        """Return a request, whether it is one, its plain content, or the path of its file."""
        if isinstance(request, str | PathLike):
            return cls.from_file(request)
        return cls.parse(request)

    def extended(self, changes: Mapping[str, Any]) -> SweepRequest:
        """Return this request with more values on some axes, or more replicas.

        Parameters
        ----------
        changes
            ``axes``: values to add, by name, in any form of an axis; ``sampling``: replicas,
            max_replicas and target_rel_error that replace those of the request.

        Raises
        ------
        RequestError
            An axis that the request does not have, one that is zipped with values of its own, or
            fewer replicas than before.
        """
        problems: list[Problem] = []
        asked = Extension.parse(changes)
        own = self._own_axes()
        led = {axis.along for axis in self.axes.values()}
        axes = dict(self.axes)
        for name, more in asked.axes.items():
            if name not in own:
                message = f"no axis {name!r} with values of its own; {did_you_mean(name, own)}"
                problems.append(Problem(f"axes.{name}", message))
            elif name in led or more.like or more.along:
                message = "values zipped with others cannot be added; submit a sweep of its own"
                problems.append(Problem(f"axes.{name}", message))
            else:
                old = own[name].values()
                new = [value for value in more.values() if value not in set(old)]
                axes[name] = Axis(list=tuple(sorted((*old, *new))))
        if (replicas := asked.sampling.get("replicas", math.inf)) < self.sampling.replicas:
            message = f"{replicas:g} is fewer than the {self.sampling.replicas} there are"
            problems.append(Problem("sampling.replicas", message))
        if problems:
            raise RequestError(problems)
        content = self.model_dump(mode="json", exclude_defaults=True)
        content["axes"] = {n: a.model_dump(exclude_none=True) for n, a in axes.items()}
        if asked.sampling:
            content["sampling"] = {**content.get("sampling", {}), **asked.sampling}
        return SweepRequest.parse(content)

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
        if models and "sampling" in self.model_fields_set and not any(m.replicate for m in models):
            message = f"{', '.join(self.models)}: nothing is sampled; leave it out"
            problems.append(Problem("sampling", message))
        for name in sorted(set(self.options) - set(self.models)):
            message = f"model {name!r} is not in this sweep; {did_you_mean(name, self.models)}"
            problems.append(Problem(f"options.{name}", message))
        searched: dict[str, Refinement] = {}
        if self.refine is not None and models and (grid.dimensions or not self.axes):
            searched = self.refine.refinements(self.axes, grid, models, problems)
        if problems:
            raise RequestError(problems)
        sampling = self.sampling.resolved(self.seed)
        parts = tuple(
            part
            for model in models
            for part in plan_parts(
                model, grid, options[model.name], sampling, block_cells, searched.get(model.name)
            )
        )
        _refuse_too_many_blocks(parts)
        identity = [[part.content for part in parts if part.role != "replicas"], self.seed]
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
        known = {option.name: option for option in model.options}
        for name, value in self.options.get(model.name, {}).items():
            field = f"options.{model.name}.{name}"
            if name not in known:
                message = (
                    f"model {model.name!r} has no option {name!r}; {did_you_mean(name, known)}"
                )
                problems.append(Problem(field, message))
                continue
            try:
                options[name] = known[name].accept(value)
            except ValueError as error:
                problems.append(Problem(field, str(error)))
        return options

    def _grid(self, models: list[Model], max_cells: int, problems: list[Problem]) -> Grid:
        """Return the grid of all parameters given; empty of dimensions if it were too large."""
        sizes = {name: axis.size for name, axis in self._own_axes().items()}
        if self.cases:
            sizes = {"case": len(self.cases), **sizes}
        dimensions: list[Dimension] = []
        if (cells := math.prod(sizes.values())) > max_cells:
            product = " x ".join(f"{size} ({name})" for name, size in sizes.items())
            message = (
                f"{cells:,} cells = {product}; at most {max_cells:,} are allowed. "
                "Take fewer points, or split the sweep along one axis"
            )
            problems.append(Problem("axes", message))
        else:
            dimensions = self._dimensions(problems)
        if models:
            self._check_names(models, problems)
            self._check_values(dimensions, models, problems)
        return Grid(tuple(dimensions), self.fixed, self._exclusions(models, problems))

    def _own_axes(self) -> dict[str, Axis]:
        """Return the axes that are dimensions; the others lie along one of them."""
        return {n: a for n, a in self.axes.items() if a.like is None and a.along is None}

    def _exclusions(self, models: list[Model], problems: list[Problem]) -> tuple[Exclusion, ...]:
        given = {*self.axes, *self.fixed, *self._case_names()}
        defaults = {p.name for m in models for p in m.parameters if p.default is not None}
        return tuple(
            Exclusion(tuple(_conditions(f"exclude.{i}", entry, given | defaults, problems)))
            for i, entry in enumerate(self.exclude)
        )

    def _case_names(self) -> set[str]:
        return {name for case in self.cases for name in case}

    def _dimensions(self, problems: list[Problem]) -> list[Dimension]:
        found: dict[str, dict[str, tuple[float, ...]]] = {}
        if self.cases:
            names = self._case_names()
            for i, case in enumerate(self.cases):
                if missing := names - set(case):
                    message = (
                        f"lacks {some_of(sorted(missing))}; every case gives the same parameters"
                    )
                    problems.append(Problem(f"cases.{i}", message))
            if not names:
                problems.append(Problem("cases.0", "empty; give the parameters of the case"))
            elif all(set(case) == names for case in self.cases):
                found["case"] = {n: tuple(c[n] for c in self.cases) for n in self.cases[0]}
        own = self._own_axes()
        for name, axis in own.items():
            values = axis.values()
            if len(set(values)) < len(values):
                message = "a value stands twice; each point of an axis must differ"
                problems.append(Problem(f"axes.{name}", message))
            found[name] = {name: values}
        for name, axis in self.axes.items():
            if name not in own:
                zip_onto(found, own, name, axis, problems)
        return [Dimension(name, values) for name, values in found.items()]

    def _check_names(self, models: list[Model], problems: list[Problem]) -> None:
        known = dict.fromkeys(p.name for model in models for p in model.parameters)
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
        self, dimensions: list[Dimension], models: list[Model], problems: list[Problem]
    ) -> None:
        values: dict[str, tuple[str, tuple[float, ...]]]
        values = {n: ("fixed", (v,)) for n, v in self.fixed.items()}
        for d in dimensions:
            place = "cases" if d.name == "case" else "axes"
            values.update({name: (place, v) for name, v in d.values.items()})
        for p in dict.fromkeys(p for model in models for p in model.parameters):
            place, numbers = values.get(p.name, ("", ()))
            array = np.asarray(numbers, dtype=np.float64)
            wrong = array[~p.accepts(array)]
            if wrong.size:
                message = f"{wrong[0]:g} is not allowed; {p.allowed}"
                problems.append(Problem(f"{place}.{p.name}", message))


def _refuse_too_many_blocks(parts: Sequence[Part]) -> None:
    blocks = sum(len(part.blocks) for part in parts)
    if blocks > MAX_BLOCKS:
        sampled = any(part.role == "replicas" for part in parts)
        less = "replicas or cells" if sampled else "cells"
        message = (
            f"{blocks:,} blocks of work; at most {MAX_BLOCKS:,} are allowed. Take fewer {less}, "
            "or split the sweep along one axis"
        )
        raise RequestError([Problem("sampling" if sampled else "axes", message)])


Request = SweepRequest | Mapping[str, Any] | str | PathLike[str]
"""A request, the same as plain content, or the path of a JSON or YAML file that holds it."""


def read_content(text: str) -> dict[str, Any]:
    """Return the object in a JSON or YAML text; RequestError if there is none."""
    try:
        content = _read(text)
    except UNREADABLE as error:
        raise RequestError([Problem("", f"neither JSON nor YAML: {error}")]) from error
    if not isinstance(content, dict):
        raise RequestError([Problem("", "a request is an object with `models` and `axes`")])
    return content


UNREADABLE = (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError)


class _Loader(yaml.SafeLoader):
    """YAML 1.1, in which ``1e-6`` would be a text: here it is the number that JSON reads."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def _read(text: str) -> Any:
    """Return the content of a JSON or YAML text; raises one of `UNREADABLE`."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return yaml.load(text, _Loader)


def _conditions(
    place: str, entry: Mapping[str, Any], given: set[str], problems: list[Problem]
) -> Iterator[tuple[str, str, Any]]:
    """Yield the conditions of one entry of `exclude`, sorted, each a number or a parameter."""
    if not entry:
        problems.append(Problem(place, "empty; give at least one condition"))
    for name, condition in sorted(entry.items()):
        if len(problems) > MOST_TOLD:
            return
        field = f"{place}.{name}"
        if name not in given:
            message = f"no parameter {name!r} in this sweep; {did_you_mean(name, sorted(given))}"
            problems.append(Problem(field, message))
        elif _is_number(condition):
            yield name, "eq", condition
        elif isinstance(condition, list) and condition and all(map(_is_number, condition)):
            yield name, "in", tuple(condition)
        elif isinstance(condition, dict) and condition and set(condition) <= set(COMPARISONS):
            for comparison, operand in sorted(condition.items()):
                if not _is_number(operand) and not (isinstance(operand, str) and operand in given):
                    message = (
                        f"{QUOTE.repr(operand)} is neither a number nor a parameter of this sweep"
                    )
                    problems.append(Problem(f"{field}.{comparison}", message))
                yield name, comparison, operand
        else:
            message = f"a number, a list, or an object with {', '.join(COMPARISONS)}"
            problems.append(
                Problem(field, f"{QUOTE.repr(condition)} is not allowed; give {message}")
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


WITHIN: dict[int | str, type[BaseModel]] = {"sampling": SamplingRequest, "refine": RefineRequest}
IN_WORDS = {
    "tuple_type": "give a list",
    "dict_type": "give an object",
    "model_type": "give an object",
}


def problems_of(error: ValidationError, whole: type[BaseModel]) -> list[Problem]:
    """Return all that pydantic found wrong with a request, which is a `whole`, in our words."""
    return [_problem(dict(e), whole) for e in error.errors()[: MOST_TOLD + 1]]


def _problem(error: Mapping[str, Any], whole: type[BaseModel]) -> Problem:
    """Return one thing that pydantic found: field, message, what was given."""
    field = ".".join(str(part) for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        name = str(error["loc"][-1])
        within = whole
        if len(error["loc"]) > 1:
            within = WITHIN.get(error["loc"][0], Axis)
        return Problem(field, f"no field {name!r}; {did_you_mean(name, within.model_fields)}")
    if error["type"] == "missing":
        return Problem(field, "missing; give it")
    given = error.get("input")
    message = IN_WORDS.get(error["type"], message)
    if error["type"] != "value_error" and isinstance(given, str | int | float | None):
        message = f"{message} (given: {QUOTE.repr(given)})"
    return Problem(field, message)
