"""The near-linear finder of resonant pairs, Gutman et al. (2016), Sec. II A.

Two spins are resonant when |e_i - e_j| < t_ij / r**alpha. Their number is of order N, and so is
the work: distances are split into a few levels, in each of which the energies of a pair can
differ by little, and spins are sorted once per level into cells of space and bins of energy.
`docs/explanation/finding-resonances.md` says how and why; the inner loops are in
`resonance_kernels`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from delocal.physics import resonance_kernels as kernels
from delocal.physics.resonance_kernels import Floats, Grid, Ints, Pairing

Coupling = Literal["fixed", "uniform", "gaussian"]
Result = TypeVar("Result")
Item = TypeVar("Item")

LAWS: dict[str, int] = {
    "fixed": kernels.FIXED,
    "uniform": kernels.UNIFORM,
    "gaussian": kernels.GAUSSIAN,
}
LARGEST = {"fixed": 1.0, "uniform": 1.0, "gaussian": kernels.LARGEST_GAUSSIAN}
"""The largest |t_ij| / t that a law can yield; the search reaches that far, exactly."""

MAX_SPINS = 2**30
GROUP = 2**15
"""Small systems are searched together up to this many spins, which stay in the cache."""
BATCH = 2**17
"""Spins handled between two looks at `cancelled`."""
BLOCKS = 2**21
"""Blocks of candidates tested between two looks at `cancelled`."""
BUFFER = 2**17
"""Pairs found between two looks at `cancelled`."""

DIRECT, BUCKET, MOST_BUCKETS = 2**18, 2**11, 2**12
"""More spins than `DIRECT` are sorted in buckets, of about this size or at most in this number,
that fit into the cache."""

SORT, KEY, LOOKUP, RANGE, CANDIDATE = 30.0, 3.0, 6.0, 4.0, 0.25
"""Costs in ns: to sort a spin, per key of the table, to look up a range, to visit it, per test."""


class Cancelled(Exception):
    """The caller said so."""


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


def resonant_pairs(
    positions: ArrayLike,
    energies: ArrayLike,
    *,
    box: float,
    alpha: float,
    t: float = 1.0,
    rmin: float = 1.0,
    rmax: float | None = None,
    coupling: Coupling = "fixed",
    key: int = 0,
    threads: int = 1,
    cancelled: Callable[[], bool] | None = None,
    plan: Sequence[Level] | None = None,
) -> tuple[Ints, Ints]:
    """Return all resonant pairs (i, j) of spins in a periodic box.

    ::

        |e_i - e_j| < |t_ij| / r**alpha,   rmin <= r < rmax,   i < j

    Parameters
    ----------
    positions
        Shape (N, d), d = 1, 2 or 3; folded into the box.
    energies
        Shape (N,).
    box
        Side of the box; r is the distance to the nearest image.
    alpha
        Range of the coupling, any number > 0. The work is near-linear in N for alpha >= d.
    t
        Scale of the coupling, same unit as the energies times length**alpha.
    rmin, rmax
        Shell of distances. ``rmax`` is at most ``box / 2``, and that by default.
    coupling
        ``fixed``: |t_ij| = t; ``uniform``: uniform in (0, t); ``gaussian``: t |N(0, 1)|.
    key
        Which random |t_ij|; see `couplings`.
    threads
        Number of threads; the result does not depend on it.
    cancelled
        Asked about every 50 ms of work or more often, from any of the threads.
    plan
        Levels to use, to force a way of searching. They must tile [rmin, rmax).

    Returns
    -------
    i, j
        Arrays of int32 in lexicographic order.

    Raises
    ------
    ValueError
        If an argument has no meaning.
    Cancelled
        If ``cancelled()`` was true.

    References
    ----------
    Gutman et al. (2016), Sec. II A, above Eq. (4).

    Examples
    --------
    >>> i, j = resonant_pairs([[0.5], [2.0], [9.0]], [0.0, 0.1, 0.2], box=10, alpha=1.5)
    >>> [*zip(i.tolist(), j.tolist())]  # 0 and 2 are 1.5 apart, through the wall
    [(0, 1), (0, 2), (1, 2)]
    """
    x, e = _floats(positions, "positions", 2), _floats(energies, "energies", 1)
    _, i, j = _resonant_pairs(
        x[np.newaxis],
        e[np.newaxis],
        keys=np.array([_hash_key(key)]),
        shell=_shell(box, alpha, t, rmin, rmax, coupling),
        plan=plan,
        work=_Work(threads, cancelled),
    )
    return i, j


def resonant_pairs_batched(
    positions: ArrayLike,
    energies: ArrayLike,
    *,
    box: float,
    alpha: float,
    t: float = 1.0,
    rmin: float = 1.0,
    rmax: float | None = None,
    coupling: Coupling = "fixed",
    keys: Sequence[int] | int = 0,
    threads: int = 1,
    cancelled: Callable[[], bool] | None = None,
    plan: Sequence[Level] | None = None,
) -> tuple[NDArray[np.int64], Ints, Ints]:
    """Return the resonant pairs of each of S systems of N spins, as `resonant_pairs` would.

    Parameters
    ----------
    positions, energies
        Shapes (S, N, d) and (S, N).
    keys
        The key of each system, or one for all.

    Returns
    -------
    offsets, i, j
        The pairs of system s are ``i[offsets[s]:offsets[s + 1]]`` with the same of j; both
        count within the system. ``offsets`` has S + 1 entries.

    Examples
    --------
    >>> offsets, i, j = resonant_pairs_batched(
    ...     [[[0.5], [2.0]], [[0.5], [3.0]]], [[0.0, 0.1], [0.0, 9.0]], box=10, alpha=1.5
    ... )
    >>> offsets.tolist(), i.tolist(), j.tolist()
    ([0, 1, 1], [0], [1])
    """
    x, e = _floats(positions, "positions", 3), _floats(energies, "energies", 2)
    each = [keys] * len(x) if isinstance(keys, (int, np.integer)) else list(keys)
    if len(each) != len(x):
        raise ValueError(f"{len(each)} keys for {len(x)} systems; give one for each, or one")
    return _resonant_pairs(
        x,
        e,
        keys=np.array([_hash_key(key) for key in each], dtype=np.uint64),
        shell=_shell(box, alpha, t, rmin, rmax, coupling),
        plan=plan,
        work=_Work(threads, cancelled),
    )


def couplings(
    i: ArrayLike, j: ArrayLike, *, t: float = 1.0, coupling: Coupling = "fixed", key: int = 0
) -> Floats:
    """Return |t_ij|, a pure function of the key and the unordered pair (i, j).

    The 64 bits behind it are splitmix64 of (key, i, j). ``uniform`` uses 52 of them.
    ``gaussian`` is t sqrt(-2 ln u) |cos(2 pi v)| (Box and Muller 1958) with u, v of 32 bits:
    its tail ends at 6.76 t, beyond which a normal variable lies with probability 1.3e-11.

    Examples
    --------
    >>> one, other = (couplings(*pair, coupling="uniform", key=7) for pair in ([3, 5], [5, 3]))
    >>> bool(one == other), couplings([0, 1], [1, 2], t=0.5).tolist()
    (True, [0.5, 0.5])
    """
    first, second = np.broadcast_arrays(np.asarray(i, np.int64), np.asarray(j, np.int64))
    out = np.empty(first.shape)
    kernels.draw_couplings(
        _law(coupling), float(t), _hash_key(key), first.ravel(), second.ravel(), out.reshape(-1)
    )
    return out


@dataclass(frozen=True)
class _Shell:
    """What is sought: the arguments of `resonant_pairs`, checked."""

    box: float
    alpha: float
    t: float
    rmin: float
    rmax: float
    coupling: Coupling

    @property
    def largest_t(self) -> float:
        return self.t * LARGEST[self.coupling]

    @property
    def pairing(self) -> Pairing:
        return Pairing(self.box, self.alpha, self.t, LAWS[self.coupling])


@dataclass(frozen=True)
class _Quanta:
    """The integer grid that coordinates and energies are rounded down to."""

    length: float
    lowest: float
    energy: float

    @property
    def per_energy(self) -> float:
        return 1 / self.energy if self.energy > 0 else 0.0

    @classmethod
    def of(cls, box: float, energies: Floats) -> _Quanta:
        lowest, highest = _extremes(energies, "energies")
        quantum = (highest - lowest) / (2.0**31 - 2)
        usable = 1e-300 < quantum < math.inf  # else every pair is a candidate
        return cls(box / 2.0**32, lowest, quantum if usable else 0.0)


class _Work:
    """Calls of kernels on ranges, spread over threads, between which the caller may cancel."""

    def __init__(self, threads: int, cancelled: Callable[[], bool] | None = None) -> None:
        if threads < 1:
            raise ValueError(f"threads = {threads} must be at least 1")
        self.threads = threads
        self._cancelled = cancelled
        self._stopped = False
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> _Work:
        if self.threads > 1:
            self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="resonances")
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._pool is not None:
            self._stopped = self._stopped or kind is not None
            self._pool.shutdown(cancel_futures=True)

    def stopped(self) -> bool:
        """Whether the caller said so, now or before."""
        if not self._stopped and self._cancelled is not None:
            self._stopped = bool(self._cancelled())
        return self._stopped

    def check(self) -> None:
        """Raise `Cancelled` if the caller said so."""
        if self.stopped():
            raise Cancelled("the search for resonant pairs was cancelled")

    def map(self, function: Callable[[Any], Result], items: Iterable[Any]) -> list[Result]:
        """Return the result for each item, in order."""
        return list(map(function, items) if self._pool is None else self._pool.map(function, items))

    def ranges(
        self, kernel: Callable[..., None], size: int, *arguments: Any, batch: int | None = None
    ) -> None:
        """Run a kernel on range(size), in batches."""

        def run(limits: tuple[int, int]) -> None:
            self.check()
            kernel(*arguments, *limits)

        self.map(run, _batches(0, size, batch or BATCH))

    def parts(self, kernel: Callable[..., None], size: int, *arguments: Any, own: Ints) -> None:
        """Run a kernel on range(size), each thread on one part of it with its row of `own`."""

        def run(part: int) -> None:
            begin, end = size * part // self.threads, size * (part + 1) // self.threads
            for limits in _batches(begin, end, BATCH):
                self.check()
                kernel(*arguments, own[part], *limits)

        self.map(run, range(self.threads))


def _batches(begin: int, end: int, size: int) -> list[tuple[int, int]]:
    return [(at, min(at + size, end)) for at in range(begin, end, size)]


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


def _resonant_pairs(
    positions: Floats,
    energies: Floats,
    *,
    keys: NDArray[np.uint64],
    shell: _Shell,
    plan: Sequence[Level] | None,
    work: _Work,
) -> tuple[NDArray[np.int64], Ints, Ints]:
    """Return the pairs of systems of shape (S, N, d), in groups that fit into the cache."""
    systems, spins = _sizes(positions, energies)
    _check_plan(plan, positions.shape[-1], shell)
    lowest, highest = _extremes(positions, "positions")
    if lowest < 0 or highest > shell.box:
        positions = np.mod(positions, shell.box)
    quanta = _Quanta.of(shell.box, energies)
    if spins < 2 or systems == 0 or shell.t == 0:
        return np.zeros(systems + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int32)
    levels = _plan(spins, positions.shape[-1], shell, quanta) if plan is None else plan
    size = max(1, GROUP // spins)
    groups = [slice(begin, begin + size) for begin in range(0, systems, size)]
    together = len(groups) == 1  # then the threads share one search
    inner = work if together else _Work(1, work.stopped)

    def search(groups: Sequence[slice]) -> list[tuple[NDArray[np.int64], Ints, Ints]]:
        arrays, results = None, []
        for group in groups:
            one = _Search(positions[group], energies[group], keys[group], shell, quanta, inner)
            if arrays is None or len(arrays.rows) != one.size:
                in_buckets = one.size > DIRECT or inner.threads > 1
                arrays = _Arrays(one.size, in_buckets=in_buckets)
            results.append(one.run(levels, arrays))
        return results

    with work:
        if together:
            return search(groups)[0]
        shares = _shares(groups, work.threads)
        results = [one for share in work.map(search, shares) for one in share]
    numbers, i, j = zip(*results, strict=True)
    sizes = np.concatenate([np.diff(offsets) for offsets in numbers])
    return np.append(0, np.cumsum(sizes)), np.concatenate(i), np.concatenate(j)


def _shares(items: Sequence[Item], number: int) -> list[Sequence[Item]]:
    """Cut items into at most `number` runs of about equal length."""
    size = -(-len(items) // number)
    return [items[begin : begin + size] for begin in range(0, len(items), size)]


class _Arrays:
    """The arrays of a search, to be used again for the next group of the same size.

    Fresh memory costs as much as a sort.
    """

    def __init__(self, size: int, *, in_buckets: bool) -> None:
        self.rows = np.empty((size, 4), np.int32)
        self.columns = np.empty((4, size + kernels.BLOCK), np.int32)
        self.columns[:, size:] = 0
        self.keys, self.numbers, self.order = np.empty((3, size), np.int32)
        self.in_buckets = in_buckets
        if in_buckets:
            self.sorted_rows = np.empty((size, 4), np.int32)
            self.unsorted_keys = self.order  # which is free until they are sorted
        else:
            self.sorted_rows, self.unsorted_keys = self.rows, self.keys
            self.numbers[:] = np.arange(size, dtype=np.int32)


class _Search:
    """The search of a group of systems: the steps in their order."""

    def __init__(
        self,
        positions: Floats,
        energies: Floats,
        keys: NDArray[np.uint64],
        shell: _Shell,
        quanta: _Quanta,
        work: _Work,
    ) -> None:
        self.systems, self.spins, self.d = positions.shape
        self.size = self.systems * self.spins
        self.positions, self.energies = positions.reshape(-1, self.d), energies.reshape(-1)
        self.keys, self.shell, self.quanta, self.work = keys, shell, quanta, work

    def run(self, levels: Sequence[Level], arrays: _Arrays) -> tuple[NDArray[np.int64], Ints, Ints]:
        """Return offsets and pairs."""
        self.work.ranges(
            *(kernels.quantize, self.size, self.positions, self.energies),
            *(1 / self.quanta.length, self.quanta.lowest, self.quanta.per_energy, arrays.rows),
        )
        found: list[tuple[Ints, Ints]] = []
        for level in levels:
            grid, table = self._sort(level, arrays)
            found += self._search(grid, arrays, table)
        firsts, seconds = zip(*found, strict=True) if found else ((), ())
        return self._in_order(firsts, seconds)

    def _sort(self, level: Level, arrays: _Arrays) -> tuple[Grid, Ints]:
        """Sort the spins into the cells and bins of a level; return where each bin begins."""
        grid, keys = _grid(level, self.spins, self.systems, self.d, self.shell, self.quanta)
        buckets = min(MOST_BUCKETS, 1 + self.size // BUCKET) if arrays.in_buckets else 1
        shift = max(0, math.ceil(math.log2(keys / buckets)))
        grid, buckets = grid._replace(shift=shift), ((keys - 1) >> shift) + 1
        counts = np.zeros((self.work.threads, buckets + 1), np.int32)
        spins = (self.size, grid, arrays.rows, arrays.unsorted_keys)
        self.work.parts(kernels.count_buckets, *spins, own=counts)
        kernels.accumulate(counts)
        if arrays.in_buckets:
            tagged = (arrays.sorted_rows, arrays.keys, arrays.numbers)
            self.work.parts(kernels.fill_buckets, *spins, *tagged, own=counts)
        else:
            counts[-1] = 0, self.size
        table = np.empty(keys + 1, np.int32)
        table[0] = 0
        self.work.ranges(
            *(kernels.sort_buckets, buckets, grid),
            *(arrays.sorted_rows, arrays.keys, arrays.numbers, counts[-1]),
            *(table, arrays.columns, arrays.order),
            batch=max(1, BATCH * buckets // self.size),
        )
        return grid, table

    def _search(self, grid: Grid, arrays: _Arrays, table: Ints) -> list[tuple[Ints, Ints]]:
        """Return the pairs of one level, as many small arrays."""
        pairing = self.shell.pairing

        threads = self.work.threads
        chunk = max(2**10, min(BATCH, self.size // (8 * threads))) if threads > 1 else BATCH

        def search(begins: Sequence[int]) -> list[tuple[Ints, Ints]]:
            first, second = np.empty((2, BUFFER), np.int32)
            scratch = np.empty((3, kernels.MOST_RANGES), np.int64)
            found: list[tuple[Ints, Ints]] = []
            for begin in begins:
                end = min(begin + chunk, self.size)
                while begin < end:
                    self.work.check()
                    number, after = kernels.search(
                        *(grid, arrays.columns, arrays.order, table, begin, end, BLOCKS),
                        *(scratch, first, second),
                    )
                    number = kernels.keep_resonant(
                        *(grid, pairing, self.positions, self.energies, self.keys),
                        *(first, second, number),
                    )
                    if number:
                        found.append((first[:number].copy(), second[:number].copy()))
                    if after == begin:  # one spin has more pairs than fit
                        first, second = np.empty((2, 4 * first.size), np.int32)
                    begin = after
            return found

        begins = range(0, self.size, chunk)
        parts = self.work.map(search, [begins[part::threads] for part in range(threads)])
        return [pairs for part in parts for pairs in part]

    def _in_order(
        self, firsts: Sequence[Ints], seconds: Sequence[Ints]
    ) -> tuple[NDArray[np.int64], Ints, Ints]:
        """Sort the pairs by one counting sort, each thread placing its share of the arrays."""
        threads, total = self.work.threads, sum(map(len, firsts))
        if total >= 2**31:
            raise ValueError(f"{total} resonant pairs are more than 2**31; lower t or raise rmin")
        counts = np.zeros((threads, self.size + 1), np.int32)
        i, j = np.empty(total, np.int32), np.empty(total, np.int32)

        def count(part: int) -> None:
            for first in firsts[part::threads]:
                self.work.check()
                kernels.count_firsts(first, counts[part])

        def place(part: int) -> None:
            for first, second in zip(firsts[part::threads], seconds[part::threads], strict=True):
                self.work.check()
                kernels.place_pairs(first, second, counts[part], j)

        self.work.map(count, range(threads))
        kernels.accumulate(counts)
        self.work.map(place, range(threads))
        self.work.ranges(kernels.finish_pairs, self.size, counts[-1], self.spins, i, j)
        return counts[-1, :: self.spins].astype(np.int64), i, j


def _grid(
    level: Level, spins: int, systems: int, d: int, shell: _Shell, quanta: _Quanta
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
    octaves += shell.alpha * math.log2(1 + rounding / max(lower, 16 * rounding))
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
    )
    return grid, keys


@lru_cache(maxsize=1024)
def _cached_plan(spins: int, d: int, **parameters: float) -> tuple[Level, ...]:
    return plan_levels(spins, d, **parameters)


def _plan(spins: int, d: int, shell: _Shell, quanta: _Quanta) -> tuple[Level, ...]:
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


def _shell(
    box: float, alpha: float, t: float, rmin: float, rmax: float | None, coupling: Coupling
) -> _Shell:
    """Return what is sought, or say what is wrong with it."""
    for name, value, largest in (("box", box, 1e100), ("alpha", alpha, 1e3)):
        if not 0 < value <= largest:
            raise ValueError(f"{name} = {value} must be positive and at most {largest:g}")
    for name, value in (("t", t), ("rmin", rmin)):
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name} = {value} must be at least 0 and finite")
    _law(coupling)
    if box < 1e-100:
        raise ValueError(f"box = {box} must be at least 1e-100; choose another unit of length")
    upper = box / 2 if rmax is None else rmax
    if not rmin < upper <= box / 2:
        raise ValueError(
            f"rmin = {rmin} < rmax = {upper} <= box / 2 = {box / 2} must hold: "
            "beyond half the box a pair has more than one image"
        )
    return _Shell(float(box), float(alpha), float(t), float(rmin), float(upper), coupling)


def _law(coupling: str) -> int:
    if coupling not in LAWS:
        raise ValueError(f"no coupling {coupling!r}; known: {', '.join(LAWS)}")
    return LAWS[coupling]


def _floats(values: ArrayLike, name: str, dimensions: int) -> Floats:
    """Return a contiguous, writable array: the one kind that kernels are compiled for."""
    array = np.require(values, dtype=np.float64, requirements=["C", "A", "W"])
    if array.ndim != dimensions:
        raise ValueError(f"{name} has {array.ndim} dimensions, not {dimensions}")
    return array


def _extremes(values: Floats, name: str) -> tuple[float, float]:
    lowest, highest = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if not (math.isfinite(lowest) and math.isfinite(highest)):
        raise ValueError(f"{name} must be finite")
    return lowest, highest


def _sizes(positions: Floats, energies: Floats) -> tuple[int, int]:
    """Return the number of systems and of spins in each, checked."""
    systems, spins, d = positions.shape
    if d not in (1, 2, 3):
        raise ValueError(f"positions have d = {d} coordinates, not 1, 2 or 3")
    if energies.shape != (systems, spins):
        raise ValueError(
            f"{spins} positions need energies of shape {(spins,)}, not {energies.shape[1:]}, "
            f"in each of {systems} systems"
        )
    if max(spins, min(systems * spins, GROUP)) > MAX_SPINS:
        raise ValueError(f"{spins} spins in one system are more than {MAX_SPINS}")
    return systems, spins


def _check_plan(plan: Sequence[Level] | None, d: int, shell: _Shell) -> None:
    if plan is None:
        return
    cuts = [shell.rmin, *(level.upper for level in plan)]
    tiles = all(level.lower == cut < level.upper for level, cut in zip(plan, cuts, strict=False))
    if not tiles or cuts[-1] != shell.rmax:
        raise ValueError(f"the levels of a plan must tile [{shell.rmin}, {shell.rmax})")
    if not all(0 <= level.gridded <= d and level.window >= 1 for level in plan):
        raise ValueError(f"levels need 0 <= gridded <= d = {d} and window >= 1")


def _hash_key(key: int) -> np.uint64:
    return np.uint64(int(key) % 2**64)
