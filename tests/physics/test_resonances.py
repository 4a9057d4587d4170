"""The finder of resonant pairs against brute force, a k-d tree, symmetries and the exact laws."""

import itertools
import math
import threading
import time

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.spatial import cKDTree
from scipy.stats import chi2, kstest

from delocal.physics import resonance_plan, resonance_search
from delocal.physics.resonances import (
    Cancelled,
    Level,
    couplings,
    plan_levels,
    resonant_pairs,
    resonant_pairs_batched,
)

RANGES = [(1, 1.5), (1, 0.7), (1, 3.0), (2, 3.0), (2, 2.3), (2, 1.5), (3, 3.0), (3, 2.9), (3, 6.5)]
CASES = [(1, 1.5), (2, 3.0), (3, 3.0)]


SPREAD = np.append(np.geomspace(1e-320, 1e308, 39), -1e308)


def sample(d, N, W=20.0, seed=0, rho=1.0):
    """Return positions, energies and the side of the box."""
    rng = np.random.default_rng([seed, d])
    box = (N / rho) ** (1 / d)
    return rng.random((N, d)) * box, rng.uniform(-W / 2, W / 2, N), box


def brute_force(x, e, *, box, alpha, t=1.0, rmin=1.0, rmax=None, coupling="fixed", key=0):
    """Return all resonant pairs by looking at each."""
    firsts, seconds = [np.zeros(0, int)], [np.zeros(0, int)]
    for i in range(len(x) - 1):
        dx = np.abs(x[i] - x[i + 1 :])
        dx = np.minimum(dx, box - dx)
        r2 = sum(column * column for column in dx.T)
        j = np.arange(i + 1, len(x))
        t_ij = couplings(i, j, t=t, coupling=coupling, key=key)
        with np.errstate(over="ignore"):
            resonant = np.abs(e[i] - e[j]) * r2 ** (alpha / 2) < t_ij
        resonant &= (rmin**2 <= r2) & (r2 < (rmax or box / 2) ** 2)
        seconds.append(j[resonant])
        firsts.append(np.full(len(seconds[-1]), i))
    return np.concatenate(firsts), np.concatenate(seconds)


def same(found, expected):
    return all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("rmin", [0, 1, 2])
@pytest.mark.parametrize(("d", "alpha"), RANGES)
def test_finds_what_brute_force_finds(d, alpha, rmin):
    x, e, box = sample(d, 4000)
    search = {"box": box, "alpha": alpha, "rmin": rmin}
    expected = brute_force(x, e, **search)
    found = resonant_pairs(x, e, **search)
    assert len(expected[0]) > 20
    assert same(found, expected)
    assert found[0].dtype == found[1].dtype == np.int32


@pytest.mark.parametrize("off", [1e-13, 1e-10, 1e-8, 1e-6, 1e-3, 0.2])
@pytest.mark.parametrize(("d", "alpha"), RANGES)
def test_pairs_at_the_threshold_are_decided_by_the_input(d, alpha, off):
    rng = np.random.default_rng([d, int(10 * alpha), int(-np.log10(off))])
    x, e, box = sample(d, 2000, seed=3)
    step = rng.standard_normal((1000, d))
    r = 10.0 ** rng.uniform(-1, np.log10(0.49 * box), 1000)
    step *= (r / np.linalg.norm(step, axis=1))[:, np.newaxis]
    x[1::2] = np.mod(x[::2] + step, box)
    e[1::2] = e[::2] + r**-alpha * (1 + off * rng.choice([-1, 1], 1000))
    for rmin, rmax in ((0.0, None), (float(sorted(r)[500]), float(max(r)))):
        search = {"box": box, "alpha": alpha, "rmin": rmin, "rmax": rmax}
        assert same(resonant_pairs(x, e, **search), brute_force(x, e, **search))


@pytest.mark.parametrize("t", [1e-3, 0.3, 40.0])
@pytest.mark.parametrize("coupling", ["fixed", "uniform", "gaussian"])
@pytest.mark.parametrize(("d", "alpha"), CASES)
def test_finds_them_for_every_coupling(d, alpha, coupling, t):
    x, e, box = sample(d, 2000, seed=1)
    search = {"box": box, "alpha": alpha, "rmin": 0.5, "t": t, "coupling": coupling, "key": 2**63}
    assert same(resonant_pairs(x, e, **search), brute_force(x, e, **search))


@pytest.mark.parametrize("window", [1, 3, 8])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_any_plan_finds_the_same(d, window):
    x, e, box = sample(d, 3000)
    search = {"box": box, "alpha": 2.7, "rmin": 0.0, "t": 2.0}
    expected = resonant_pairs(x, e, **search)
    cuts = np.array([0.0, 0.1, 1.0, 1.7, box / 4, box / 2])
    for gridded in range(d + 1):
        plan = [Level(a, b, gridded, window) for a, b in itertools.pairwise(cuts)]
        assert same(resonant_pairs(x, e, plan=plan, **search), expected)
        assert same(
            resonant_pairs(x, e, plan=[Level(0.0, box / 2, gridded, window)], **search), expected
        )


@pytest.mark.parametrize(("d", "alpha"), CASES)
def test_finds_what_a_tree_finds(d, alpha):
    x, e, box = sample(d, 100_000, W=100.0)
    rmax = {1: 40.0, 2: 7.0, 3: 3.5}[d]
    tree = cKDTree(x, boxsize=box)
    i, j = tree.query_pairs(rmax, output_type="ndarray").T
    dx = np.abs(x[i] - x[j])
    dx = np.minimum(dx, box - dx)
    r2 = sum(column * column for column in dx.T)
    near = (np.abs(e[i] - e[j]) * r2 ** (alpha / 2) < 1) & (r2 >= 1) & (r2 < rmax**2)
    i, j = i[near], j[near]
    order = np.lexsort((j, i))
    found = resonant_pairs(x, e, box=box, alpha=alpha, rmax=rmax)
    assert len(i) > 1000
    assert same(found, (i[order], j[order]))


@pytest.mark.parametrize("d", [1, 2, 3])
def test_permuted_spins_have_permuted_pairs(d):
    x, e, box = sample(d, 5000)
    order = np.random.default_rng(3).permutation(len(x))
    i, j = resonant_pairs(x[order], e[order], box=box, alpha=3.0)
    pairs = np.sort([order[i], order[j]], axis=0)
    pairs = pairs[:, np.lexsort(pairs[::-1])]
    assert same(tuple(pairs), resonant_pairs(x, e, box=box, alpha=3.0))


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_box_is_a_torus(d):
    """Positions on a lattice of powers of two, where shifts are exact."""
    rng = np.random.default_rng(4)
    box = 16.0
    x, e = rng.integers(0, 2**12, (3000, d)) / 2.0**8, rng.uniform(-5, 5, 3000)
    expected = resonant_pairs(x, e, box=box, alpha=2.5)
    for shift in (3.25, -7.5, 16.0, -4096.0 * 16):
        assert same(resonant_pairs(x + shift, e, box=box, alpha=2.5), expected)
    assert same(resonant_pairs(x, e + 0.0, box=box, alpha=2.5), expected)


def test_threads_and_batches_change_nothing(monkeypatch):
    x, e, box = sample(2, 60_000)
    search = {"box": box, "alpha": 3.0, "coupling": "gaussian", "key": 11}
    expected = resonant_pairs(x, e, **search)
    for threads in (2, 3):
        assert same(resonant_pairs(x, e, threads=threads, **search), expected)
    for name, value in [("BATCH", 7001), ("BLOCKS", 100), ("BUFFER", 40)]:
        monkeypatch.setattr(resonance_search, name, value)
        assert same(
            resonant_pairs(x[:9000], e[:9000], threads=2, **search),
            resonant_pairs(x[:9000], e[:9000], **search),
        )
    assert same(resonant_pairs(x, e, **search), expected)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("size", [3, 400, 10**6])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_sorting_in_buckets_changes_nothing(d, size, threads, monkeypatch):
    x, e, box = sample(d, 20_000)
    expected = resonant_pairs(x, e, box=box, alpha=3.0)
    monkeypatch.setattr(resonance_search, "DIRECT", 0)
    monkeypatch.setattr(resonance_search, "BUCKET", size)
    assert same(resonant_pairs(x, e, box=box, alpha=3.0, threads=threads), expected)
    parts = resonant_pairs_batched(
        x.reshape(4, -1, d), e.reshape(4, -1), box=box, alpha=3.0, threads=threads
    )
    monkeypatch.undo()
    assert same(
        parts, resonant_pairs_batched(x.reshape(4, -1, d), e.reshape(4, -1), box=box, alpha=3.0)
    )


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_a_batch_is_its_systems(d, threads, monkeypatch):
    monkeypatch.setattr(resonance_search, "GROUP", 1500)
    systems = [sample(d, 500, seed=seed) for seed in range(7)]
    box = systems[0][2]
    search = {"box": box, "alpha": 2.5, "rmin": 0.5, "coupling": "uniform"}
    x, e = np.array([s[0] for s in systems]), np.array([s[1] for s in systems])
    offsets, i, j = resonant_pairs_batched(x, e, keys=range(7), threads=threads, **search)
    assert offsets[0] == 0
    assert offsets[-1] == len(i) == len(j)
    for s in range(7):
        pairs = slice(offsets[s], offsets[s + 1])
        assert same((i[pairs], j[pairs]), resonant_pairs(x[s], e[s], key=s, **search))


@pytest.mark.parametrize("coupling", ["fixed", "uniform", "gaussian"])
@pytest.mark.parametrize(("d", "alpha", "W"), [(1, 1.5, 20), (2, 3, 20), (3, 3, 100)])
def test_pairs_per_octave_follow_the_exact_law(d, alpha, W, coupling):
    """chi2 of the counts, whose variance is mean (1 + 2 N1) as pairs share spins."""
    N = 100_000
    x, e, box = sample(d, N, W=float(W), seed=5)
    i, j = resonant_pairs(x, e, box=box, alpha=alpha, coupling=coupling, key=5)
    dx = np.abs(x[i] - x[j])
    r = np.sqrt((np.minimum(dx, box - dx) ** 2).sum(axis=1))
    edges = np.append(2.0 ** np.arange(math.floor(math.log2(box / 2))), box / 2)
    counts = np.histogram(r, edges)[0]
    area = {1: 2, 2: 2 * math.pi, 3: 4 * math.pi}[d]

    def partners(a, b):
        law = quad(lambda r: r ** (d - 1) * resonant_fraction(W * r**alpha, coupling), a, b)
        return area * (N - 1) / box**d * law[0]

    N1 = np.array([partners(*edge) for edge in itertools.pairwise(edges)])
    mean = N * N1 / 2
    enough = mean > 20
    z = (counts - mean)[enough] / np.sqrt(mean * (1 + 2 * N1))[enough]
    assert enough.sum() >= 4
    assert chi2.sf((z**2).sum(), enough.sum()) > 1e-3
    total = np.sqrt((mean * (1 + 2 * N1.sum())).sum())
    assert abs(counts.sum() - mean.sum()) < 4 * total


def resonant_fraction(width, coupling):
    """Return P(|e - e'| < |t_ij|) of energies uniform on a width, in units of t."""
    y = 1 / width
    if coupling == "fixed":
        return 2 * y - y * y if y < 1 else 1.0
    if coupling == "uniform":
        return y - y * y / 3 if y < 1 else 1 - 1 / (3 * y)
    g = np.linspace(0, 8, 2001)
    q = np.where(g * y < 1, 2 * g * y - (g * y) ** 2, 1)
    return np.trapezoid(q * np.exp(-g * g / 2), g) * math.sqrt(2 / math.pi)


@pytest.mark.parametrize(("coupling", "law"), [("uniform", "uniform"), ("gaussian", "halfnorm")])
def test_couplings_follow_their_law(coupling, law):
    i = np.arange(40_000)
    for j in (i + 1, 7 * i + 3, np.full_like(i, 2**30)):
        drawn = couplings(i, j, t=2.0, coupling=coupling, key=1)
        assert kstest(drawn / 2, law).pvalue > 1e-4
        assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 5 / math.sqrt(i.size)
        other = couplings(i, j, t=2.0, coupling=coupling, key=2)
        assert abs(np.corrcoef(drawn, other)[0, 1]) < 5 / math.sqrt(i.size)
        assert np.array_equal(drawn, couplings(j, i, t=2.0, coupling=coupling, key=1))


def test_couplings_never_exceed_what_the_search_reaches():
    """The largest value of the formula itself, at the smallest u that 32 bits can give."""
    assert math.sqrt(-2 * math.log(0.5 * 2.0**-32)) <= resonance_plan.LARGEST["gaussian"]
    assert couplings(np.arange(10**5), 10**6, coupling="gaussian").max() < 6.77


@pytest.mark.parametrize("d", [1, 2, 3])
def test_degenerate_systems(d):
    box, N = 4.0, 40
    every = tuple(np.triu_indices(N, 1))
    x = np.random.default_rng(0).random((N, d)) * box
    none = (np.zeros(0), np.zeros(0))
    search = {"box": box, "alpha": 2.0}
    assert same(resonant_pairs(np.zeros((0, d)), [], **search), none)
    assert same(resonant_pairs(np.zeros((1, d)), [0.0], **search), none)
    assert same(resonant_pairs(x, np.arange(N), t=0.0, **search), none)
    one_place = np.full((N, d), 1.7)
    assert same(resonant_pairs(one_place, np.arange(N), rmin=0.0, **search), every)
    assert same(resonant_pairs(one_place, np.arange(N), rmin=0.1, **search), none)
    for rmin in (0.0, 0.7):
        for energies in (
            np.zeros(N),
            np.full(N, -3e9),
            np.repeat([1.0, 1.0 + 1e-12], N // 2),
            SPREAD,
        ):
            expected = brute_force(x, energies, rmin=rmin, **search)
            assert same(resonant_pairs(x, energies, rmin=rmin, **search), expected)


@pytest.mark.parametrize("alpha", [0.01, 12.0, 60.0])
def test_extreme_ranges(alpha):
    x, e, box = sample(2, 1500)
    e[::3] = np.round(e[::3])  # equal energies resonate at any distance
    for rmin in (0.0, 1.0):
        search = {"box": box, "alpha": alpha, "rmin": rmin, "t": 0.5}
        expected = brute_force(x, e, **search)
        assert same(resonant_pairs(x, e, **search), expected)
        assert len(expected[0]) > 1000


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e7])
def test_clusters_in_any_box(size):
    """Neither positions nor energies need be uniform, nor lengths near 1."""
    rng = np.random.default_rng(6)
    x = size * rng.normal(0, 1e-3, (1500, 2)) + size * rng.integers(0, 3, (1500, 1)) / 3
    e = rng.standard_cauchy(1500)
    x -= size * np.floor(x / size)
    search = {"box": size, "alpha": 3.0, "t": 1e-7 * size**3, "rmin": 1e-4 * size}
    assert same(resonant_pairs(x, e, **search), brute_force(x, e, **search))


def test_a_search_can_be_cancelled():
    x, _, box = sample(2, 40_000)
    e = np.zeros(len(x))  # every pair is resonant: 800 million
    asked = []

    def after_a_while():
        asked.append(time.process_time())  # which others on the machine do not lengthen
        return len(asked) > 20

    for threads in (1, 2):
        asked.clear()
        with pytest.raises(Cancelled, match="cancelled"):
            resonant_pairs(x, e, box=box, alpha=3.0, threads=threads, cancelled=after_a_while)
        assert np.median(np.diff(asked)) < 0.5
        assert len(asked) <= 20 + threads
    with pytest.raises(Cancelled):
        resonant_pairs_batched(
            x.reshape(4, -1, 2), e.reshape(4, -1), box=box, alpha=3.0, cancelled=lambda: True
        )


def test_searches_run_in_threads_at_once():
    x, e, box = sample(3, 20_000)
    expected = resonant_pairs(x, e, box=box, alpha=3.0)
    results = []
    callers = [
        threading.Thread(
            target=lambda: results.append(resonant_pairs(x, e, box=box, alpha=3.0, threads=2))
        )
        for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(results) == 4
    assert all(same(found, expected) for found in results)


def test_read_only_and_strided_input():
    x, e, box = sample(3, 500)
    expected = resonant_pairs(x, e, box=box, alpha=3.0)
    wide = np.zeros((500, 6))
    wide[:, ::2] = x
    fixed = e.copy()
    fixed.flags.writeable = False
    assert same(resonant_pairs(wide[:, ::2], fixed, box=box, alpha=3.0), expected)


@pytest.mark.parametrize("N", [10**3, 10**6, 10**9])
@pytest.mark.parametrize("rmin", [0.0, 1.0])
def test_levels_tile_the_shell(N, rmin):
    for d, alpha in RANGES:
        box = N ** (1 / d)
        plan = plan_levels(N, d, box=box, alpha=alpha, t=1.0, width=20.0, rmin=rmin, rmax=box / 2)
        assert plan[0].lower == rmin
        assert plan[-1].upper == box / 2
        assert all(a.upper == b.lower for a, b in itertools.pairwise(plan))


WRONG = [
    ({"box": 0.0}, "box = 0.0 must be positive"),
    ({"box": math.nan}, "box = nan"),
    ({"alpha": -1.0}, "alpha = -1.0 must be positive"),
    ({"t": -1.0}, "t = -1.0 must be at least 0"),
    ({"t": math.inf}, "t = inf"),
    ({"rmin": -0.1}, "rmin = -0.1"),
    ({"rmax": 5.1}, "rmax = 5.1 <= box / 2 = 5.0"),
    ({"rmin": 3.0, "rmax": 3.0}, "rmin = 3.0 < rmax = 3.0"),
    ({"coupling": "cauchy"}, "no coupling 'cauchy'; known: fixed, uniform, gaussian"),
    ({"threads": 0}, "threads = 0"),
    ({"positions": np.zeros((3, 4))}, "d = 4"),
    ({"positions": np.zeros(3)}, "positions has 1 dimensions"),
    ({"energies": np.zeros(4)}, r"energies of shape \(3,\), not \(4,\)"),
    ({"energies": [0, 1, math.nan]}, "energies must be finite"),
    ({"positions": [[0.0], [math.inf], [1.0]]}, "positions must be finite"),
    ({"plan": [Level(1.0, 4.0, 0, 1)]}, r"must tile \[1.0, 5.0\)"),
    ({"plan": [Level(1.0, 5.0, 2, 1)]}, "gridded"),
]


@pytest.mark.parametrize(("changed", "message"), WRONG, ids=[message for _, message in WRONG])
def test_what_makes_no_sense_is_refused(changed, message):
    arguments = {
        "positions": np.arange(3.0)[:, None],
        "energies": np.zeros(3),
        "box": 10.0,
        "alpha": 2.0,
    }
    arguments |= changed
    with pytest.raises(ValueError, match=message):
        resonant_pairs(arguments.pop("positions"), arguments.pop("energies"), **arguments)


def test_a_batch_needs_its_keys():
    with pytest.raises(ValueError, match="2 keys for 3 systems"):
        resonant_pairs_batched(np.zeros((3, 2, 1)), np.zeros((3, 2)), box=4, alpha=1, keys=[1, 2])
