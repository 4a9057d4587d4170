"""Hops by the golden rule: excitations that exchange energy with the help of the optimal network.

Gutman et al. (2016), Eqs. (29) to (36) for pseudo-spins, (53) to (60) for pseudo2-spins, S-A for
spins. Two excitations of energies E and E' at a distance r flip at the rate::

    w = A**2/E* f(abs(E - E')/E*),    A = t/r**alpha (spins), V/r**beta (pseudo-spins)

as the network takes or gives an energy of about E*. The paper sets f ~ 1 for abs(E - E') < E*.

In units of E* and of the spacing r12(E*) of excitations within E*, both are one problem, fixed by
d, the range, f, and the growth of r12: r12(E) = E**growth, where growth is 0 for spins, 1/alpha
for pseudo-spins, 1/beta for pseudo2-spins, and the density of states is r12**-d. Where hops are
short compared with how r12 varies, diffusion is local::

    D(E) = C r12(E)**2 w(r12(E)),    C = C(d, 2 range, f)

C is universal: that of a density 1 in (x, E). `moments` makes thermal conductivities of it. So the
exponents of T, W and of all else are not measured; what is measured is C.

A Lorentzian f is excluded: hops out of resonance but short would win for range > d, which the
golden rule does not mean. f must fall faster than abs(E)**(-2 range/d).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from delocal.physics.disorder import Integers, separation
from delocal.physics.model import Cancelled, CancelToken, never
from delocal.physics.powers import Array
from delocal.physics.transport.corrector import Hops

MOST_HOPS = 20_000_000


@dataclass(frozen=True)
class Kernel:
    """The factor f of energies in a rate.

    Parameters
    ----------
    of
        f(x), x >= 0 in units of E*.
    reach
        x beyond which f counts as 0.
    area
        Integral of f over all x, of both signs.
    width
        Its width in units of that of the box of the same variance.
    """

    of: Callable[[Array], Array]
    reach: float
    area: float
    width: float


KERNELS: Mapping[str, Kernel] = {
    "box": Kernel(lambda x: (x < 1).astype(np.float64), 1.0, 2.0, 1.0),
    "gaussian": Kernel(lambda x: np.exp(-(x**2)), 3.6, math.sqrt(math.pi), math.sqrt(1.5)),
}
"""Kernels by name: 1 for x < 1, and exp(-x**2)."""


@dataclass(frozen=True)
class Rule:
    """The rate of hops, in units of E* and r12(E*).

    Parameters
    ----------
    d
        Dimension.
    range
        alpha of spins, beta of pseudo-spins and pseudo2-spins.
    kernel
        f.
    rmax
        Reach of the hops that are simulated, in units of r12(E).
    cap
        Distance in units of r12(E) below which the rate grows no more.
    growth
        d ln r12 / d ln E.
    """

    d: int
    range: float
    kernel: Kernel = KERNELS["box"]
    rmax: float = 3.0
    cap: float = 0.2
    growth: float = 0.0

    def rates(self, r: Array, unit: Array, difference: Array) -> Array:
        """Return w of hops over r with E - E' = `difference`, where r12(E) is `unit`."""
        return np.maximum(r, self.cap * unit) ** (-2 * self.range) * self.kernel.of(difference)

    @property
    def steepness(self) -> float:
        """S of density of states times D ~ E**-s: (d + 2 range - 2) growth."""
        return (self.d + 2 * self.range - 2) * self.growth

    @property
    def tail(self) -> float:
        """What hops beyond rmax add to C, those within being as they are (Eq. (47) with a factor).

        ::

            S_d/d (area/2) rmax**(d + 2 - 2 range) / (2 range - d - 2),   S_d the unit sphere

        Exact to first order in their number but for the correctors that they meet; infinite where
        Eq. (48) fails.

        Examples
        --------
        >>> round(Rule(2, 3.0, rmax=3.0).tail * 9, 4), round(Rule(3, 3.0, rmax=3.0).tail * 3, 4)
        (1.5708, 4.1888)
        """
        excess = 2 * self.range - self.d - 2
        if excess <= 0:
            return math.inf
        sphere = 2 * math.pi ** (self.d / 2) / math.gamma(self.d / 2)
        return float(sphere / self.d * self.kernel.area / 2 * self.rmax**-excess / excess)


@dataclass(frozen=True)
class Nodes:
    """Excitations in a periodic box.

    Parameters
    ----------
    positions
        In [0, box), shape (nodes, d), in units of r12(E*).
    energies
        In units of E*, shape (nodes,).
    box
        Edge of the box.
    band
        Period in energy; None if the energies do not go around.
    """

    positions: Array
    energies: Array
    box: float
    band: float | None = None

    def __len__(self) -> int:
        return int(self.energies.size)


def sample_band(d: int, nodes: int, band: float, rng: Generator) -> Nodes:
    """Return a given number of nodes of density 1 in (x, E), periodic in both."""
    box = (nodes / band) ** (1 / d)
    return Nodes(box * rng.random((nodes, d)), band * rng.random(nodes), box, band)


def sample_strip(d: int, low: float, high: float, box: float, rng: Generator) -> Nodes:
    """Return spins: a Poisson process of density 1 in (x, E) for low < E < high."""
    number = int(rng.poisson((high - low) * box**d))
    return Nodes(box * rng.random((number, d)), rng.uniform(low, high, number), box)


def number_of_states(rule: Rule, high: float) -> float:
    """Return int_1^high dE E**(-d growth), the number of pseudo-spins per volume r12(E*)**d.

    For pseudo-spins growth is 1/alpha, Gutman et al. (2016), above Eq. (34).
    """
    power = 1 - rule.d * rule.growth
    return math.log(high) if power == 0 else (high**power - 1) / power


def sample_states(rule: Rule, high: float, box: float, rng: Generator) -> Nodes:
    """Return pseudo-spins: a Poisson process of their density of states for 1 < E < high."""
    number = int(rng.poisson(number_of_states(rule, high) * box**rule.d))
    power = 1 - rule.d * rule.growth
    u = rng.random(number)
    energies = high**u if power == 0 else (1 + u * (high**power - 1)) ** (1 / power)
    return Nodes(box * rng.random((number, rule.d)), energies, box)


def find_hops(
    nodes: Nodes, rule: Rule, weights: Array | None = None, cancelled: CancelToken = never
) -> Hops:
    """Return all hops shorter than rmax r12(E), E the mean of both ends; the force is along axis 0.

    Parameters
    ----------
    weights
        n (1 - n) of each node: the conductance of a hop is its rate times sqrt(weights) of both
        ends. None for 1, the limit of large T but for a factor.

    Raises
    ------
    ValueError
        If the box or the band is so small that two nodes are neighbours in more than one way, or
        there are more than `MOST_HOPS` hops.
    Cancelled
        If ``cancelled()`` was true.
    """
    _refuse_small(nodes, rule)
    found = [_select(nodes, rule, *pairs) for pairs in _candidates(nodes, rule, cancelled)]
    start, end, step, rate = (np.concatenate(column) for column in zip(*found, strict=True))
    if weights is not None:
        root = np.sqrt(weights)
        rate = rate * root[start] * root[end]
    return Hops(start, end, step, rate)


def _refuse_small(nodes: Nodes, rule: Rule) -> None:
    if nodes.band is not None and nodes.band < 3 * rule.kernel.reach:
        raise ValueError(
            f"a band of {nodes.band:g} E* is less than 3 times the reach of the kernel, "
            f"{rule.kernel.reach:g} E*; take a wider band"
        )
    reach = rule.rmax * float(np.max(nodes.energies**rule.growth, initial=1.0))
    if reach > nodes.box / 2:
        raise ValueError(
            f"hops of up to {reach:g} r12 do not fit twice into a box of {nodes.box:.4g} r12; "
            "take more nodes, a larger box, or a smaller rmax"
        )


def _candidates(
    nodes: Nodes, rule: Rule, cancelled: CancelToken
) -> Iterator[tuple[Integers, Integers]]:
    """Yield pairs within reach, by slices of energy as wide as the kernel: near in E by two."""
    members = _slices(nodes, rule)
    trees = [cKDTree(nodes.positions[of], boxsize=nodes.box) for of in members]
    tops = [nodes.energies[of].max(initial=0.0) for of in members]
    last = len(members) - 1
    total = 0
    for k, (of, tree) in enumerate(zip(members, trees, strict=True)):
        if cancelled():
            raise Cancelled("the search for hops was cancelled")
        within = tree.query_pairs(_reach(rule, tops[k]), output_type="ndarray")
        yield of[within[:, 0]], of[within[:, 1]]
        if k == last and nodes.band is None:
            return
        after = (k + 1) % len(members)
        near = tree.sparse_distance_matrix(
            trees[after], _reach(rule, tops[max(k, after)]), output_type="ndarray"
        )
        yield of[near["i"]], members[after][near["j"]]
        total += within.shape[0] + near.size
        if total > MOST_HOPS:
            raise ValueError(f"more than {MOST_HOPS:.0e} hops; take fewer nodes or a smaller rmax")


def _reach(rule: Rule, energy: float) -> float:
    return rule.rmax * (energy**rule.growth if rule.growth else 1.0)


def _slices(nodes: Nodes, rule: Rule) -> list[Integers]:
    """Return the nodes by slices of energy, none thinner than the reach of the kernel."""
    low, width = nodes.energies.min(initial=0.0), rule.kernel.reach
    number = int((nodes.energies.max(initial=0.0) - low) // width) + 1
    if nodes.band is not None:
        low, number = 0.0, int(nodes.band // width)
        width = nodes.band / number
    which = np.minimum(((nodes.energies - low) / width).astype(np.int64), number - 1)
    order = np.argsort(which, kind="stable")
    return np.split(order, np.searchsorted(which[order], np.arange(1, number)))


def _select(
    nodes: Nodes, rule: Rule, a: Integers, b: Integers
) -> tuple[Integers, Integers, Array, Array]:
    """Return start, end, step and rate of those pairs that hop."""
    difference = np.abs(nodes.energies[a] - nodes.energies[b])
    if nodes.band is not None:
        difference = np.minimum(difference, nodes.band - difference)
    apart = separation(nodes.positions[a], nodes.positions[b], nodes.box)
    r = np.sqrt((apart**2).sum(axis=1))
    unit = ((nodes.energies[a] + nodes.energies[b]) / 2) ** rule.growth
    kept = (difference < rule.kernel.reach) & (r < rule.rmax * unit)
    rate = rule.rates(r[kept], unit[kept], difference[kept])
    return a[kept], b[kept], apart[kept, 0], rate


def occupation_variance(x: ArrayLike) -> Array:
    """Return n (1 - n) = 1/(4 cosh(x/2)**2) for x = E/T."""
    return np.asarray(0.25 / np.cosh(np.minimum(np.abs(np.asarray(x)), 700.0) / 2) ** 2)


def moments(s: ArrayLike, lowest: ArrayLike) -> Array:
    """Return I_k = int_lowest^inf dx x**(k - s) n(x) (1 - n(x)) for k = 0, 1, 2.

    x = E/T. They turn the density of states times D, both ~ E**-s together, into L11, L12 and L22.

    Parameters
    ----------
    s, lowest
        Broadcast; lowest > 0.

    Returns
    -------
    Array, shape (3, ...)

    Examples
    --------
    >>> float((moments(0.0, 1e-9)[2] / (np.pi**2 / 6)).round(12))  # twice this with both signs
    1.0
    """
    s, lowest = np.broadcast_arrays(np.asarray(s, dtype=np.float64), lowest)
    nodes, weights = leggauss(40)
    ends = np.linspace(np.log(lowest), math.log(HIGHEST), PANELS + 1)
    half, middle = np.diff(ends, axis=0) / 2, (ends[1:] + ends[:-1]) / 2
    ln_x = middle + half * nodes.reshape(-1, 1, *(1,) * s.ndim)
    weighted = half * weights.reshape(-1, 1, *(1,) * s.ndim) * occupation_variance(np.exp(ln_x))
    return np.stack([(weighted * np.exp((k + 1 - s) * ln_x)).sum(axis=(0, 1)) for k in range(3)])


HIGHEST = 200.0
PANELS = 12


def conserving(moment: NDArray[np.float64]) -> Array:
    """Return L22 - L12**2/L11 of (L11, L12, L22) along the first axis: at zero current of number.

    Pseudo-spins of energy E > 0 conserve their number in flip-flops, so that the flow of heat
    drags them along until their gradient stops it.

    Examples
    --------
    >>> float(conserving(np.array([2.0, 1.0, 3.0])))
    2.5
    """
    return np.asarray(moment[2] - moment[1] ** 2 / moment[0])
