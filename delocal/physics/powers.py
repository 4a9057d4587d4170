"""Positive quantities that scale as products of powers, and their exact exponents.

The scaling theory is made of products of powers without prefactors. Each formula is written
once, in the paper's letters, and evaluated on either of two kinds of operand:

* `LogArray` holds numbers by their logarithm, so that 1e-1190 is an ordinary value;
* `PowerLaw` holds exponents, so that the same formula yields d ln X / d ln T exactly
  when the exponents are `fractions.Fraction`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Exponent = Array | Fraction | float | int


@dataclass(frozen=True, slots=True)
class LogArray:
    """A positive quantity, held by its natural logarithm so that nothing under- or overflows.

    Parameters
    ----------
    ln
        Natural logarithm of the quantity, an array of any shape.

    Examples
    --------
    >>> tiny = LogArray.of(1e-300) ** 4
    >>> float(tiny.log10.round(9)), float(tiny.value)
    (-1200.0, 0.0)
    """

    ln: Array

    @classmethod
    def of(cls, values: ArrayLike) -> LogArray:
        """Return the quantity with the given `values`, positive or 0."""
        with np.errstate(divide="ignore"):
            return cls(np.log(np.asarray(values, dtype=np.float64)))

    @classmethod
    def where_positive(cls, values: ArrayLike) -> LogArray:
        """Return the quantity with the given `values`, NaN where they are not positive."""
        values = np.asarray(values, dtype=np.float64)
        return cls.of(np.where(values > 0, values, np.nan))

    @property
    def log10(self) -> Array:
        """Decimal logarithm."""
        return np.asarray(self.ln * (1.0 / math.log(10.0)))

    @property
    def value(self) -> Array:
        """The quantity itself: 0 or inf where float64 cannot hold it."""
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(np.exp(self.ln))

    def __mul__(self, other: LogArray) -> LogArray:
        return LogArray(self.ln + other.ln)

    def __truediv__(self, other: LogArray) -> LogArray:
        return LogArray(self.ln - other.ln)

    def __pow__(self, power: Any) -> LogArray:
        return LogArray(self.ln * power)

    def sqrt(self) -> LogArray:
        """Return the square root."""
        return LogArray(self.ln / 2)

    def at_most_one(self) -> LogArray:
        """Return min{1, the quantity}."""
        return LogArray(np.minimum(self.ln, 0.0))

    def plus_one(self) -> LogArray:
        """Return 1 + the quantity."""
        return LogArray(np.maximum(self.ln, 0.0) + np.log1p(np.exp(-np.abs(self.ln))))

    def minus_one(self) -> LogArray:
        """Return the quantity less one, without cancellation; NaN where that is not positive."""
        return LogArray(self.ln) * LogArray.where_positive(-np.expm1(-self.ln))


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """The exponents of a product of powers: X ~ T**of["T"] * W**of["W"] * ...

    Parameters
    ----------
    of
        Exponent by the name of what is raised to it; absent means 0. Fractions stay exact,
        arrays of float64 broadcast; the two do not mix.

    Examples
    --------
    >>> T, W = PowerLaw.variable("T"), PowerLaw.variable("W")
    >>> ((T / W**2) ** Fraction(-1, 3)).of
    {'T': Fraction(-1, 3), 'W': Fraction(2, 3)}
    """

    of: Mapping[str, Exponent]

    @classmethod
    def variable(cls, name: str, one: Exponent = Fraction(1)) -> PowerLaw:
        """Return the power law of `name` itself; `one` sets the kind of its exponents."""
        return cls({name: one})

    def __mul__(self, other: PowerLaw) -> PowerLaw:
        return self._combine(other, +1)

    def __truediv__(self, other: PowerLaw) -> PowerLaw:
        return self._combine(other, -1)

    def __pow__(self, power: Any) -> PowerLaw:
        return PowerLaw({name: exponent * power for name, exponent in self.of.items()})

    def sqrt(self) -> PowerLaw:
        """Return the square root."""
        return PowerLaw({name: exponent / 2 for name, exponent in self.of.items()})

    def _combine(self, other: PowerLaw, sign: int) -> PowerLaw:
        total = dict(self.of)
        for name, exponent in other.of.items():
            total[name] = total.get(name, 0) + sign * exponent  # type: ignore[operator]
        return PowerLaw(total)


Quantity = TypeVar("Quantity", LogArray, PowerLaw)
