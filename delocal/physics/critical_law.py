"""How the linewidth vanishes: exp(-a / distance**p), Gopalakrishnan and Nandkishore (2014).

They read p = 1/3 off a figure, Eqs. (2), (22), (30). It is an effective exponent of a window of
Gamma. With a finite number of levels F of Eq. (19) is smooth in Gamma**2, so that in the end
Gamma ~ distance**(1/2), and -1/ln Gamma has no exponent at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

from delocal.physics.powers import Array, LogArray


@dataclass(frozen=True)
class CriticalLaw:
    """A fit of ``-1/ln Gamma = amplitude (Xi - Xi_c)**exponent``.

    Parameters
    ----------
    exponent, Xi_c, amplitude
        Of the best fit.
    rms
        Relative deviation, root mean square.
    """

    exponent: float
    Xi_c: float
    amplitude: float
    rms: float

    def linewidth(self, Xi: ArrayLike) -> LogArray:
        """Return Gamma of the law; 0 at and below Xi_c.

        Examples
        --------
        >>> law = CriticalLaw(exponent=1 / 3, Xi_c=0.5, amplitude=0.5, rms=0.0)
        >>> float(law.linewidth(1.5).ln.round(12))
        -2.0
        """
        above = np.maximum(np.asarray(Xi, dtype=np.float64) - self.Xi_c, 0.0)
        with np.errstate(divide="ignore"):
            return LogArray(np.asarray(-1 / (self.amplitude * above**self.exponent)))


def fit_critical_law(Xi: ArrayLike, Gamma: LogArray, exponent: float | None = None) -> CriticalLaw:
    """Return the law that fits best, with a free or a given `exponent`.

    Linear least squares for ln(-1/ln Gamma) at each Xi_c below the smallest Xi, and a search for
    the best Xi_c. The points must not be collinear; at least 3, with Gamma < 1.

    Examples
    --------
    >>> law = CriticalLaw(exponent=1 / 3, Xi_c=0.4, amplitude=0.2, rms=0.0)
    >>> Xi = np.linspace(0.45, 0.9, 20)
    >>> found = fit_critical_law(Xi, law.linewidth(Xi))
    >>> round(found.exponent, 6), round(found.Xi_c, 6)
    (0.333333, 0.4)
    """
    x, y = np.asarray(Xi, dtype=np.float64), np.log(-1 / Gamma.ln)
    first, span = float(x.min()), float(np.ptp(x))

    def law(ln_gap: float) -> CriticalLaw:
        ln_x = np.log(x - first + np.exp(ln_gap))
        slope = exponent if exponent is not None else _slope(ln_x, y)
        offset = float(np.mean(y - slope * ln_x))
        rms = float(np.sqrt(np.mean(np.expm1(slope * ln_x + offset - y) ** 2)))
        return CriticalLaw(float(slope), first - float(np.exp(ln_gap)), float(np.exp(offset)), rms)

    grid = np.log(span) + np.linspace(-12.0, 2.0, 113)
    best = int(np.argmin([law(ln_gap).rms for ln_gap in grid]))
    inside = (grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)])
    found = minimize_scalar(
        lambda ln_gap: law(ln_gap).rms, bounds=inside, method="bounded", options={"xatol": 1e-9}
    )
    return law(float(found.x))


def local_exponent(Xi: ArrayLike, Gamma: LogArray, Xi_c: float) -> Array:
    """Return d ln(-1/ln Gamma) / d ln(Xi - Xi_c) between neighbouring points."""
    ln_x = np.log(np.asarray(Xi, dtype=np.float64) - Xi_c)
    return np.asarray(np.diff(np.log(-1 / Gamma.ln)) / np.diff(ln_x))


def _slope(x: Array, y: Array) -> float:
    centred = x - x.mean()
    return float((centred * y).sum() / (centred * centred).sum())
