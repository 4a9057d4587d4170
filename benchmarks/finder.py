"""The finder of resonant pairs against trees, brute force, one sort, and its own growth.

Peers run in the same process, on one thread, on the same spins, and must find the same pairs.
Times are processor time, the least of a few runs, without compilation.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from scipy.spatial import cKDTree

from benchmarks.report import Row
from delocal.physics.resonances import resonant_pairs, resonant_pairs_batched

COMMAND = "python -m benchmarks"
CASES = {1: (1.5, 20.0), 2: (3.0, 20.0), 3: (3.0, 100.0)}
"""d: (alpha, W); t = rho = rmin = 1, rmax = L/2."""
OF_ARGSORT = {1: 2.0, 2: 3.5, 3: 6.5}
RATIOS = {1: (4.0, 16.0, 64.0), 2: (3.0, 4.0, 8.0), 3: (3.0, 4.0, 6.0)}
"""d: ratios of the radii of shells given to the tree; the best counts."""
BLOCK = 64
Spins = tuple[np.ndarray, np.ndarray, float]
Pairs = tuple[np.ndarray, np.ndarray]


def rows(
    small: int = 10**5, large: int = 10**6, huge: int = 10**7, systems: int = 100, repeats: int = 3
) -> list[Row]:
    """Return every claim about the finder, for d = 1, 2, 3.

    The defaults take two minutes, most of them the peers'.
    """
    _compile()
    found = [Row("finder: compilation, s", _cold_start(), None, "lower", COMMAND)]
    for d in CASES:
        found += _one_dimension(d, small, large, huge, systems, repeats)
    return found


def _one_dimension(
    d: int, small: int, large: int, huge: int, systems: int, repeats: int
) -> list[Row]:
    alpha, W = CASES[d]
    name = f"finder, d={d}: "
    spins = sample(d, small, W)
    expected = resonant_pairs(*spins[:2], box=spins[2], alpha=alpha)
    ours = _cpu(lambda: resonant_pairs(*spins[:2], box=spins[2], alpha=alpha), repeats)
    brute = _cpu(lambda: _assert_same(brute_force(spins, alpha), expected), 1)
    trees = {q: _cpu(lambda: _assert_same(tree(spins, alpha, q), expected), 1) for q in RATIOS[d]}  # noqa: B023
    q = min(trees, key=trees.__getitem__)
    found = [
        _row(f"{name}cKDTree / ours, N={small:,}", trees[q] / ours, 20, "higher"),
        _row(f"{name}brute force / ours, N={small:,}", brute / ours, 85, "higher"),
    ]

    spins = sample(d, large, W)
    expected = resonant_pairs(*spins[:2], box=spins[2], alpha=alpha)
    search = _cpu(lambda: resonant_pairs(*spins[:2], box=spins[2], alpha=alpha), repeats)
    argsort = _cpu(lambda: np.argsort(spins[1]), repeats)
    plain = _plain_argsort(d, large, W, repeats)
    peer = _cpu(lambda: _assert_same(tree(spins, alpha, q), expected), 1)
    walls = [
        _wall(lambda: resonant_pairs(*spins[:2], box=spins[2], alpha=alpha, threads=n), repeats)  # noqa: B023
        for n in (1, 2)
    ]
    found += [
        _row(f"{name}cKDTree / ours, N={large:,}", peer / search, 25, "higher"),
        _row(f"{name}ours / numpy argsort, N={large:,}", search / plain, OF_ARGSORT[d], "lower"),
        _row(f"{name}ours / numpy argsort with SIMD, N={large:,}", search / argsort, None, "lower"),
        _row(f"{name}ns per spin, N={large:,}", 1e9 * search / large, None, "lower"),
        _row(f"{name}one thread / two, N={large:,}", walls[0] / walls[1], 1.6, "higher"),
    ]

    spins = sample(d, huge, W)
    search = _cpu(
        lambda: resonant_pairs(*spins[:2], box=spins[2], alpha=alpha), max(1, repeats - 1)
    )
    growth = (search / huge) / (ours / small)
    memory = _peak_bytes(lambda: resonant_pairs(*spins[:2], box=spins[2], alpha=alpha)) / huge
    found += [
        _row(f"{name}ns per spin, N={huge:,} / {small:,}", growth, 3, "lower"),
        _row(f"{name}extra bytes per spin, N={huge:,}", memory, 80, "lower"),
    ]

    each = small // 10
    many = [sample(d, each, W, seed) for seed in range(systems)]
    x, e, box = np.array([s[0] for s in many]), np.array([s[1] for s in many]), many[0][2]
    one = resonant_pairs_batched(x, e, box=box, alpha=alpha)
    _assert_same((one[1][: one[0][1]], one[2][: one[0][1]]), brute_force(many[0], alpha))
    batch = _cpu(lambda: resonant_pairs_batched(x, e, box=box, alpha=alpha), repeats) / systems
    brute = _cpu(lambda: brute_force(many[0], alpha), repeats)
    what = f"{name}brute force / ours, {systems} systems of {each:,}"
    return [*found, _row(what, brute / batch, 15, "higher")]


def _plain_argsort(d: int, N: int, W: float, repeats: int) -> float:
    """Return the time of one argsort of the energies by comparisons, in a process of its own.

    Where the processor has AVX-512, numpy's argsort is another algorithm, five times as fast and
    not to be compared with over machines; so numpy is told to use no more than its baseline.
    """
    code = f"""
import numpy as np
from benchmarks.finder import _cpu, sample
energies = sample({d}, {N}, {W})[1]
print(_cpu(lambda: np.argsort(energies), {repeats}))
"""
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    return float(_run(code, NPY_DISABLE_CPU_FEATURES=" ".join(found)))


def sample(d: int, N: int, W: float, seed: int = 0) -> Spins:
    """Return positions, energies and the side of the box, at density 1."""
    rng = np.random.default_rng([seed, d, N])
    box = N ** (1 / d)
    return rng.random((N, d)) * box, rng.uniform(-W / 2, W / 2, N), box


def tree(spins: Spins, alpha: float, ratio: float) -> Pairs:
    """Find the pairs with one cKDTree in (x, e) for each shell of radii [r, ratio r).

    In a shell |e_i - e_j| < r**-alpha, so that lengths are measured in ratio r, energies in
    r**-alpha, and a pair is within 1 of each other by the largest difference of coordinates.
    """
    x, e, box = spins
    found = []
    lower = 1.0
    while lower < box / 2:
        upper = min(ratio * lower, box / 2)
        scaled = np.column_stack([x / upper, (e - e.min()) * lower**alpha])
        inside = [*[box / upper] * x.shape[1], 0.0]
        index = cKDTree(scaled, boxsize=inside, balanced_tree=False, compact_nodes=False)
        i, j = index.query_pairs(1.0, p=np.inf, output_type="ndarray").T
        found.append(_resonant(spins, alpha, i, j, lower, upper))
        lower = upper
    i, j = np.concatenate(found, axis=1)
    order = np.argsort(i * len(x) + j)
    return i[order], j[order]


def _resonant(
    spins: Spins, alpha: float, i: np.ndarray, j: np.ndarray, lower: float, upper: float
) -> np.ndarray:
    x, e, box = spins
    dx = np.abs(x[i] - x[j])
    dx = np.minimum(dx, box - dx)
    r2 = sum((column * column for column in dx.T), np.zeros(len(dx)))
    near = (lower**2 <= r2) & (r2 < upper**2)
    near &= np.abs(e[i] - e[j]) * r2 ** (alpha / 2) < 1
    return np.sort([i[near], j[near]], axis=0)


def brute_force(spins: Spins, alpha: float) -> Pairs:
    """Look at every pair: in blocks of vectors, without a power, for 2 alpha = 3 or 6."""
    x, e, box = spins
    size = len(e)
    padded = np.zeros((3, size + BLOCK))
    padded[: x.shape[1], :size] = x.T
    energies = np.full(size + BLOCK, np.inf)
    energies[:size] = e
    first, second = np.empty(4 * size, np.int32), np.empty(4 * size, np.int32)
    args = (padded, energies, box, alpha == 1.5, size, first, second)
    number = (_brute_1, _brute_2, _brute_3)[x.shape[1] - 1](*args)
    return first[:number], second[:number]


def _brute(d: int) -> Callable[..., int]:
    @njit(fastmath={"contract", "nsz", "arcp"})
    def find(x, e, box, short, size, first, second):  # type: ignore[no-untyped-def]
        found, upper2 = 0, 0.25 * box * box
        for i in range(size):
            for block in range(i + 1, size, BLOCK):
                near = False
                for k in range(BLOCK):
                    j = np.uint64(block + k)
                    r2 = 0.0
                    for axis in range(d):
                        dx = abs(x[axis, j] - x[axis, i])
                        dx = min(dx, box - dx)
                        r2 += dx * dx
                    de = e[j] - e[i]
                    power = r2 * math.sqrt(r2) if short else r2 * r2 * r2
                    near |= (de * de * power < 1.0) & (r2 >= 1.0) & (r2 < upper2)
                if not near:
                    continue
                for j in range(block, min(block + BLOCK, size)):
                    r2 = 0.0
                    for axis in range(d):
                        dx = abs(x[axis, j] - x[axis, i])
                        dx = min(dx, box - dx)
                        r2 += dx * dx
                    power = r2 * math.sqrt(r2) if short else r2 * r2 * r2
                    if (e[j] - e[i]) ** 2 * power < 1.0 and 1.0 <= r2 < upper2:
                        first[found], second[found] = i, j
                        found += 1
        return found

    return find  # type: ignore[no-any-return]


_brute_1, _brute_2, _brute_3 = (_brute(d) for d in (1, 2, 3))


def _compile() -> None:
    for d, (alpha, W) in CASES.items():
        spins = sample(d, 64, W)
        resonant_pairs(*spins[:2], box=spins[2], alpha=alpha)
        brute_force(spins, alpha)


def _cold_start() -> float:
    """Return the seconds of the first search with nothing in the cache, less those of the next."""
    code = """
import time
import numpy as np
from delocal.physics.resonances import resonant_pairs
times = [time.perf_counter()]
for _ in range(2):
    resonant_pairs(np.eye(3), np.zeros(3), box=4.0, alpha=3.0)
    times.append(time.perf_counter())
print(2 * times[1] - times[0] - times[2])
"""
    with tempfile.TemporaryDirectory() as folder:
        return float(_run(code, NUMBA_CACHE_DIR=folder))


def _run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout


def _assert_same(found: Pairs, expected: Pairs) -> None:
    if not all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True)):
        raise AssertionError("a peer found other pairs")


def _row(name: str, value: float, bar: float | None, better: Any) -> Row:
    return Row(name, value, bar, better, COMMAND)


def _cpu(work: Callable[[], Any], repeats: int) -> float:
    return _least(work, repeats, time.process_time)


def _wall(work: Callable[[], Any], repeats: int) -> float:
    return _least(work, repeats, time.perf_counter)


def _least(work: Callable[[], Any], repeats: int, clock: Callable[[], float]) -> float:
    best = math.inf
    for _ in range(repeats):
        began = clock()
        work()
        best = min(best, clock() - began)
    return best


def _peak_bytes(work: Callable[[], Any]) -> int:
    """Return the most bytes of arrays that were held at a time, beyond those before."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak
