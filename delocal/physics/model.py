"""What it means to be sweepable: a model names its parameters, its variables and one function."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from delocal.physics.papers import Paper

Arrays = Mapping[str, NDArray[Any]]
Replicate = Callable[
    [Mapping[str, float], Mapping[str, Any], np.random.Generator, "CancelToken"],
    dict[str, Any],
]
CancelToken = Callable[[], bool]
Evaluate = Callable[[Arrays, Mapping[str, Any]], dict[str, NDArray[Any]]]
Derive = Callable[[Mapping[str, float], Arrays], dict[str, NDArray[Any]]]
Kind = Literal["closed-form", "self-consistent", "monte-carlo"]


class Cancelled(Exception):
    """The caller said so; whoever was asked `cancelled()` raises it where it cannot just stop."""


def never() -> bool:
    """Return False: the token of work that nobody will cancel."""
    return False


class Status(IntEnum):
    """What became of one cell of a sweep; a failure is a result."""

    NOT_COMPUTED = 0
    DONE = 1
    OUTSIDE_DOMAIN = 2
    NOT_CONVERGED = 3
    FAILED = 4
    CANCELLED = 5
    EXCLUDED = 6

    @property
    def label(self) -> str:
        """The name used in counts and attributes, such as ``outside_domain``."""
        return self.name.lower()


@dataclass(frozen=True)
class Parameter:
    """One parameter of a model.

    Parameters
    ----------
    name, long_name, units
        The letter of the paper, its meaning, and its unit in words ("1" if dimensionless).
    minimum, maximum
        Bounds of the allowed values; a bound is excluded from them where `open_bounds` is set.
    integer
        Whether only whole numbers are allowed.
    default
        Value where a request gives none; None makes the parameter required.
    optional
        The parameter may be left out altogether; variables that need it are then absent.
    """

    name: str
    long_name: str
    units: str
    minimum: float = -np.inf
    maximum: float = np.inf
    open_bounds: bool = False
    integer: bool = False
    default: float | None = None
    optional: bool = False

    @classmethod
    def positive(
        cls,
        name: str,
        long_name: str,
        units: str,
        default: float | None = None,
        *,
        optional: bool = False,
    ) -> Parameter:
        """Return a parameter of which any positive number is allowed.

        Examples
        --------
        >>> Parameter.positive("T", "temperature", "energy").allowed
        'finite number, 0 < T'
        """
        return cls(name, long_name, units, 0, np.inf, True, False, default, optional)

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        below, above = ("<", "<") if self.open_bounds else ("<=", "<=")
        lower = f"{self.minimum:g} {below} " if self.minimum > -np.inf else ""
        upper = f" {above} {self.maximum:g}" if self.maximum < np.inf else ""
        number = "whole number" if self.integer else "finite number"
        return f"{number}, {lower}{self.name}{upper}" if lower or upper else f"any {number}"

    def accepts(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether each of the `values` is finite, within the bounds, and whole if need be."""
        inside = np.isfinite(values)
        if self.open_bounds:
            inside &= (values > self.minimum) & (values < self.maximum)
        else:
            inside &= (values >= self.minimum) & (values <= self.maximum)
        if self.integer:
            inside &= np.asarray(values) == np.round(values)
        return np.asarray(inside)


NO_YES = {"no": 0, "yes": 1}
"""The meanings of a flag that answers a question."""


@dataclass(frozen=True)
class Variable:
    """One variable of a model's dataset.

    Parameters
    ----------
    name, long_name, units
        As in the dataset; units in words, with the convention hbar = k_B = 1.
    equation
        Where it comes from, for instance ``Gutman et al. (2016), Eq. (77)``.
    depends
        The parameters that it depends on; None means all. A variable that does not depend on
        an axis has no such dimension.
    dims
        Extra trailing dimensions; their coordinates stand in `Model.coordinates`.
    dtype
        Type on disk: ``float64``, ``int8`` for flags, ``int64`` for counts.
    flags
        Meaning by value, for a flag variable.
    needs
        The optional parameter without which the variable does not exist.
    comment
        What a reader must know before using it.
    estimated
        Whether it is a Monte Carlo estimate, one number for each replica.
    derived
        Whether it follows from the means of estimates, see `Model`.
    reproducible
        Whether it is the same in every run; what it cost to compute is not.
    """

    name: str
    long_name: str
    units: str = "1"
    equation: str = ""
    depends: tuple[str, ...] | None = None
    dims: tuple[str, ...] = ()
    dtype: Literal["float64", "int64", "int8"] = "float64"
    flags: Mapping[str, int] | None = None
    needs: str | None = None
    comment: str = ""
    estimated: bool = False
    derived: bool = False
    reproducible: bool = True

    @classmethod
    def flag(
        cls,
        name: str,
        long_name: str,
        equation: str = "",
        flags: Mapping[str, int] | type[IntEnum] = NO_YES,
        *,
        depends: tuple[str, ...] | None = None,
        needs: str | None = None,
        comment: str = "",
    ) -> Variable:
        """Return a variable whose values are the `flags`; by default the answer to a question.

        Examples
        --------
        >>> Variable.flag("valid", "whether all assumptions hold").attributes["flag_meanings"]
        'no yes'
        """
        meanings = flags if isinstance(flags, Mapping) else {m.name: int(m) for m in flags}
        return cls(name, long_name, "1", equation, depends, (), "int8", meanings, needs, comment)

    @property
    def log10(self) -> Variable:
        """The decimal logarithm of the variable, finite where the variable itself underflows.

        Examples
        --------
        >>> twin = Variable("kappa", "thermal conductivity", "energy").log10
        >>> twin.name, twin.long_name, twin.units
        ('log10_kappa', 'decimal logarithm of the thermal conductivity', 'lg(energy)')
        """
        return replace(
            self,
            name=f"log10_{self.name}",
            long_name=f"decimal logarithm of the {self.long_name}",
            units="1" if self.units == "1" else f"lg({self.units})",
        )

    @property
    def attributes(self) -> dict[str, Any]:
        """CF attributes of the variable."""
        attributes: dict[str, Any] = {"long_name": self.long_name, "units": self.units}
        if self.equation:
            attributes["equation"] = self.equation
        if self.comment:
            attributes["comment"] = self.comment
        if self.flags is not None:
            attributes["flag_values"] = list(self.flags.values())
            attributes["flag_meanings"] = " ".join(self.flags)
        return attributes


STATUS = Variable(
    "status",
    "what became of the cell",
    dtype="int8",
    flags={status.label: int(status) for status in Status},
)


@dataclass(frozen=True)
class Option:
    """A choice that is not swept.

    Parameters
    ----------
    name, description
        What is chosen.
    choices
        Its allowed values, the first being the default.
    parse
        Turns something else that was given into a value of JSON; ValueError says what is wrong
        with it.
    form
        What `parse` takes, in words.
    """

    name: str
    choices: tuple[Any, ...]
    description: str
    parse: Callable[[Any], Any] | None = None
    form: str = ""

    def accept(self, given: Any) -> Any:
        """Return the value meant; ValueError if it is none."""
        if isinstance(given, Hashable) and given in self.choices:
            return self.choices[self.choices.index(given)]
        if self.parse is not None and not isinstance(given, Hashable):
            return self.parse(given)
        other = f", nor {self.form}" if self.form else ""
        raise ValueError(
            f"{reprlib.repr(given)} is not one of {', '.join(map(str, self.choices))}{other}"
        )


@dataclass(frozen=True)
class Model:
    """A sweepable model.

    `evaluate(parameters, options)` takes arrays that broadcast against each other, one for
    each parameter given, and returns one array for each variable that exists for them. A
    result broadcasts against the parameters; a variable with extra `dims` has them last. It
    never raises for a point outside the domain: such a cell is NaN with a status.

    A Monte Carlo model also has `replicate(point, options, rng, cancelled)`: one independent
    estimate at one point, from the random numbers of `rng` alone, as one number (or an array
    over the extra dims) for each variable that is `estimated`, and optionally a `status`. Long
    work asks `cancelled()` now and then. Its `evaluate` gives the variables that are exact. A
    function of means, such as a ratio, is not the mean of the function: `derive(point, known)`
    computes such variables from the means of the estimates and the exact variables, elementwise
    along a first axis; their standard error is that of the jackknife.

    Parameters
    ----------
    name, version
        The version is part of a cell's identity: raise it whenever a number changes.
    kind
        ``closed-form``, ``self-consistent`` or ``monte-carlo``.
    reference
        Where the theory is from, in words.
    papers
        What a reader of its results has to cite; if it is empty, `reference` is cited.
    seconds_per_cell
        Rough cost of a cell, or of one replica; it sizes blocks, the engine measures the rest.
    coordinates
        Labels, or numbers, along each extra dimension.
    target
        The estimated or derived variable whose relative error is meant where a request sets one.
    """

    name: str
    version: str
    kind: Kind
    title: str
    reference: str
    parameters: tuple[Parameter, ...]
    variables: tuple[Variable, ...]
    evaluate: Evaluate
    options: tuple[Option, ...] = ()
    replicate: Replicate | None = None
    derive: Derive | None = None
    target: str = ""
    coordinates: Mapping[str, tuple[str, ...] | tuple[float, ...]] = field(default_factory=dict)
    seconds_per_cell: float = 1e-6
    papers: tuple[Paper, ...] = ()

    def parameter(self, name: str) -> Parameter:
        """Return the parameter called `name`; KeyError if there is none."""
        return {parameter.name: parameter for parameter in self.parameters}[name]

    def variables_for(self, given: frozenset[str] | set[str]) -> tuple[Variable, ...]:
        """Return the variables that exist when the parameters `given` are."""
        return tuple(v for v in self.variables if v.needs is None or v.needs in given)
