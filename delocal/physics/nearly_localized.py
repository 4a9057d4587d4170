"""The linewidth Gamma of a nearly localized metal, Gopalakrishnan and Nandkishore (2014), Sec. V.

Each dot decays into a bath that is made of dots like itself, so that Gamma solves Gamma = Gamma
F(Gamma), Eq. (19). Gamma = 0 always does; the metal is where F(Gamma) = 1 has a root besides.

How many roots there are is a theorem wherever possible, and a scan elsewhere:

* Where no n_fast is negative and none saturates, F decreases: one root if F(0) > 1, else none.
* (E2) and (E3) have n_fast < 0 at small m if d is odd. In u = Gamma**2, F - 1 is a sum of Cauchy
  kernels a/(1 + u b); it has no more positive roots than the a have changes of sign in order of b
  (total positivity), which is one if each negative term has a smaller b than each positive.
* With saturation, the term with n = s N ln**d(gamma/Gamma) grows with Gamma only where
  ln(gamma/Gamma) < d/2 and n > 1: Gamma is then comparable to gamma, against Eq. (27). There F is
  scanned, and the largest root taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from delocal.physics.coupled_dots import Cells, CoupledDots
from delocal.physics.decay_kernels import Bounds, Terms, ln_sum, plain_sum, tabulate
from delocal.physics.decay_terms import Variant, variant_of
from delocal.physics.model import Status
from delocal.physics.powers import Array, LogArray
from delocal.physics.solve import Solution, count_roots, find_root

CELLS_TIMES_TERMS = 200_000
"""Size of the tables that are worked on at a time; they stay in the cache of a core."""
SCANNED = 64
"""Points at which F is looked at where it may have several roots."""


@dataclass(frozen=True)
class Linewidth:
    """What became of a solve, cell by cell.

    Parameters
    ----------
    Gamma
        The largest nontrivial root, 0 where there is none; NaN where it was not found.
    gain
        F(0), the factor by which Eq. (19) multiplies an infinitesimal Gamma.
    roots
        Number of nontrivial roots.
    residual
        ln F(Gamma); 0 where Gamma = 0, which solves Eq. (19) exactly.
    status
        `Status.DONE`, also where localized; `Status.NOT_CONVERGED`.
    """

    Gamma: LogArray
    gain: Array
    roots: NDArray[np.int64]
    residual: Array
    status: NDArray[np.int8]

    @property
    def metal(self) -> NDArray[np.bool_]:
        """Where there is a nontrivial root."""
        return np.asarray(self.roots > 0)


def decay_sum(dots: CoupledDots, Gamma: ArrayLike, variant: str = "E3") -> Array:
    """Return F(Gamma), the sum in Eq. (19): Gamma solves the theory where it is 1.

    ::

        F = gamma**2 sum_m c(m) K**(2 m eps) n_fast / (1 + (Gamma n_fast K**m)**2)

    Slow and obvious, the judge of `linewidth`: no K**(4N) may exceed 1e308.

    Parameters
    ----------
    dots
        The dots, with integer N.
    Gamma
        Linewidth over delta_m, at least 0; broadcasts against `dots`.
    variant
        One of `decay_terms.VARIANTS`.

    Returns
    -------
    Array
        F, of the shape to which all broadcast.

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eqs. (19), (20), (E1) to (E3). Eq. (18) prints the
    detuning as K**-(m+n); it is K**-(n+p).

    Examples
    --------
    >>> dots = CoupledDots.of(eps=0.3, gamma=0.1)
    >>> root = linewidth(dots).Gamma.value
    >>> float(decay_sum(dots, root).round(12))
    1.0
    """
    form = variant_of(variant)
    shape = np.broadcast_shapes(dots.shape, np.shape(Gamma))
    cells = dots.cells(shape)
    widths = np.broadcast_to(np.asarray(Gamma, dtype=np.float64), shape).ravel()
    return np.asarray(plain_sum(widths, cells, form, form.terms(cells.N))).reshape(shape)


def linewidth(dots: CoupledDots, variant: str = "E3") -> Linewidth:
    """Return Gamma, the typical width of a local spectral line; the conductivity follows it.

    The nontrivial root of F(Gamma) = 1, for each cell by itself: bit for bit the same however
    cells are laid out.

    Parameters
    ----------
    dots
        The dots, with integer N.
    variant
        One of `decay_terms.VARIANTS`.

    Returns
    -------
    Linewidth
        In units of delta_m, of the shape of `dots`. Where F(0) <= 1: Gamma = 0, localized.
        `NOT_CONVERGED` if Gamma lies 150 decades below its upper bound, which takes K**N > 1e150.

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eqs. (19), (20); Fig. 8 is ``variant="E3"``.

    Examples
    --------
    >>> found = linewidth(CoupledDots.of(eps=[-0.3, 0.3], gamma=0.1))
    >>> found.Gamma.value.round(9).tolist()
    [0.0, 0.003919768]
    """
    form, cells = variant_of(variant), dots.cells()
    found = [_solve(form, cells.some(some)) for some in _portions(form.terms(cells.N))]

    def joined(arrays: Iterable[NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([*arrays]).reshape(dots.shape)

    return Linewidth(
        LogArray(joined(f.Gamma.ln for f in found)),
        joined(f.gain for f in found),
        joined(f.roots for f in found),
        joined(f.residual for f in found),
        joined(f.status for f in found),
    )


def _portions(terms: NDArray[np.int64]) -> Iterator[slice]:
    """Yield runs of cells whose tables are small; one run if there is no cell."""
    step = max(1, CELLS_TIMES_TERMS // int(terms.max(initial=1)))
    yield from (slice(start, start + step) for start in range(0, max(terms.size, 1), step))


def _solve(form: Variant, cells: Cells) -> Linewidth:
    """Solve for a run of cells."""
    number = form.terms(cells.N)
    p, q, r, n = (np.empty((number.size, number.max(initial=1))) for _ in range(4))
    terms = Terms(p, q, r, n, number)
    bounds = Bounds(*(np.empty(number.size) for _ in range(5)))
    tabulate(cells, form, terms, bounds)

    def ln_F(x: Array, cell: NDArray[np.int64]) -> Array:
        x, cell = np.asarray(x), np.asarray(cell)
        flat = ln_sum(x.ravel(), cell.ravel(), terms, bounds.high, cells, form)
        return np.asarray(flat).reshape(x.shape)

    roots = (bounds.gain > 1).astype(np.int64)
    low, high = bounds.low.copy(), bounds.high.copy()
    scanned = np.flatnonzero(bounds.scan_from < bounds.scan_to)
    if scanned.size:
        roots[scanned], low[scanned], high[scanned] = _scan(ln_F, bounds, scanned)
    one = np.flatnonzero(roots > 0)
    return _linewidth(bounds.gain, roots, one, find_root(ln_F, low[one], high[one], one))


def _scan(ln_F: Any, bounds: Bounds, cells: NDArray[np.int64]) -> tuple[Any, Array, Array]:
    """Return the number of roots and the ends of a step that holds the largest."""

    def place(step: Array, cell: NDArray[np.int64]) -> Array:
        start, end = bounds.scan_from[cell], bounds.scan_to[cell]
        inside = start + (step - 1) * ((end - start) / SCANNED)
        inside = np.where(step > SCANNED, end, inside)
        return np.where(
            step < 1, bounds.low[cell], np.where(step > SCANNED + 1, bounds.high[cell], inside)
        )

    number, low, high = count_roots(
        lambda step, cell: ln_F(place(step, cell), cell), np.arange(SCANNED + 3.0), cells
    )
    return number, place(low, cells), place(high, cells)


def _linewidth(gain: Array, roots: Any, metal: Any, solution: Solution) -> Linewidth:
    """Put the roots where they belong."""
    ln, residual = np.full(gain.shape, -np.inf), np.zeros(gain.shape)
    status = np.full(gain.shape, Status.DONE, np.int8)
    ln[metal], residual[metal] = solution.value, solution.residual
    status[metal] = np.where(solution.done, Status.DONE, Status.NOT_CONVERGED)
    return Linewidth(LogArray(ln), gain, roots, residual, status)
