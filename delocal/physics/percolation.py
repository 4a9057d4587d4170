"""Clusters on a torus: their sizes, which of them wrap around it, and from how many sites on.

Union-find in which every site knows by how many boxes its image in the cluster is displaced
from that of the root. A link that closes a loop with a displacement winds around the torus:
Newman and Ziff (2001) with integers in place of coordinates, so that nothing depends on rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from delocal.physics.disorder import Integers
from delocal.physics.powers import Array


@dataclass(frozen=True)
class Clusters:
    """The clusters of a graph on a torus.

    Parameters
    ----------
    label
        Smallest number of a site in the cluster, for each site.
    sizes
        Number of sites in each cluster, decreasing.
    wraps
        Whether a cluster winds around the torus in each direction.
    spans
        Whether a cluster is as long as the box in each direction, or wraps.
    """

    label: Integers
    sizes: Integers
    wraps: NDArray[np.bool_]
    spans: NDArray[np.bool_]

    @property
    def largest(self) -> int:
        """Number of sites in the largest cluster."""
        return int(self.sizes[0]) if self.sizes.size else 0

    @property
    def second_moment(self) -> int:
        """Sum of size**2 over all clusters but the largest; per site, the susceptibility."""
        return int((self.sizes[1:] ** 2).sum())

    @property
    def second_to_first(self) -> float:
        """Size of the second cluster over that of the largest, s2/s1."""
        return float(self.sizes[1] / self.sizes[0]) if self.sizes.size > 1 else 0.0


def clusters(positions: Array, a: Integers, b: Integers, box: float) -> Clusters:
    """Return the clusters of sites at `positions` in a periodic `box`, linked by (a, b).

    A link joins nearest images.

    Examples
    --------
    >>> sites = np.arange(3.0)[:, None]
    >>> ring = clusters(sites, np.array([0, 1, 0]), np.array([1, 2, 2]), box=3.0)
    >>> ring.sizes.tolist(), ring.wraps.tolist()
    ([3], [True])
    """
    positions = np.ascontiguousarray(positions, dtype=np.float64)
    first, _, parent, shift = _grow(positions, _int(a), _int(b), float(box), np.empty(0, np.int64))
    label = _labels(parent, shift)
    sizes = np.bincount(label, minlength=1)
    wraps = first <= len(positions)
    spans = wraps.copy()
    if len(positions):
        spans |= (_extents(positions, label, shift, float(box)) >= box).any(axis=0)
    return Clusters(label, np.sort(sizes[sizes > 0])[::-1], wraps, spans)


@dataclass(frozen=True)
class Growth:
    """How clusters grow as sites are added in the order of their numbers.

    Parameters
    ----------
    first
        Number of sites at which a cluster first wraps in each direction; n + 1 if none does.
    largest, second, second_moment
        At each checkpoint: the two largest sizes, and sum of size**2 without the largest.
    """

    first: Integers
    largest: Integers
    second: Integers
    second_moment: Integers

    @property
    def either(self) -> int:
        """Number of sites at which a cluster first wraps in any direction."""
        return int(self.first.min())

    @property
    def both(self) -> int:
        """Number of sites at which there first is wrapping in every direction."""
        return int(self.first.max())


def growth(
    positions: Array, a: Integers, b: Integers, box: float, checkpoints: ArrayLike = ()
) -> Growth:
    """Return how the clusters of `clusters` grow site by site; any order of sites is a sample.

    Parameters
    ----------
    checkpoints
        Numbers of sites, increasing, at which to record the sizes.
    """
    positions = np.ascontiguousarray(positions, dtype=np.float64)
    marks = np.asarray(checkpoints, dtype=np.int64)
    a, b = _int(a), _int(b)
    order = np.argsort(np.maximum(a, b), kind="stable")
    first, sizes, _, _ = _grow(positions, a[order], b[order], float(box), marks)
    return Growth(first, *sizes)


def mean_degree(sites: int, links: int) -> float:
    """Return the mean number of links at a site."""
    return 2 * links / sites if sites else 0.0


def _int(values: Integers) -> Integers:
    return np.ascontiguousarray(values, dtype=np.int64)


@numba.njit(nogil=True, cache=True)
def _find(parent: Integers, shift: Integers, site: int) -> int:
    """Return the root of `site`, and hang `site` there with its total displacement."""
    d = shift.shape[1]
    root = site
    while parent[root] != root:
        root = parent[root]
    # Twice along the path: sum up displacements from the site on, then hang each at the root.
    total = np.zeros(d, np.int64)
    at = site
    while parent[at] != at:
        total += shift[at]
        at = parent[at]
    at = site
    while parent[at] != at:
        after = parent[at]
        step = shift[at].copy()
        shift[at] = total
        total -= step
        parent[at] = root
        at = after
    return root


@numba.njit(nogil=True, cache=True)
def _grow(
    positions: Array, a: Integers, b: Integers, box: float, checkpoints: Integers
) -> tuple[Integers, Integers, Integers, Integers]:
    """Add links in order of their later site; see `growth`. `shift` is in boxes."""
    n, d = positions.shape
    parent, size = np.arange(n), np.ones(n, np.int64)
    shift = np.zeros((n, d), np.int64)
    first = np.full(d, n + 1, np.int64)
    records = np.zeros((3, checkpoints.size), np.int64)
    between = np.empty(d, np.int64)
    mark = 0
    for link in range(a.size + 1):
        present = n if link == a.size else max(a[link], b[link])  # sites without this link's
        while mark < checkpoints.size and checkpoints[mark] <= present:
            _record(parent, size, min(checkpoints[mark], n), records[:, mark])
            mark += 1
        if link == a.size:
            break
        i, j = a[link], b[link]
        root, other = _find(parent, shift, i), _find(parent, shift, j)
        for k in range(d):  # displacement of j's cluster image where i's root is at 0
            image = np.int64(np.rint((positions[j, k] - positions[i, k]) / box))
            between[k] = shift[i, k] - image - shift[j, k]
        if root == other:
            for k in range(d):
                if between[k] != 0:
                    first[k] = min(first[k], max(i, j) + 1)
        elif size[root] >= size[other]:
            parent[other], shift[other] = root, between
            size[root] += size[other]
        else:
            parent[root], shift[root] = other, -between
            size[other] += size[root]
    return first, records, parent, shift


@numba.njit(nogil=True, cache=True)
def _record(parent: Integers, size: Integers, present: int, out: Integers) -> None:
    """Note the two largest clusters among the first `present` sites and sum size**2 of others."""
    largest = second = total = 0
    for site in range(present):
        if parent[site] == site:
            s = size[site]
            total += s * s
            if s > largest:
                largest, second = s, largest
            elif s > second:
                second = s
    out[0], out[1], out[2] = largest, second, total - largest * largest


@numba.njit(nogil=True, cache=True)
def _labels(parent: Integers, shift: Integers) -> Integers:
    """Return the smallest site of each site's cluster; hang every site at its root."""
    n = parent.size
    smallest = np.full(n, n, np.int64)
    label = np.empty(n, np.int64)
    for site in range(n):
        label[site] = _find(parent, shift, site)
        smallest[label[site]] = min(smallest[label[site]], site)
    for site in range(n):
        label[site] = smallest[label[site]]
    return label


def _extents(positions: Array, label: Integers, shift: Integers, box: float) -> Array:
    """Return how long each cluster is in each direction when its images are put together."""
    d = positions.shape[1]
    low, high = np.full((len(label), d), np.inf), np.full((len(label), d), -np.inf)
    unwrapped = positions + shift * box
    np.minimum.at(low, label, unwrapped)
    np.maximum.at(high, label, unwrapped)
    return np.asarray(high - low)
