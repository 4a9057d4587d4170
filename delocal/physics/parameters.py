"""The power-law spin model, Gutman et al. (2016), Eq. (1): its parameters in one place."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Generic

import numpy as np
from numpy.typing import ArrayLike

from delocal.physics.model import Parameter
from delocal.physics.powers import Array, LogArray, PowerLaw, Quantity

RANGES = ("d", "alpha", "beta")
SCALED_BY = ("T", "W", "t", "V", "rho")


@dataclass(frozen=True)
class SpinModel(Generic[Quantity]):
    """Spins with random fields, hopping t/r**alpha and interaction V/r**beta.

    ::

        H = sum_i e_i Sz_i + sum_ij t_ij / r_ij**alpha (S+_i S-_j + h.c.)
                           + sum_ij V_ij / r_ij**beta Sz_i Sz_j

    The e_i are uniform in (-W/2, W/2) and the positions uniform with density rho in d
    dimensions. hbar = k_B = 1: T, W are energies, t and V are energies times length**alpha and
    length**beta; lengths are in units of rho**(-1/d) when rho = 1.

    Parameters
    ----------
    d, alpha, beta
        Dimension and the two ranges: float64 arrays, or `Fraction` where exponents are to be
        exact.
    T, W, t, V, rho
        Temperature, disorder, hopping, interaction, density: `LogArray` for numbers,
        `PowerLaw` for exponents.
    """

    d: Array  # or Fraction, which does the same arithmetic
    alpha: Array
    beta: Array
    T: Quantity
    W: Quantity
    t: Quantity
    V: Quantity
    rho: Quantity

    @cached_property
    def D(self) -> Array:
        """(alpha + beta) d - alpha beta: pseudo-spins form a network where D > 0, Eq. (11)."""
        return (self.alpha + self.beta) * self.d - self.alpha * self.beta

    @cached_property
    def X(self) -> Array:
        """2 alpha beta - d (alpha + beta): E*/T ~ T**(X/D), below Eq. (24)."""
        return 2 * self.alpha * self.beta - self.d * (self.alpha + self.beta)


SPIN_PARAMETERS = (
    Parameter("d", "dimension of space", "1", minimum=1, maximum=3, integer=True),
    Parameter.positive("alpha", "exponent of the hopping, t/r**alpha", "1"),
    Parameter.positive("beta", "exponent of the interaction, V/r**beta", "1"),
    Parameter.positive("T", "temperature", "energy"),
    Parameter.positive("W", "disorder", "energy"),
    Parameter.positive("t", "hopping", "energy length**alpha", default=0.02),
    Parameter.positive("V", "interaction", "energy length**beta", default=0.02),
    Parameter.positive("rho", "density of spins", "length**(-d)", default=1.0),
    Parameter.positive("L", "size of the sample", "length", optional=True),
)
"""The parameters of the power-law spin model, for the models that are swept over them."""


def spin_parameters(*names: str) -> tuple[Parameter, ...]:
    """Return the parameters with these `names`, in the order of `SPIN_PARAMETERS`."""
    return tuple(p for p in SPIN_PARAMETERS if p.name in names)


def spin_model(
    d: ArrayLike,
    alpha: ArrayLike,
    beta: ArrayLike,
    T: ArrayLike,
    W: ArrayLike = 1.0,
    t: ArrayLike = 0.02,
    V: ArrayLike = 0.02,
    rho: ArrayLike = 1.0,
) -> SpinModel[LogArray]:
    """Return the model with numbers for its parameters; arrays broadcast."""
    d, alpha, beta = (np.asarray(value, dtype=np.float64) for value in (d, alpha, beta))
    return SpinModel(d, alpha, beta, *(LogArray.of(quantity) for quantity in (T, W, t, V, rho)))


def power_laws(d: Any, alpha: Any, beta: Any) -> SpinModel[PowerLaw]:
    """Return the model whose quantities are their own exponents in (T, W, t, V, rho).

    Exact where d, alpha and beta are `int` or `Fraction`; else exponents are float64 arrays.

    Examples
    --------
    >>> p = power_laws(2, 3, Fraction(5, 2))
    >>> (p.t / p.W**p.beta).of
    {'t': Fraction(1, 1), 'W': Fraction(-5, 2)}
    """
    if all(isinstance(value, int | Fraction) for value in (d, alpha, beta)):
        ranges: tuple[Any, ...] = (Fraction(d), Fraction(alpha), Fraction(beta))
        one: Fraction | float = Fraction(1)
    else:
        ranges = tuple(np.asarray(value, dtype=np.float64) for value in (d, alpha, beta))
        one = 1.0
    return SpinModel(*ranges, *(PowerLaw.variable(name, one) for name in SCALED_BY))


def exact(value: Any) -> Fraction:
    """Return the rational number that `value` stands for.

    A `Fraction`, a whole number or a string such as ``"31/10"`` is itself. A float is a simple
    fraction within a relative 1e-12 of it, the distance within which the borders of the phase
    diagram count as met: 3.1 and the 3.1000000000000005 that adding up steps leaves both mean
    31/10.

    Examples
    --------
    >>> exact(3.1), exact(1 / 3), exact("31/10")
    (Fraction(31, 10), Fraction(1, 3), Fraction(31, 10))
    """
    if isinstance(value, int | Fraction | str):
        return Fraction(value)
    given = Fraction(float(value))
    candidates = (given.limit_denominator(10**digits) for digits in range(1, 20))
    return next(near for near in candidates if abs(near - given) <= abs(given) / 10**12)
