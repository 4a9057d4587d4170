"""The search for resonant pairs: the steps in their order, spread over threads.

The kernels are called on ranges; between two of them the caller may cancel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from delocal.physics import resonance_kernels as kernels
from delocal.physics.model import Cancelled
from delocal.physics.resonance_kernels import Floats, Grid, Ints
from delocal.physics.resonance_plan import Level, Quanta, Shell, make_grid

Result = TypeVar("Result")
Item = TypeVar("Item")

GROUP = 2**15
"""Small systems are searched together up to this many spins, which stay in the cache."""
BATCH = 2**17
"""Spins handled between two looks at `cancelled`."""
APART = 2**5
"""Numbers of 32 bits in two cache lines, which some processors fetch together."""
BLOCKS = 2**21
"""Blocks of candidates tested between two looks at `cancelled`."""
BUFFER = 2**17
"""Pairs found between two looks at `cancelled`."""

DIRECT, BUCKET, MOST_BUCKETS = 2**18, 2**13, 2**8
"""More spins than `DIRECT` are sorted in buckets, of about this size or at most in this number,
that fit into the cache."""


class Work:
    """Calls of kernels on ranges, spread over threads, between which the caller may cancel."""

    def __init__(self, threads: int, cancelled: Callable[[], bool] | None = None) -> None:
        if threads < 1:
            raise ValueError(f"threads = {threads} must be at least 1")
        self.threads = threads
        self._cancelled = cancelled
        self._stopped = False
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Work:
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

    def extremes(self, values: Floats, name: str) -> tuple[float, float]:
        """Return the least and the largest value; ValueError unless all are finite."""
        if values.size == 0:
            return 0.0, 0.0
        parts = np.array_split(values.ravel(), min(self.threads, values.size))
        lowest = float(np.min(self.map(np.min, parts)))
        highest = float(np.max(self.map(np.max, parts)))
        if not (math.isfinite(lowest) and math.isfinite(highest)):
            raise ValueError(f"{name} must be finite")
        return lowest, highest

    def counters(self, size: int) -> Ints:
        """Return a row of numbers, yet to be set, for each thread; none shares a cache line."""
        return np.empty((self.threads, size + APART), np.int32)[:, :size]

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


class Arrays:
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


class Search:
    """The search of a group of systems: the steps in their order."""

    def __init__(
        self,
        positions: Floats,
        energies: Floats,
        keys: NDArray[np.uint64],
        shell: Shell,
        quanta: Quanta,
        work: Work,
    ) -> None:
        self.systems, self.spins, self.d = positions.shape
        self.size = self.systems * self.spins
        self.positions, self.energies = positions.reshape(-1, self.d), energies.reshape(-1)
        self.keys, self.shell, self.quanta, self.work = keys, shell, quanta, work

    def run(self, levels: Sequence[Level], arrays: Arrays) -> tuple[NDArray[np.int64], Ints, Ints]:
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

    def _sort(self, level: Level, arrays: Arrays) -> tuple[Grid, Ints]:
        """Sort the spins into the cells and bins of a level; return where each bin begins."""
        grid, keys = make_grid(level, self.spins, self.systems, self.d, self.shell, self.quanta)
        buckets = min(MOST_BUCKETS, 1 + self.size // BUCKET) if arrays.in_buckets else 1
        shift = max(0, math.ceil(math.log2(keys / buckets)))
        grid, buckets = grid._replace(shift=shift), ((keys - 1) >> shift) + 1
        counts = self.work.counters(buckets + 1)
        counts[:] = 0
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

    def _search(self, grid: Grid, arrays: Arrays, table: Ints) -> list[tuple[Ints, Ints]]:
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
                    number, after = kernels.SEARCH[self.d](
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
        counts = self.work.counters(self.size + 1)
        i, j = np.empty(total, np.int32), np.empty(total, np.int32)

        def count(part: int) -> None:
            counts[part] = 0
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


def search_systems(
    positions: Floats,
    energies: Floats,
    keys: NDArray[np.uint64],
    shell: Shell,
    quanta: Quanta,
    levels: Sequence[Level],
    work: Work,
) -> tuple[NDArray[np.int64], Ints, Ints]:
    """Return the pairs of systems of shape (S, N, d), in groups that fit into the cache.

    ``work`` has been entered.
    """
    systems, spins = energies.shape
    size = max(1, GROUP // spins)
    groups = [slice(begin, begin + size) for begin in range(0, systems, size)]
    together = len(groups) == 1  # then the threads share one search
    inner = work if together else Work(1, work.stopped)

    def search(groups: Sequence[slice]) -> list[tuple[NDArray[np.int64], Ints, Ints]]:
        arrays, results = None, []
        for group in groups:
            one = Search(positions[group], energies[group], keys[group], shell, quanta, inner)
            if arrays is None or len(arrays.rows) != one.size:
                arrays = Arrays(one.size, in_buckets=one.size > DIRECT or inner.threads > 1)
            results.append(one.run(levels, arrays))
        return results

    if together:
        return search(groups)[0]
    found = [one for part in work.map(search, _shares(groups, work.threads)) for one in part]
    numbers, i, j = zip(*found, strict=True)
    sizes = np.concatenate([np.diff(offsets) for offsets in numbers])
    return np.append(0, np.cumsum(sizes)), np.concatenate(i), np.concatenate(j)


def _shares(items: Sequence[Item], number: int) -> list[Sequence[Item]]:
    """Cut items into at most `number` runs of about equal length."""
    size = -(-len(items) // number)
    return [items[begin : begin + size] for begin in range(0, len(items), size)]
