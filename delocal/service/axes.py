"""The axes of a request: how the values of one parameter may be written."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from reprlib import Repr
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, model_validator

from delocal.service.errors import Problem, did_you_mean

MAX_POINTS = 1_000_000  # of one axis; unlike cells, they are listed
QUOTE = Repr()
QUOTE.maxlevel = 2  # of lists in lists, in a message
FORMS = ("list", "linspace", "logspace", "geomspace", "like")


def plain_number(value: Any) -> Any:
    """Return a number of numpy as one of Python; True and False are no numbers."""
    if isinstance(value, bool | np.bool_):
        raise ValueError(f"{value} is not a number")
    return value.item() if isinstance(value, np.generic) else value


Number = Annotated[FiniteFloat, BeforeValidator(plain_number)]
Whole = Annotated[int, BeforeValidator(plain_number)]
Points = Annotated[Whole, Field(ge=1, le=MAX_POINTS)]
Range = tuple[Number, Number, Points]


class Axis(BaseModel):
    """The values of one parameter, in exactly one form; a plain list is taken as ``list``.

    ``linspace`` and ``geomspace`` are [first, last, number]; ``logspace`` gives decimal
    exponents. ``like`` copies another axis; ``along`` puts this parameter's own values on the
    dimension of another, point by point (zipped).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    list: tuple[Number, ...] | None = None
    linspace: Range | None = None
    logspace: Range | None = None
    geomspace: Range | None = None
    like: str | None = Field(default=None, min_length=1)
    along: str | None = Field(default=None, min_length=1)

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

    @property
    def size(self) -> int:
        """Number of values of an axis that has its own, without listing them."""
        if self.list is not None:
            return len(self.list)
        given = self.linspace or self.logspace or self.geomspace
        assert given is not None
        return given[2]

    def values(self) -> tuple[float, ...]:
        """Return the values of an axis that has its own; infinite where they overflow."""
        if self.list is not None:
            return self.list
        with np.errstate(all="ignore"):
            if self.linspace is not None:
                return _floats(np.linspace(*self.linspace))
            if self.logspace is not None:
                return _floats(np.logspace(*self.logspace))
            assert self.geomspace is not None
            return _floats(np.geomspace(*self.geomspace))


def _as_axis(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return {"list": value}
    if isinstance(value, Axis | dict):
        return value
    if isinstance(value, Real):
        raise ValueError(f"{value} is one number; put it under `fixed`, or write [{value}]")
    raise ValueError(f"give a list of numbers, or an object with one of {', '.join(FORMS)}")


AxisInput = Annotated[
    Axis, BeforeValidator(_as_axis, json_schema_input_type=Axis | tuple[Number, ...])
]


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(values.tolist())


def zip_onto(
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
    if axis.along and axis.size != own[leader].size:
        message = f"{axis.size} values along {leader!r}, which has {own[leader].size}"
        problems.append(Problem(f"axes.{name}", f"{message}; zipped axes are equally long"))
        return
    found[leader][name] = found[leader][leader] if axis.like else axis.values()
