"""Clusters and winding against slow and obvious code, thresholds against the literature."""

from collections import deque

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from delocal.physics.disorder import stream
from delocal.physics.percolation import clusters, growth, mean_degree
from delocal.physics.thresholds import crossing, curve

# Wrapping probabilities at the threshold, d = 2: Newman and Ziff (2001), after Pinson (1994);
# d = 3: Wang et al. (2013). Degrees of overlapping discs and spheres: 4 eta_c, 8 eta_c with
# eta_c = 1.12809 (Mertens and Moore 2012) and 0.34189 (Torquato and Jiao 2012).
WRAPPING = {2: {"either": 0.690474, "one": 0.521058, "all": 0.351643}}
WRAPPING[3] = {"either": 0.45988, "one": 0.25780, "all": 0.08044}
DEGREE = {2: 4.5124, 3: 2.7351}


def random_graph(d, rng, radius=1.0, box=5.0):
    """Return balls that overlap on a torus."""
    n = int(rng.poisson(DEGREE[d] / volume(d, radius) * box**d if d > 1 else 15))
    positions = rng.random((n, d)) * box
    a, b = overlaps(positions, radius, box)
    return positions, a, b, box


def overlaps(positions, radius, box):
    pairs = cKDTree(positions, boxsize=box).query_pairs(radius, output_type="ndarray")
    return pairs.astype(np.int64).T


def volume(d, radius):
    return {1: 2 * radius, 2: np.pi * radius**2, 3: 4 / 3 * np.pi * radius**3}[d]


def wrapping_by_walking(positions, a, b, box):
    """Walk through each cluster and compare the ways by which a site is reached."""
    neighbours = [[] for _ in positions]
    for i, j in zip(a, b, strict=True):
        image = -np.rint((positions[j] - positions[i]) / box)
        neighbours[i].append((j, image))
        neighbours[j].append((i, -image))
    at, wraps = {}, np.zeros(positions.shape[1], bool)
    for start in range(len(positions)):
        if start in at:
            continue
        at[start] = np.zeros(positions.shape[1])
        walk = deque([start])
        while walk:
            i = walk.popleft()
            for j, image in neighbours[i]:
                if j not in at:
                    at[j] = at[i] + image
                    walk.append(j)
                wraps |= at[j] != at[i] + image
    return wraps


@pytest.mark.parametrize("d", [1, 2, 3])
def test_clusters_and_winding_agree_with_slow_code(d):
    wrapped = 0
    for n in range(60):
        positions, a, b, box = random_graph(d, stream(f"graph {d}", n))
        found = clusters(positions, a, b, box)
        links = coo_array((np.ones(a.size), (a, b)), shape=(len(positions),) * 2)
        _, label = connected_components(links, directed=False)
        sizes = np.bincount(label)
        assert found.sizes.tolist() == sorted(sizes, reverse=True)
        assert found.second_moment == (sizes**2).sum() - sizes.max() ** 2
        first = {name: site for site, name in reversed(list(enumerate(label)))}
        assert found.label.tolist() == [first[name] for name in label]
        expected = wrapping_by_walking(positions, a, b, box)
        assert found.wraps.tolist() == expected.tolist()
        assert (found.spans | ~found.wraps).all()
        wrapped += expected.any()
    assert 5 < wrapped < 60


def test_growth_is_the_clusters_of_every_prefix():
    positions, a, b, box = random_graph(2, stream("growth", 1), box=6.0)
    every = np.arange(1, len(positions) + 1)
    grown = growth(positions, a, b, box, every)
    first = np.full(2, len(positions) + 1)
    for n in every[::-1]:
        kept = np.maximum(a, b) < n
        found = clusters(positions[:n], a[kept], b[kept], box)
        assert grown.largest[n - 1] == found.largest
        assert grown.second[n - 1] == (found.sizes[1] if n > 1 and found.sizes.size > 1 else 0)
        assert grown.second_moment[n - 1] == found.second_moment
        first[found.wraps] = n
    assert grown.first.tolist() == first.tolist()
    assert (grown.either, grown.both) == (first.min(), first.max())


def test_the_order_of_links_is_irrelevant():
    positions, a, b, box = random_graph(3, stream("order", 0))
    shuffled = stream("order", 1).permutation(a.size)
    one, other = clusters(positions, a, b, box), clusters(positions, b[shuffled], a[shuffled], box)
    assert one.label.tobytes() == other.label.tobytes()
    assert one.wraps.tolist() == other.wraps.tolist()
    assert growth(positions, a, b, box).first.tolist() == (
        growth(positions, b[shuffled], a[shuffled], box).first.tolist()
    )


def test_a_ring_wraps_and_an_open_chain_spans_nothing():
    sites = np.arange(6.0)[:, None]
    ring = clusters(sites, np.arange(6), (np.arange(6) + 1) % 6, 6.0)
    chain = clusters(sites, np.arange(5), np.arange(5) + 1, 6.0)
    assert ring.wraps.tolist() == [True]
    assert chain.wraps.tolist() == chain.spans.tolist() == [False]
    assert mean_degree(6, 6) == 2


def test_a_diagonal_winds_in_both_directions_and_a_spiral_spans_without():
    corners = np.array([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]])
    diagonal = clusters(corners, np.array([0, 1, 2]), np.array([1, 2, 0]), 6.0)
    assert diagonal.wraps.tolist() == [True, True]
    x = np.arange(8) * 2.0 % 6
    spiral = clusters(np.stack([x, np.arange(8) * 0.1], 1), np.arange(7), np.arange(1, 8), 6.0)
    assert (spiral.wraps.tolist(), spiral.spans.tolist()) == ([False, False], [True, False])


def test_no_sites_and_no_links():
    nothing = np.empty((0, 2)), *np.empty((2, 0), np.int64), 1.0
    assert clusters(*nothing).largest == growth(*nothing).first.min() - 1 == 0
    alone = clusters(np.zeros((3, 2)), *np.empty((2, 0), np.int64), 1.0)
    assert (alone.sizes.tolist(), alone.second_to_first) == ([1, 1, 1], 1.0)


def balls(d, size, densities, replicas):
    """Return how overlapping balls of radius 1/2 grow, in a box of edge `size`."""
    grown = []
    for n in range(replicas):
        rng = stream(f"balls {d} {size}", n)
        sites = int(1.05 * densities[-1] * size**d + 5 * np.sqrt(densities[-1] * size**d))
        positions = rng.random((sites, d)) * size
        grown.append(growth(positions, *overlaps(positions, 1.0, size), size))
    return grown


def measured(d, sizes, replicas, window):
    """Return degree and height at the crossing of two sizes for each curve, with errors."""
    densities = DEGREE[d] / volume(d, 1.0) * np.linspace(1 - window, 1 + window, 9)
    grown = [balls(d, L, densities, n) for L, n in zip(sizes, replicas, strict=True)]
    results = {}
    for kind in ("either", "one", "all"):
        small, large = (curve(g, densities, L, d, kind) for g, L in zip(grown, sizes, strict=True))
        rng = stream("bootstrap", d)
        some = [
            crossing(densities, *(c[rng.integers(0, len(c), len(c))] for c in (small, large)))
            for _ in range(200)
        ]
        at, height = crossing(densities, small, large)
        errors = np.nanstd(some, axis=0)
        results[kind] = (at * volume(d, 1.0), errors[0] * volume(d, 1.0), height, errors[1])
    return results


def test_overlapping_discs_percolate_where_they_should():
    for kind, (degree, error, height, spread) in measured(2, (8, 24), (600, 300), 0.06).items():
        assert error < 0.06
        assert degree == pytest.approx(DEGREE[2], abs=4 * error)
        assert height == pytest.approx(WRAPPING[2][kind], abs=4 * spread)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("d", "sizes", "replicas"), [(2, (16, 64), (20_000, 4_000)), (3, (8, 24), (8_000, 3_000))]
)
def test_overlapping_balls_percolate_with_precision(d, sizes, replicas):
    for kind, (degree, error, height, spread) in measured(d, sizes, replicas, 0.04).items():
        assert error < 0.015
        assert degree == pytest.approx(DEGREE[d], abs=0.03)
        assert height == pytest.approx(WRAPPING[d][kind], abs=max(0.015, 3 * spread))
