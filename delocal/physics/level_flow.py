"""How curves of <r> move with the size of a sample: critical points, and the growth of disorder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import ArrayLike
from scipy.optimize import curve_fit

from delocal.physics.powers import Array
from delocal.physics.thresholds import Estimate

NU_ORTHOGONAL = 1.571
"""Of the Anderson transition in d = 3: Slevin and Ohtsuki, New J. Phys. 16, 015012 (2014)."""
UNKNOWN = Estimate(float("nan"), float("nan"))


def crosses(
    x: ArrayLike, y: ArrayLike, stderr: ArrayLike, level: float, degree: int = 2
) -> Estimate:
    """Return where y(x) crosses a level, from a weighted fit of a parabola.

    Parameters
    ----------
    x, y, stderr
        Points of the curve around the level and their standard errors, shape (n,).
    level
        The value looked for.
    degree
        Of the polynomial, below n.

    Returns
    -------
    Estimate
        NaN where the fit does not cross between the smallest and the largest x. Of several
        crossings that with the steepest slope counts.

    Raises
    ------
    ValueError
        Too few points.

    Examples
    --------
    >>> crosses([1, 2, 3, 4], [0.1, 0.4, 0.9, 1.6], [0.01] * 4, 0.625).rounded
    '2.500(16)'
    """
    x, y, weight = np.asarray(x, float), np.asarray(y, float), 1 / np.asarray(stderr, float)
    if x.size <= degree:
        raise ValueError(f"{x.size} points do not fix a polynomial of degree {degree}; add some")
    middle = x.mean()
    powers = np.vander(x - middle, degree + 1, increasing=True)
    spread = np.linalg.inv((powers * weight[:, None] ** 2).T @ powers)
    fit = Polynomial(spread @ (powers * weight[:, None] ** 2).T @ y)
    roots = (fit - level).roots()
    real = roots.real[np.isreal(roots)]
    inside = real[(real >= x.min() - middle) & (real <= x.max() - middle)]
    if not inside.size:
        return UNKNOWN
    slopes = np.abs(fit.deriv()(inside))
    root, slope = inside[slopes.argmax()], slopes.max()
    at = root ** np.arange(degree + 1)
    return Estimate(float(middle + root), float(np.sqrt(at @ spread @ at) / slope))


def critical_point(
    x: ArrayLike, L: ArrayLike, y: ArrayLike, stderr: ArrayLike, nu: float = NU_ORTHOGONAL
) -> tuple[Estimate, float]:
    """Return x_c of the scaling law y = F((x - x_c) L**(1/nu)), and chi2 per degree of freedom.

    F is a cubic: curves of two sizes meet at a small angle, as both tend to the value of extended
    states, and where they cross is worse known than where all of them collapse. Corrections that
    vanish with the size are left out.

    Parameters
    ----------
    x, L, y, stderr
        Points around the critical one, of two or more sizes, shape (n,), n > 5.
    nu
        Exponent of the localization length.

    Raises
    ------
    ValueError
        Too few points.

    Examples
    --------
    >>> x, L = np.tile([0.8, 1.0, 1.2, 1.4], 2), np.repeat([8, 12], 4)
    >>> found, chi2 = critical_point(x, L, 0.5 + 0.1 * (x - 1.1) * L, [1e-3] * 8, nu=1)
    >>> round(found.value, 6), round(chi2, 6)
    (1.1, 0.0)
    """
    x, L, y, stderr = (np.asarray(values, float) for values in (x, L, y, stderr))
    if x.size <= 5:
        raise ValueError(f"{x.size} points do not fix a critical point and a cubic; add some")

    def law(_: Array, x_c: float, *coefficients: float) -> Array:
        return np.asarray(Polynomial(coefficients)((x - x_c) * L ** (1 / nu)))

    slope, start = np.polyfit((x - x.mean()) * L ** (1 / nu), y, 1)
    guess = [x.mean(), start, slope, 0.0, 0.0]
    found, spread = curve_fit(law, x, y, guess, sigma=stderr, absolute_sigma=True)
    chi2 = float((((y - law(x, *found)) / stderr) ** 2).sum() / (x.size - len(guess)))
    return Estimate(float(found[0]), float(np.sqrt(spread[0, 0]))), chi2


def growth_exponent(
    N: ArrayLike, W: Sequence[Estimate], logarithms: float = 0.0
) -> tuple[Estimate, float]:
    """Return the exponent gamma of W ~ N**gamma ln(N)**logarithms, and chi2 per degree of freedom.

    The disorder at which spins of alpha = beta on a line delocalize grows as N**(2 - alpha) by
    resonance counting, Gutman et al. (2016), Eq. (65) at T ~ W, and by one factor of ln N faster
    after Tikhonov and Mirlin (2018): `logarithms` = 1.

    Parameters
    ----------
    N
        Sizes, shape (n,).
    W
        The disorder at one value of <r> for each size.

    Examples
    --------
    >>> N = np.array([10, 12, 14, 16])
    >>> found, chi2 = growth_exponent(N, [Estimate(n**0.5 * np.log(n), 0.1) for n in N], 1.0)
    >>> round(found.value, 9), round(chi2, 9)
    (0.5, 0.0)
    """
    size = np.asarray(N, float)
    value = np.array([w.value for w in W])
    weight = value / np.array([w.stderr for w in W])
    x, y = np.log(size), np.log(value) - logarithms * np.log(np.log(size))
    mean = _mean(x, weight)
    spread = float((weight**2 * (x - mean) ** 2).sum())
    gamma = float((weight**2 * (x - mean) * y).sum() / spread)
    rest = y - gamma * (x - mean)
    rest = rest - _mean(rest, weight)
    chi2 = float((weight**2 * rest**2).sum() / max(size.size - 2, 1))
    return Estimate(gamma, spread**-0.5), chi2


def _mean(values: Array, weight: Array) -> float:
    return float((weight**2 * values).sum() / (weight**2).sum())
