"""The inner loops of the finder of resonant pairs; `resonances` says what they are for.

Every function works on a range of its input, releases the GIL, and keeps no state: the same
kernels serve one thread and many, and the caller may stop between two of them.

Coordinates are held as 32-bit fractions of the box, so that the difference of two, wrapped, is
the nearest image; energies as 31-bit fractions of their range. These integers decide wherever
their rounding leaves no doubt; the float64 input decides the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

BLOCK = 32
"""Candidates per branch: two vectors of 16 or four of 8."""
HALF = 16
"""Candidates per branch where no more are left in the range."""
SHORT = 0.0861
"""Octaves by which the logarithm of the kernels, a broken line, falls short at most."""
ENERGY = 3
"""Where the energy stands, after up to three coordinates."""
MOST_RANGES = 14
"""Half the neighbours of a cell in three dimensions, and the cell itself."""
TOGETHER = 64
"""Candidates whose positions and energies are read at a time."""
FIXED, UNIFORM, GAUSSIAN = 0, 1, 2
LARGEST_GAUSSIAN = math.sqrt(66.0 * math.log(2.0)) * (1 + 1e-12)
"""No |N(0, 1)| drawn here exceeds it, as its uniform number is at least 2**-33."""

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX1 = np.uint64(0xBF58476D1CE4E5B9)
MIX2 = np.uint64(0x94D049BB133111EB)


class Pairing(NamedTuple):
    """When a pair is resonant: |e_i - e_j| < t_ij / r**alpha in a box, t_ij of a `law`."""

    box: float
    alpha: float
    t: float
    law: int


class Grid(NamedTuple):
    """How one level is searched: see `resonance_plan.Level` for what the numbers mean."""

    d: int
    spins: int
    shift: int
    gridded: int
    cells: int
    bins: int
    window: int
    lower2: float
    upper2: float
    half_alpha: float
    ceiling: float
    floor2: float
    inner2: float
    outer2: float
    sure_ceiling: float
    sure_inner2: float
    sure_outer2: float


@njit(nogil=True, cache=True)
def _mix(z: Any) -> Any:
    """Return the finalizer of splitmix64 (Steele, Lea and Flood 2014)."""
    z = (z ^ (z >> np.uint64(30))) * MIX1
    z = (z ^ (z >> np.uint64(27))) * MIX2
    return z ^ (z >> np.uint64(31))


@njit(nogil=True, cache=True)
def _coupling(law: int, key: Any, i: int, j: int) -> Any:
    """Return |t_ij| / t, a pure function of the key and the unordered pair."""
    if law == FIXED:
        return 1.0
    low, high = np.uint64(min(i, j)), np.uint64(max(i, j))
    bits = _mix(_mix(key + GOLDEN * (low + np.uint64(1))) + GOLDEN * (high + np.uint64(1)))
    if law == UNIFORM:
        return (np.float64(bits >> np.uint64(12)) + 0.5) * 2.0**-52
    first = (np.float64(bits >> np.uint64(32)) + 0.5) * 2.0**-32
    second = (np.float64(bits & np.uint64(0xFFFFFFFF)) + 0.5) * 2.0**-32
    return math.sqrt(-2.0 * math.log(first)) * abs(math.cos(2.0 * math.pi * second))


@njit(nogil=True, cache=True)
def draw_couplings(law: int, t: float, key: Any, i: Any, j: Any, out: Floats) -> None:
    """Write |t_ij| of the pairs (i, j) of one system."""
    for n in range(out.size):
        out[n] = t * _coupling(law, key, i[n], j[n])


@njit(nogil=True, cache=True)
def quantize(
    positions: Floats,
    energies: Floats,
    per_length: float,
    lowest: float,
    per_energy: float,
    rows: Ints,
    start: int,
    stop: int,
) -> None:
    """Write the integer coordinates and energy of each spin as one row of four."""
    for s in range(start, stop):
        for axis in range(positions.shape[1]):
            rows[s, axis] = np.int32(np.int64(positions[s, axis] * per_length))
        excess = (energies[s] - lowest) * per_energy if per_energy > 0.0 else 0.0
        rows[s, ENERGY] = np.int32(excess)


@njit(nogil=True, cache=True)
def count_buckets(grid: Grid, rows: Ints, keys: Ints, counts: Ints, start: int, stop: int) -> None:
    """Write the key (system, cell, energy bin) of each spin, and count each bucket of keys."""
    system = start // grid.spins
    after = (system + 1) * grid.spins
    for s in range(start, stop):
        if s == after:
            system += 1
            after += grid.spins
        cell = np.int64(system)
        for axis in range(grid.gridded):
            fraction = np.int64(rows[s, axis]) & 0xFFFFFFFF
            cell = cell * grid.cells + ((fraction * grid.cells) >> 32)
        key = cell * grid.bins + ((np.int64(rows[s, ENERGY]) * grid.bins) >> 31)
        keys[s] = key
        counts[(key >> grid.shift) + 1] += 1


@njit(nogil=True, cache=True)
def fill_buckets(
    grid: Grid,
    rows: Ints,
    keys: Ints,
    rows_out: Ints,
    keys_out: Ints,
    numbers: Ints,
    begins: Ints,
    start: int,
    stop: int,
) -> None:
    """Append each row, with its key and number, to its bucket; `begins` turns into the ends."""
    for s in range(start, stop):
        key = keys[s]
        bucket = (key >> grid.shift) + 1
        n = begins[bucket]
        begins[bucket] = n + 1
        for axis in range(4):
            rows_out[n, axis] = rows[s, axis]
        keys_out[n], numbers[n] = key, s


@njit(nogil=True, cache=True)
def sort_buckets(
    grid: Grid,
    rows: Ints,
    keys: Ints,
    numbers: Ints,
    buckets: Ints,
    table: Ints,
    columns: Ints,
    order: Ints,
    start: int,
    stop: int,
) -> None:
    """Sort the rows of each bucket by key into columns; table[key + 1] is where a key ends."""
    for bucket in range(start, stop):
        begin, end = buckets[bucket], buckets[bucket + 1]
        first = bucket << grid.shift
        last = min(first + (1 << grid.shift), table.size - 1)
        table[first + 1 : last + 1] = 0
        for n in range(begin, end):
            table[keys[n] + 1] += 1
        total = begin
        for key in range(first + 1, last + 1):
            here = table[key]
            table[key] = total
            total += here
        for n in range(begin, end):
            key = keys[n] + 1
            place = table[key]
            table[key] = place + 1
            order[place] = n
        for place in range(begin, end):
            n = order[place]
            order[place] = numbers[n]
            for axis in range(grid.d):
                columns[axis, place] = rows[n, axis]
            columns[ENERGY, place] = rows[n, ENERGY]


@njit(nogil=True, cache=True)
def count_firsts(firsts: Ints, counts: Ints) -> None:
    """Count the pairs of each first spin."""
    for n in range(firsts.size):
        counts[firsts[n] + 1] += 1


@njit(nogil=True, cache=True)
def accumulate(counts: Ints) -> None:
    """Turn counts[part, 1 + key] into where the entries of a part with this key begin."""
    parts, size = counts.shape
    total = 0
    counts[:, 0] = 0
    for key in range(1, size):
        for part in range(parts):
            here = counts[part, key]
            counts[part, key] = total
            total += here


@njit(nogil=True, cache=True)
def place_pairs(firsts: Ints, seconds: Ints, begins: Ints, out: Ints) -> None:
    """Put the second spin of each pair where its first belongs."""
    for n in range(firsts.size):
        key = firsts[n] + 1
        out[begins[key]] = seconds[n]
        begins[key] += 1


@njit(nogil=True, cache=True)
def finish_pairs(ends: Ints, spins: int, first: Ints, second: Ints, start: int, stop: int) -> None:
    """Sort the partners of each spin and write both as indices within their system."""
    offset = start // spins * spins
    for s in range(start, stop):
        if s == offset + spins:
            offset = s
        begin, end = ends[s], ends[s + 1]
        if end - begin > 1:
            _sort(second, begin, end)
        for n in range(begin, end):
            first[n] = s - offset
            second[n] -= offset


@njit(inline="always")
def _sort(values: Ints, begin: int, end: int) -> None:
    """Sort values[begin:end] in place: by insertion, after Shell where there are many."""
    gap = 1
    while 9 * gap < end - begin:
        gap = 3 * gap + 1
    while gap > 0:
        for n in range(begin + gap, end):
            value = values[n]
            hole = n
            while hole >= begin + gap and values[hole - gap] > value:
                values[hole] = values[hole - gap]
                hole -= gap
            values[hole] = value
        gap //= 3


@njit(inline="always")
def _octaves(x: Any) -> Any:
    """Return 2**23 (log2(x) + 127), less up to 2**23 SHORT, for float32 x > 0."""
    return np.float32(np.float32(x).view(np.int32))


@njit(inline="always")
def _square(a: Any, b: Any) -> Any:
    """Return the square of a wrapped difference of coordinates."""
    x = np.float32(np.int32(a - b))
    return x * x


@njit(inline="always")
def _near(r2: Any, a: Any, b: Any, half_alpha: Any, ceiling: Any) -> Any:
    """Whether spins with energies a and b may be resonant; never false where they are."""
    de = np.float32(abs(np.int32(a - b))) - np.float32(1.5)
    return half_alpha * _octaves(r2) + _octaves(de) < ceiling


@njit(inline="always")
def _sure(r2: Any, a: Any, b: Any, half_alpha: Any, ceiling: Any) -> Any:
    """Whether spins with energies a and b are resonant; never true where they are not."""
    de = np.float32(abs(np.int32(a - b))) + np.float32(1.5)
    return half_alpha * _octaves(r2) + _octaves(de) < ceiling


@njit(inline="always")
def _near_1(c: Ints, s: int, n: Any, half_alpha: Any, ceiling: Any, floor2: Any) -> Any:
    """Whether spins s and n may be resonant, in one dimension."""
    r2 = _square(c[0, n], c[0, s]) - floor2
    return _near(r2, c[3, n], c[3, s], half_alpha, ceiling)


@njit(inline="always")
def _near_2(c: Ints, s: int, n: Any, half_alpha: Any, ceiling: Any, floor2: Any) -> Any:
    """Whether spins s and n may be resonant, in two dimensions."""
    r2 = _square(c[0, n], c[0, s]) - floor2 + _square(c[1, n], c[1, s])
    return _near(r2, c[3, n], c[3, s], half_alpha, ceiling)


@njit(inline="always")
def _near_3(c: Ints, s: int, n: Any, half_alpha: Any, ceiling: Any, floor2: Any) -> Any:
    """Whether spins s and n may be resonant, in three dimensions."""
    r2 = _square(c[0, n], c[0, s]) - floor2 + _square(c[1, n], c[1, s]) + _square(c[2, n], c[2, s])
    return _near(r2, c[3, n], c[3, s], half_alpha, ceiling)


@njit(inline="always")
def _any_near(
    d: int, size: int, c: Ints, s: Any, block: int, half_alpha: Any, ceiling: Any, floor2: Any
) -> bool:
    """Whether any of `size` spins from `block` on may be resonant with spin s."""
    any_near, s = False, np.uint64(s)
    if d == 1:
        for k in range(size):
            any_near |= _near_1(c, s, np.uint64(block + k), half_alpha, ceiling, floor2)
    elif d == 2:
        for k in range(size):
            any_near |= _near_2(c, s, np.uint64(block + k), half_alpha, ceiling, floor2)
    else:
        for k in range(size):
            any_near |= _near_3(c, s, np.uint64(block + k), half_alpha, ceiling, floor2)
    return any_near


@njit(inline="always")
def _which_near(
    d: int, c: Ints, s: Any, block: int, half_alpha: Any, ceiling: Any, floor2: Any
) -> Any:
    """Return one bit for each of the BLOCK spins from `block` on that may be resonant with s."""
    bits = np.uint32(0)
    if d == 1:
        for k in range(BLOCK):
            near = _near_1(c, s, np.uint64(block + k), half_alpha, ceiling, floor2)
            bits |= np.uint32(near) << np.uint32(k)
    elif d == 2:
        for k in range(BLOCK):
            near = _near_2(c, s, np.uint64(block + k), half_alpha, ceiling, floor2)
            bits |= np.uint32(near) << np.uint32(k)
    else:
        for k in range(BLOCK):
            near = _near_3(c, s, np.uint64(block + k), half_alpha, ceiling, floor2)
            bits |= np.uint32(near) << np.uint32(k)
    return bits


@njit(inline="always")
def _cells_ahead(grid: Grid, cell: int, cells: NDArray[np.int64]) -> int:
    """Write the neighbours of a cell, half of them, so that each pair of cells meets once."""
    every = 3**grid.gridded
    per_system = grid.cells**grid.gridded
    system = cell // per_system
    count = 0
    for code in range(every // 2 + 1, every):
        rest, left, scale, neighbour = code, cell - system * per_system, 1, 0
        for _ in range(grid.gridded):
            at = (left % grid.cells + rest % 3 - 1 + grid.cells) % grid.cells
            neighbour += at * scale
            rest //= 3
            left //= grid.cells
            scale *= grid.cells
        cells[count] = system * per_system + neighbour
        count += 1
    return count


@njit(inline="always")
def _note(
    grid: Grid,
    d: int,
    columns: Ints,
    order: Ints,
    s: int,
    block: int,
    end: int,
    first: Ints,
    second: Ints,
    found: int,
) -> int:
    """Write the pairs of spin s in a block that may be resonant, and return how many there are.

    Those that surely are have first < second, those in doubt first > second.
    """
    half_alpha, ceiling = np.float32(grid.half_alpha), np.float32(grid.ceiling)
    floor2 = np.float32(grid.floor2)
    inner2, outer2 = np.float32(grid.inner2), np.float32(grid.outer2)
    sure_inner2, sure_outer2 = np.float32(grid.sure_inner2), np.float32(grid.sure_outer2)
    sure_ceiling = np.float32(grid.sure_ceiling)
    bits = _which_near(d, columns, np.uint64(s), block, half_alpha, ceiling, floor2)
    if end - block < BLOCK:
        bits &= (np.uint32(1) << np.uint32(end - block)) - np.uint32(1)
    while bits != 0:
        lowest = bits & (~bits + np.uint32(1))
        bits ^= lowest
        other = int(block + (np.float32(lowest).view(np.int32) >> 23) - 127)
        r2 = np.float32(0.0)
        for axis in range(d):
            r2 += _square(columns[axis, other], columns[axis, s])
        sure = (sure_inner2 <= r2) & (r2 < sure_outer2)
        sure &= _sure(r2, columns[ENERGY, other], columns[ENERGY, s], half_alpha, sure_ceiling)
        low, high = min(order[s], order[other]), max(order[s], order[other])
        first[found], second[found] = (low, high) if sure else (high, low)
        found += int((inner2 <= r2) & (r2 <= outer2))
    return found


@njit(inline="always")
def _search_bin(
    grid: Grid,
    d: int,
    columns: Ints,
    order: Ints,
    s: int,
    stop: int,
    begins: Any,
    ends: Any,
    ranges: int,
    first: Ints,
    second: Ints,
    found: int,
) -> tuple[int, int]:
    """Search the spins from s to stop, which are in one bin, and so have the same ranges.

    Returns how many pairs there are then, and the spin to go on with.
    """
    half_alpha, ceiling = np.float32(grid.half_alpha), np.float32(grid.ceiling)
    floor2 = np.float32(grid.floor2)
    while s < stop:
        before = found
        block = s + 1
        for n in range(ranges):
            if n > 0:
                block = begins[n]
            while block < ends[n]:
                # Written twice, so that the compiler knows both numbers.
                if ends[n] - block <= HALF:
                    near = _any_near(d, HALF, columns, s, block, half_alpha, ceiling, floor2)
                else:
                    near = _any_near(d, BLOCK, columns, s, block, half_alpha, ceiling, floor2)
                if near:
                    if found + BLOCK > first.size:
                        return before, s
                    found = _note(grid, d, columns, order, s, block, ends[n], first, second, found)
                block += BLOCK
        s += 1
    return found, s


@njit(nogil=True, cache=True)
def keep_resonant(
    grid: Grid,
    pairing: Pairing,
    positions: Floats,
    energies: Floats,
    hash_keys: NDArray[np.uint64],
    first: Ints,
    second: Ints,
    number: int,
) -> int:
    """Drop the candidates that are no resonant pairs of this level; return how many stay.

    This is the definition of a resonant pair, for those in doubt: with first > second. Distances
    and energies of some are read together, since each is a miss of the cache.
    """
    box, half_alpha = pairing.box, 0.5 * pairing.alpha
    r2, de = np.empty(TOGETHER), np.empty(TOGETHER)
    kept = 0
    for start in range(0, number, TOGETHER):
        stop = min(start + TOGETHER, number)
        for n in range(start, stop):
            i, j = first[n], second[n]
            if i < j:
                continue
            total = 0.0
            for axis in range(positions.shape[1]):
                x = abs(positions[i, axis] - positions[j, axis])
                x = min(x, box - x)
                total += x * x
            r2[n - start] = total
            de[n - start] = abs(energies[i] - energies[j])
        for n in range(start, stop):
            i, j = min(first[n], second[n]), max(first[n], second[n])
            if i < first[n]:
                square = r2[n - start]
                if square < grid.lower2 or square >= grid.upper2:
                    continue
                system = i // grid.spins
                offset = system * grid.spins
                t = pairing.t * _coupling(pairing.law, hash_keys[system], i - offset, j - offset)
                if de[n - start] * square**half_alpha >= t:
                    continue
            first[kept], second[kept] = i, j
            kept += 1
    return kept


def _search(d: int) -> Callable[..., tuple[int, int]]:
    """Return the search in d dimensions: one that knows d is faster by a tenth."""

    # Without numba's reference counts, whose atomic increments at each inlined call took most of
    # the time. It may not allocate, hence the `scratch`.
    @njit(nogil=True, cache=True, fastmath={"contract"}, _nrt=False)  # type: ignore[call-overload, untyped-decorator]
    def search(
        grid: Grid,
        columns: Ints,
        order: Ints,
        table: Ints,
        start: int,
        stop: int,
        budget: int,
        scratch: NDArray[np.int64],
        first: Ints,
        second: Ints,
    ) -> tuple[int, int]:
        """Write the pairs that may be resonant: sorted spins from `start` on, with spins ahead.

        Returns how many, and the spin to go on with: `stop`, or an earlier one when `budget`
        blocks were tested or the pairs of the next spin may not fit.
        """
        ahead, begins, ends = scratch[0], scratch[1], scratch[2]
        last_cell, neighbours = -1, 0
        found, blocks = 0, 0
        key = int(np.searchsorted(table, start, side="right")) - 1
        s = start
        while s < stop:
            while table[key + 1] <= s:
                key += 1
            cell = key // grid.bins
            if cell != last_cell:
                neighbours = _cells_ahead(grid, cell, ahead)
                last_cell = cell
            lowest = max(key - cell * grid.bins - grid.window, 0)
            highest = min(key - cell * grid.bins + grid.window, grid.bins - 1)
            begins[0], ends[0] = s, table[cell * grid.bins + highest + 1]
            ranges, candidates = 1, ends[0] - s
            for n in range(neighbours):
                begin = table[ahead[n] * grid.bins + lowest]
                end = table[ahead[n] * grid.bins + highest + 1]
                if end > begin:
                    begins[ranges], ends[ranges] = begin, end
                    ranges += 1
                    candidates += end - begin
            last = min(table[key + 1], stop)
            blocks += (last - s) * (ranges + candidates // BLOCK)
            found, s = _search_bin(
                grid, d, columns, order, s, last, begins, ends, ranges, first, second, found
            )
            if s < last or blocks >= budget:
                return found, s
        return found, stop

    return search  # type: ignore[no-any-return]


SEARCH = {d: _search(d) for d in (1, 2, 3)}
"""The search by number of dimensions; each is compiled when it is first called."""
