"""Laws of the energy of a site, in units of the disorder W: box, Gaussian, Cauchy, or a table.

W is the full width of the box, the standard deviation of the Gaussian and the half width at half
maximum of the Cauchy law (Lorentzian), the usual choice for each. A table has its density at
energies in units of W, which can therefore be any scale of it.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.random import Generator
from scipy.special import erfc, gamma, spherical_jn

from delocal.physics.model import Option
from delocal.physics.powers import Array


@dataclass(frozen=True)
class SiteDisorder:
    """A law of x = e / W.

    Parameters
    ----------
    name
        As in options of models.
    characteristic
        Mean of exp(i k x), elementwise; it oscillates no faster than cos(k).
    reach
        k beyond which the characteristic function is left out.
    tapered
        Whether it decays so slowly that it must be cut off smoothly.
    inverse_moment
        Mean of abs(x)**(-2 s) for 0 < s < 1/2.
    sample
        Random x, as many as asked for.
    symmetric, dense
        Whether x and -x are as likely, and whether there is a density at 0.
    largest
        The largest density of a table; None for laws with a name.

    Examples
    --------
    >>> float(BOX.characteristic(np.array(2 * np.pi)).round(12))
    0.0
    """

    name: str
    characteristic: Callable[[Array], Array]
    reach: float
    tapered: bool
    inverse_moment: Callable[[float], float]
    sample: Callable[[Generator, int], Array]
    symmetric: bool = True
    dense: bool = True
    largest: float | None = None

    def transform(self, k: Array, reach: float) -> Array:
        """Return the characteristic function, cut off before `reach` if it decays slowly."""
        values = np.asarray(self.characteristic(k))
        return values * erfc(12.5 * (k / reach - 0.6)) / 2 if self.tapered else values


def _box(k: Array) -> Array:
    return np.asarray(np.sinc(k / (2 * np.pi)))


def _gaussian(k: Array) -> Array:
    return np.asarray(np.exp(-(k**2) / 2))


def _cauchy(k: Array) -> Array:
    return np.asarray(np.exp(-k))


def _inverse_box(s: float) -> float:
    return float(4**s / (1 - 2 * s))


def _inverse_gaussian(s: float) -> float:
    return float(2**-s * gamma(0.5 - s) / np.sqrt(np.pi))


def _inverse_cauchy(s: float) -> float:
    return float(1 / np.cos(np.pi * s))


def _sample_box(rng: Generator, number: int) -> Array:
    return rng.random(number) - 0.5


def _sample_gaussian(rng: Generator, number: int) -> Array:
    return rng.standard_normal(number)


def _sample_cauchy(rng: Generator, number: int) -> Array:
    return rng.standard_cauchy(number)


BOX = SiteDisorder("box", _box, 200.0, True, _inverse_box, _sample_box)
GAUSSIAN = SiteDisorder("gaussian", _gaussian, 9.0, False, _inverse_gaussian, _sample_gaussian)
CAUCHY = SiteDisorder("cauchy", _cauchy, 40.0, False, _inverse_cauchy, _sample_cauchy)

LAWS = {law.name: law for law in (BOX, GAUSSIAN, CAUCHY)}
LAW_OPTION = Option(
    "law",
    tuple(LAWS),
    "law of the energies of sites",
    parse=lambda given: checked_table(given),
    form="a table {x: [...], density: [...]} of its density at x = e / W",
)
LARGEST = 1e100
MOST_POINTS = 1000
"""Of a table; a law with so many is computed in seconds."""
MOST_VARIATION = 200.0
"""Of the density of a table; matrices grow with its root, and this takes half a minute."""


def law_of(option: str | Mapping[str, Sequence[float]]) -> SiteDisorder:
    """Return the law with a name of `LAWS`, or that of a table as `checked_table` returns it."""
    if isinstance(option, str):
        return LAWS[option]
    return tabulated(tuple(option["x"]), tuple(option["density"]))


def checked_table(given: Any) -> dict[str, list[float]]:
    """Return a table ``{"x": [...], "density": [...]}`` with a density of integral 1.

    Parameters
    ----------
    given
        A mapping with these two keys. ``x`` are energies in units of W, ascending, between -1 and
        1; between them the density is linear, outside it is 0. It need not be normalised.

    Raises
    ------
    ValueError
        If it is no such table.

    Examples
    --------
    >>> checked_table({"x": [-0.5, 0.5], "density": [3, 3]})
    {'x': [-0.5, 0.5], 'density': [1.0, 1.0]}
    """
    if not isinstance(given, Mapping) or set(given) != {"x", "density"}:
        raise ValueError("a table is a mapping of x and density, two lists of numbers")
    x, density = (_numbers(name, given[name]) for name in ("x", "density"))
    if len(x) != len(density):
        raise ValueError(f"x has {len(x)} and density {len(density)} numbers, not as many")
    if not (np.diff(x) > 0).all() or x[0] < -1 or x[-1] > 1:
        raise ValueError(
            "x must ascend and lie between -1 and 1; a wider law is the same with a larger W"
        )
    total = float(np.sum(np.diff(x) * (density[1:] + density[:-1]) / 2))
    if (density < 0).any() or not 0 < total < np.inf:
        raise ValueError("density must not be negative, nor zero everywhere")
    density = density / total
    variation = _variation(density)
    if not variation <= MOST_VARIATION:
        raise ValueError(
            f"density rises and falls by {variation:g} in all, more than {MOST_VARIATION:g}; "
            "widen x towards -1/2 and 1/2 with a smaller W, or smooth the steepest edges"
        )
    return {"x": x.tolist(), "density": density.tolist()}


def _variation(density: Array) -> float:
    """Return by how much a density rises and falls in all, 2 for a box of width 1."""
    return float(np.abs(np.diff(density, prepend=0.0, append=0.0)).sum())


def _numbers(name: str, given: Any) -> Array:
    """Return finite numbers from a list or array of 2 to `MOST_POINTS`."""
    if not isinstance(given, Sequence | np.ndarray) or isinstance(given, str):
        raise ValueError(f"{name} must be a list of numbers")
    if not 2 <= len(given) <= MOST_POINTS:
        raise ValueError(f"{name} has {len(given)} numbers, not 2 to {MOST_POINTS}")
    for value in given:
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not abs(value) < np.inf or abs(value) > LARGEST:
            raise ValueError(f"{name} must be a list of finite numbers, not {reprlib.repr(value)}")
    return np.array([float(value) for value in given])


@lru_cache(maxsize=64)
def tabulated(x: tuple[float, ...], density: tuple[float, ...]) -> SiteDisorder:
    """Return the law with a density that is linear between the points of a checked table.

    Examples
    --------
    >>> box = tabulated((-0.5, 0.5), (1.0, 1.0))
    >>> bool(abs(box.characteristic(np.array(3.0)) - BOX.characteristic(np.array(3.0))) < 1e-15)
    True
    >>> round(box.inverse_moment(0.3) / BOX.inverse_moment(0.3), 12)
    1.0
    """
    ends, p = np.array(x), np.array(density)
    middle, half = (ends[1:] + ends[:-1]) / 2, np.diff(ends) / 2
    mean, rise = (p[1:] + p[:-1]) / 2, np.diff(p)
    cumulated = np.append(0.0, np.cumsum(2 * half * mean))
    symmetric = np.allclose(ends, -ends[::-1], atol=1e-12) and np.allclose(p, p[::-1], rtol=1e-9)

    def characteristic(k: Array) -> Any:
        total = np.zeros(np.shape(k), np.complex128)
        for c, h, m, dp in zip(middle, half, mean, rise, strict=True):
            smooth = 2 * h * m * spherical_jn(0, k * h) + 1j * h * dp * spherical_jn(1, k * h)
            total += np.exp(1j * k * c) * smooth
        return total.real if symmetric else total

    def inverse_moment(s: float) -> float:
        def upto(y: Array, at_zero: Array, slope: Array) -> Array:
            r = np.abs(y)
            plain, linear = r ** (1 - 2 * s) / (1 - 2 * s), r ** (2 - 2 * s) / (2 - 2 * s)
            return np.asarray(np.sign(y) * at_zero * plain + slope * linear)

        slope = rise / (2 * half)
        at_zero = mean - slope * middle
        return float(np.sum(upto(ends[1:], at_zero, slope) - upto(ends[:-1], at_zero, slope)))

    def sample(rng: Generator, number: int) -> Array:
        u = rng.random(number) * cumulated[-1]
        n = np.minimum(np.searchsorted(cumulated, u, side="right") - 1, half.size - 1)
        q = (u - cumulated[n]) / (2 * half[n])
        root = np.sqrt(np.maximum(p[n] ** 2 + 2 * rise[n] * q, 0.0))
        part = 2 * q / np.where(q > 0, p[n] + root, 1.0)
        return np.asarray(ends[n] + 2 * half[n] * np.minimum(part, 1.0))

    # As many oscillations of each edge as are followed for the box, whose density varies by 2.
    reach = BOX.reach / 2 * _variation(p)
    at_zero = float(np.interp(0.0, ends, p, left=0.0, right=0.0))
    return SiteDisorder(
        "table",
        characteristic,
        reach,
        True,
        inverse_moment,
        sample,
        symmetric=bool(symmetric),
        dense=at_zero > 0,
        largest=float(p.max()),
    )
