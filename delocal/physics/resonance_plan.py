"""What the finder of resonant pairs seeks, and how it cuts that into levels, cells and bins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np

from delocal.physics import resonance_kernels as kernels
from delocal.physics.resonance_kernels import Grid, Pairing

Coupling = Literal["fixed", "uniform", "gaussian"]

LAWS: dict[str, int] = {
    "fixed": kernels.FIXED,
    "uniform": kernels.UNIFORM,
    "gaussian": kernels.GAUSSIAN,
}
LARGEST = {"fixed": 1.0, "uniform": 1.0, "gaussian": kernels.LARGEST_GAUSSIAN}
"""The largest |t_ij| / t that a law can yield; the search reaches that far, exactly."""

SORT, KEY, LOOKUP, RANGE, CANDIDATE = 30.0, 3.0, 12.0, 4.0, 0.2
"""Costs in ns: to sort a spin, per key of the table, to look up a range, to visit it, per test."""


class Level(NamedTuple):
    """Distances that are searched together, and how.

    Pairs with lower <= r < upper are sought. The first `gridded` axes are cut into cells no
    smaller than `upper`, each cell into bins of energy such that all pairs are at most `window`
    bins apart. Any choice finds the same pairs; a good one is found by `plan_levels`.
    """

    lower: float
    upper: float
    gridded: int
    window: int


@dataclass(frozen=True)
class Shell:
    """What is sought: the arguments of `resonant_pairs`, checked."""

    box: float
    alpha: float
    t: float
    rmin: float
    rmax: float
    coupling: Coupling

    @property
    def largest_t(self) -> float:
        """The largest |t_ij| that the law can yield."""
        return self.t * LARGEST[self.coupling]

    @property
    def pairing(self) -> Pairing:
        """The same for the kernels."""
        return Pairing(self.box, self.alpha, self.t, LAWS[self.coupling])


@dataclass(frozen=True)
class Quanta:
    """The integer grid that coordinates and energies are rounded down to."""

    length: float
    lowest: float
    energy: float

    @property
    def per_energy(self) -> float:
        """Quanta per energy; 0 where energies are not told apart."""
        return 1 / self.energy if self.energy > 0 else 0.0

    @classmethod
    def of(cls, box: float, lowest: float, highest: float) -> Quanta:
        """Return the grid for a box and energies between two."""
        quantum = (highest - lowest) / (2.0**31 - 2)
        usable = 1e-300 < quantum < math.inf  # else every pair is a candidate
        return cls(box / 2.0**32, lowest, quantum if usable else 0.0)


def plan_levels(
    spins: int,
    d: int,
    *,
    box: float,
    alpha: float,
    t: float,
    width: float,
    rmin: float,
    rmax: float,
) -> tuple[Level, ...]:
    """Return the levels that should find the pairs of N uniform spins fastest.

    A dynamic programme over where to cut [rmin, rmax), with the cost of each level estimated
    from the mean number of candidates for uniform positions and energies of the given `width`.

    Examples
    --------
    >>> plan = plan_levels(
    ...     10**6, 3, box=100.0, alpha=3.0, t=1.0, width=100.0, rmin=1.0, rmax=50.0
    ... )
    >>> plan[0].lower, plan[-1].upper, len(plan)
    (1.0, 50.0, 2)
    """
    first = rmin if rmin > 0 else min(rmax, box * spins ** (-1 / d)) / 2
    steps = min(24, max(1, math.ceil(2 * math.log2(rmax / first))))
    radii = np.geomspace(first, rmax, steps + 1)
    radii = radii if rmin > 0 else np.append(0.0, radii)
    radii[-1] = rmax
    lower, upper = radii[:-1, None, None, None], radii[None, 1:, None, None]
    gridded, window = np.arange(d + 1)[:, None], np.array([1, 2, 4, 8])
    with np.errstate(all="ignore"):
        cells = np.floor(box / upper) ** gridded
        bins = np.clip(window * width / (t / lower**alpha), 1, np.maximum(1, 2 * spins / cells))
        per_key = spins / (cells * bins)
        ranges = (3.0**gridded + 1) / 2
        candidates = per_key * np.minimum(2 * window + 1, bins)
        visits = LOOKUP / np.maximum(per_key, 1) + RANGE + CANDIDATE * kernels.BLOCK / 2
        cost = SORT + KEY / per_key + ranges * (visits + CANDIDATE * candidates)
    possible = ((gridded == 0) | (box / upper >= 3.001)) & (cells <= 2 * spins) & (lower < upper)
    cost = np.where(possible, cost, np.inf).reshape(len(radii) - 1, len(radii) - 1, -1)
    way, cost = cost.argmin(axis=2), cost.min(axis=2)
    best, cut = np.full(len(radii), np.inf), np.zeros(len(radii), dtype=np.int64)
    best[0] = 0.0
    for end in range(1, len(radii)):
        through = best[:end] + cost[:end, end - 1]
        cut[end] = through.argmin()
        best[end] = through[cut[end]]
    levels: list[Level] = []
    end = len(radii) - 1
    while end > 0:
        begin = int(cut[end])
        axes, index = divmod(int(way[begin, end - 1]), window.size)
        levels.append(Level(float(radii[begin]), float(radii[end]), axes, int(window[index])))
        end = begin
    return tuple(reversed(levels))


@lru_cache(maxsize=1024)
def _cached_plan(spins: int, d: int, **parameters: float) -> tuple[Level, ...]:
    return plan_levels(spins, d, **parameters)


def make_plan(spins: int, d: int, shell: Shell, quanta: Quanta) -> tuple[Level, ...]:
    """Return the plan, one for all energies of about the same width."""
    width = quanta.energy * 2.0**31
    return _cached_plan(
        spins,
        d,
        box=shell.box,
        alpha=shell.alpha,
        t=shell.largest_t,
        width=2.0 ** (round(4 * math.log2(width)) / 4) if width > 0 else 0.0,
        rmin=shell.rmin,
        rmax=shell.rmax,
    )


def check_plan(plan: Sequence[Level] | None, d: int, shell: Shell) -> None:
    """Raise ValueError if the levels of a plan do not tile the shell."""
    if plan is None:
        return
    cuts = [shell.rmin, *(level.upper for level in plan)]
    tiles = all(level.lower == cut < level.upper for level, cut in zip(plan, cuts, strict=False))
    if not tiles or cuts[-1] != shell.rmax:
        raise ValueError(f"the levels of a plan must tile [{shell.rmin}, {shell.rmax})")
    if not all(0 <= level.gridded <= d and level.window >= 1 for level in plan):
        raise ValueError(f"levels need 0 <= gridded <= d = {d} and window >= 1")


def make_grid(
    level: Level, spins: int, systems: int, d: int, shell: Shell, quanta: Quanta
) -> tuple[Grid, int]:
    """Return the cells, bins and thresholds with which a level misses no pair, and its keys.

    Rounding shifts a distance by less than 2 sqrt(d) quanta, and a difference of energies by
    less than one; cells and bins are that much wider, and `ceiling` is that much higher.
    """
    half_alpha = shell.alpha / 2
    rounding = 2 * math.sqrt(d)
    lower, upper = level.lower / quanta.length, level.upper / quanta.length
    table = max(64, 2 * spins)
    cells = min(2.0**32 / (upper + rounding), table ** (1 / max(1, level.gridded)))
    gridded = level.gridded if cells >= 3 else 0
    bins = 1
    octaves = 0.0
    if quanta.energy > 0:
        octaves = math.log2(shell.largest_t) - math.log2(quanta.energy)
        octaves -= shell.alpha * math.log2(quanta.length)
        if lower > 0:
            largest = 2.0 ** min(octaves - shell.alpha * math.log2(lower), 100.0)
            most = level.window * 2.0**31 / (largest + 2)
            bins = max(1, int(min(most, table // int(cells) ** gridded)))
    shift = shell.alpha * math.log2(1 + rounding / max(lower, 16 * rounding))
    sure_ceiling = -math.inf  # a random t_ij leaves all in doubt
    if quanta.energy > 0 and shell.coupling == "fixed":
        sure_ceiling = 2.0**23 * (octaves - shift + (127 - kernels.SHORT - 1e-3) * (1 + half_alpha))
    octaves += shift
    # Energies within a quantum pass at any distance: the octaves of -0.5 are -130.
    octaves = max(octaves, half_alpha * (2 * math.log2(upper + rounding)) - 257)
    keys = systems * (int(cells) ** gridded) * bins
    grid = Grid(
        d=d,
        spins=spins,
        shift=0,
        gridded=gridded,
        cells=int(cells) if gridded else 1,
        bins=bins,
        window=level.window,
        lower2=level.lower**2,
        upper2=level.upper**2,
        half_alpha=half_alpha,
        ceiling=2.0**23 * (octaves + (127 + 1e-3) * (1 + half_alpha)),
        floor2=0.0 if lower >= 16 * rounding else (17 * rounding) ** 2,
        inner2=max(0.0, lower - rounding) ** 2 * (1 - 1e-5),
        outer2=(upper + rounding) ** 2 * (1 + 1e-5),
        sure_ceiling=sure_ceiling,
        sure_inner2=max(lower + rounding, 16 * rounding) ** 2 * (1 + 1e-5),
        sure_outer2=max(0.0, upper - rounding) ** 2 * (1 - 1e-5),
    )
    return grid, keys


def law_of(coupling: str) -> int:
    """Return the number by which the kernels know a law; ValueError if there is none."""
    if coupling not in LAWS:
        raise ValueError(f"no coupling {coupling!r}; known: {', '.join(LAWS)}")
    return LAWS[coupling]
