"""Search along one parameter, in all cells at once: bracket by bracket, whatever the block.

An exact variable is bracketed and the bracket is divided by the ITP method, which takes as many
steps as bisection at worst and far fewer where the variable is smooth. A flag is bisected.

References
----------
I. F. D. Oliveira and R. H. C. Takahashi, ACM Trans. Math. Softw. 47, 5 (2020).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delocal.workers.refinement import CHANGE, Outcome, Refinement

KAPPA_1, KAPPA_2 = 0.2, 2.0  # how far a step of ITP is moved towards the middle
ROUNDED = 0.999  # of the tolerance is aimed at, so that rounding costs no step
SPARE = 1  # steps that it may take beyond those of bisection

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Found = dict[str, NDArray[np.float64]]
Function = Callable[[Floats, Indices], Floats]
"""Values at one point of each of some cells; NaN where there is none."""


@dataclass(frozen=True)
class Search:
    """One search: what it is for, whether its axis is whole, and the codes of a flag."""

    refinement: Refinement
    integer: bool
    flags: Mapping[str, int] | None

    def side(self, values: Floats) -> Floats:
        """Return on which side of the target values are, as numbers that are equal or not."""
        target = self.refinement.target
        if target == CHANGE:
            return values
        if isinstance(target, str):
            assert self.flags is not None
            return np.where(np.isnan(values), np.nan, values == self.flags[target])
        return np.sign(values - target)

    def between(self, bracket: Bracket, which: Indices) -> Floats:
        """Return the next point of some cells."""
        refinement = self.refinement
        a, b = bracket.a[which], bracket.b[which]
        x = refinement.middle(a, b)
        if not self.integer and not isinstance(refinement.target, str):
            x = refinement.off_scale(self._itp(bracket, which, refinement.target))
        return refinement.inside(x, a, b, self.integer)

    def before(self, x: Floats, bracket: Bracket, which: Indices) -> Floats:
        """Return points between the lower ends of some brackets and x."""
        a, b = bracket.a[which], bracket.b[which]
        return self.refinement.inside(self.refinement.middle(a, x), a, b, self.integer)

    def _itp(self, bracket: Bracket, which: Indices, target: float) -> Floats:
        """Return where ITP divides brackets: interpolate, truncate, project (Oliveira, Sec. 2)."""
        a, b = (self.refinement.on_scale(x[which]) for x in (bracket.a, bracket.b))
        y_a, y_b = bracket.y_a[which] - target, bracket.y_b[which] - target
        half, width = a / 2 + b / 2, b - a
        with np.errstate(all="ignore"):
            falsi = (y_b * a - y_a * b) / (y_b - y_a)
        falsi = np.where((falsi >= a) & (falsi <= b), falsi, half)
        towards = np.sign(half - falsi)
        delta = KAPPA_1 / bracket.width_0[which] * width**KAPPA_2
        truncated = np.where(delta <= abs(half - falsi), falsi + towards * delta, half)
        slack = np.maximum(bracket.radius[which] - width / 2, 0.0)
        return np.where(abs(truncated - half) <= slack, truncated, half - towards * slack)


@dataclass
class Bracket:
    """The brackets [a, b] of all cells, the values there, and what ITP knows of its steps."""

    a: Floats
    b: Floats
    y_a: Floats
    y_b: Floats
    width_0: Floats
    radius: Floats

    @classmethod
    def of(
        cls, search: Search, ends: tuple[Floats, Floats], values: tuple[Floats, Floats]
    ) -> Bracket:
        """Return brackets at the start."""
        refinement = search.refinement
        width = refinement.on_scale(ends[1]) - refinement.on_scale(ends[0])
        tolerance = refinement.tolerance
        least = ROUNDED * (np.log1p(tolerance) if refinement.scale == "log" else tolerance)
        halvings = np.ceil(np.log2(np.maximum(width / least, 1.0)))
        return cls(*ends, *values, width, least / 2 * 2.0 ** (halvings + SPARE))

    def move(self, which: Indices, x: Floats, y: Floats, lower: NDArray[np.bool_]) -> None:
        """Put one end of some brackets to x, the lower one where `lower` is set."""
        self.a[which[lower]], self.y_a[which[lower]] = x[lower], y[lower]
        self.b[which[~lower]], self.y_b[which[~lower]] = x[~lower], y[~lower]
        self.radius[which] /= 2


def search_exact(function: Function, search: Search, cells: int) -> Found:
    """Refine the first crossing in each of some cells.

    Parameters
    ----------
    function
        Called with at most one point for each cell; a cell's values depend on nothing else.
    search
        What is looked for.
    cells
        How many there are.

    Returns
    -------
    dict
        By the names that `stored` explains, arrays of shape (cells,).
    """
    points = np.asarray(search.refinement.points)
    everyone = np.arange(cells)
    values = np.stack([function(np.full(cells, x), everyone) for x in points], axis=1)
    sides = search.side(values)
    known = ~np.isnan(sides)
    crossed = known[:, 1:] & known[:, :-1] & (sides[:, 1:] != sides[:, :-1])
    first = np.where(crossed.any(axis=1), crossed.argmax(axis=1), 0)
    last = np.where(crossed.any(axis=1), first + 1, len(points) - 1)
    bracket = Bracket.of(
        search,
        (points[first], points[last]),
        (values[everyone, first], values[everyone, last]),
    )
    outcome = np.where(known.all(axis=1), Outcome.NO_CROSSING, Outcome.UNDEFINED)
    evaluations = np.full(cells, len(points))
    _divide(function, search, bracket, np.flatnonzero(crossed.any(axis=1)), outcome, evaluations)
    has_bracket = crossed.any(axis=1)
    middle = search.refinement.middle(bracket.a, bracket.b)
    return {
        "outcome": outcome,
        "refined": np.where(has_bracket & (outcome != Outcome.UNDEFINED), middle, np.nan),
        "lower": bracket.a,
        "upper": bracket.b,
        "at_lower": bracket.y_a,
        "at_upper": bracket.y_b,
        "n_evaluations": evaluations,
        "n_crossings": crossed.sum(axis=1),
    }


def _divide(
    function: Function,
    search: Search,
    bracket: Bracket,
    active: Indices,
    outcome: NDArray[np.int_],
    evaluations: NDArray[np.int_],
) -> None:
    """Divide the brackets of the cells in `active` until each is narrow, and say how it ended."""
    refinement = search.refinement
    while True:
        narrow = refinement.narrow(bracket.a[active], bracket.b[active], search.integer)
        outcome[active] = np.where(narrow, Outcome.FOUND, Outcome.MAX_POINTS)
        active = active[~narrow & (evaluations[active] < refinement.max_points)]
        if not active.size:
            return
        x = search.between(bracket, active)
        y = function(x, active)
        evaluations[active] += 1
        hole = np.isnan(y) & (evaluations[active] < refinement.max_points)
        if hole.any():  # it may be one point only, such as the transition itself
            which = active[hole]
            x[hole] = search.before(x[hole], bracket, which)
            y[hole] = function(x[hole], which)
            evaluations[which] += 1
        known = ~np.isnan(y)
        outcome[active[~known]] = Outcome.UNDEFINED
        active, x, y = active[known], x[known], y[known]
        lower = search.side(y) == search.side(bracket.y_a[active])
        bracket.move(active, x, y, lower)
