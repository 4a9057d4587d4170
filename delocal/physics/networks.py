"""Networks of pseudo-spins in resonance: who couples to whom, and N2.

Gutman et al. (2016), Sec. IV. Two pseudo-spins resonate if their splittings differ by
less than their coupling. The coupling, and how far it reaches, are conventions that move every
threshold by a factor; both are explicit here (`Interaction`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numba
import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from delocal.physics.counting import resonant_partners
from delocal.physics.disorder import Ensemble, Integers, close_pairs, separation
from delocal.physics.model import CancelToken, never
from delocal.physics.powers import Array
from delocal.physics.pseudospins import (
    PseudoSpins,
    _direction,
    _size,
    proposed_partners,
)
from delocal.physics.resonances import resonant_pairs


@dataclass(frozen=True)
class Interaction:
    """What a link of the network is.

    Parameters
    ----------
    coupling
        ``"midpoint"``: V / r**beta between midpoints, as in the paper's estimates.
        ``"four-spin"``: the matrix element of sum V_ij / r_ij**beta Sz_i Sz_j, with random
        signs of V_ij, between the four constituents::

            u = (sin_a sin_b / 4) sum_{i in a, j in b} (+-) (+-) V / r_ij**beta

        where sin is that of the orientation (`PseudoSpins.transverse`) and a spin does not
        interact with itself.
        ``"flat"``: V / R2***beta = t / R1**alpha at every distance within the cutoff; with
        c = 1 this is Eq. (19) as printed.
    cutoff
        None for the full power law, up to half the box. c > 0 for no coupling beyond c R2*.
    key
        Number that the signs of V_ij depend on, together with i and j.
    """

    coupling: Literal["midpoint", "four-spin", "flat"] = "midpoint"
    cutoff: float | None = None
    key: int = 0

    def __post_init__(self) -> None:
        if self.coupling == "flat" and self.cutoff is None:
            raise ValueError("a flat coupling needs a cutoff")


TAIL = Interaction()
CUT = Interaction(cutoff=1.0)
AS_PRINTED = Interaction("flat", cutoff=1.0)
INTERACTIONS = {
    "tail": TAIL,
    "cut": CUT,
    "as-printed": AS_PRINTED,
    "four-spin": Interaction("four-spin"),
}
"""What a link may be, by the name that an option gives it."""


@dataclass(frozen=True)
class Links:
    """Pairs of pseudo-spins in resonance, a < b in lexicographic order, and their coupling u."""

    a: Integers
    b: Integers
    u: Array

    def __len__(self) -> int:
        return int(self.a.size)


def network(
    pseudospins: PseudoSpins,
    ensemble: Ensemble,
    R1: float,
    interaction: Interaction = TAIL,
    cancelled: CancelToken = never,
) -> Links:
    """Return the links between `pseudospins` of size R1.

    Between nearest images; a cut beyond half the box is refused. Raises Cancelled where
    ``cancelled()`` is true.
    """
    box = pseudospins.box
    reach = box / 2
    if interaction.cutoff is not None:
        reach = interaction.cutoff * ensemble.interaction_radius(R1)
        if reach > box / 2:
            raise ValueError(f"the cut at {reach:g} exceeds half the box, {box / 2:g}")
    if len(pseudospins) < 2:
        return no_links()
    if interaction.coupling == "midpoint":
        a, b = power_law_pairs(pseudospins, ensemble.V, ensemble.beta, 0.0, reach, cancelled)
        return Links(a, b, ensemble.V * distance(pseudospins, a, b) ** -ensemble.beta)
    if interaction.coupling == "four-spin":
        a, b = _within_reach(pseudospins, ensemble, R1, reach)
        u = four_spin_coupling(pseudospins, ensemble, a, b, interaction.key)
    else:
        a, b = _close_pairs(pseudospins, reach)
        u = np.full(a.size, ensemble.pseudospin_energy(R1))
    near = np.abs(pseudospins.splitting[a] - pseudospins.splitting[b]) < u
    return Links(a[near], b[near], u[near])


def distance(pseudospins: PseudoSpins, a: Integers, b: Integers) -> Array:
    """Return the distances between the midpoints of a and b."""
    apart = separation(pseudospins.midpoint[a], pseudospins.midpoint[b], pseudospins.box)
    return np.asarray(np.sqrt((apart**2).sum(axis=1)))


def four_spin_coupling(
    pseudospins: PseudoSpins, ensemble: Ensemble, a: Integers, b: Integers, key: int = 0
) -> Array:
    """Return abs(u) of the pairs (a, b); see `Interaction`."""
    total = np.zeros(a.size)
    for end_a, sign_a in enumerate((1, -1)):
        for end_b, sign_b in enumerate((1, -1)):
            apart = separation(pseudospins.midpoint[a], pseudospins.midpoint[b], pseudospins.box)
            apart = apart + sign_a * pseudospins.axis[a] / 2 - sign_b * pseudospins.axis[b] / 2
            apart = separation(np.zeros_like(apart), apart, pseudospins.box)
            i, j = pseudospins.spins[a, end_a], pseudospins.spins[b, end_b]
            r2 = np.where(i == j, 1.0, (apart**2).sum(axis=1))
            term = _signs(i, j, key) * r2 ** (-ensemble.beta / 2)
            total += sign_a * sign_b * np.where(i == j, 0.0, term)
    transverse = pseudospins.transverse
    return np.asarray(ensemble.V / 4 * transverse[a] * transverse[b] * np.abs(total))


def links_by_octave(pseudospins: PseudoSpins, links: Links, edges: ArrayLike) -> Integers:
    """Return how many `links` have their distance between successive `edges`.

    N2 of an octave is twice that per pseudo-spin.
    """
    counts, _ = np.histogram(distance(pseudospins, links.a, links.b), np.asarray(edges))
    return np.asarray(counts, dtype=np.int64)


def shared_spin_partners(
    ensemble: Ensemble, R1: float, edges: ArrayLike, rng: Generator, samples: int = 1_000_000
) -> tuple[Array, Array]:
    """Return what siblings add to N2 between successive `edges` of R2, and its standard error.

    Pseudo-spins (i, j) and (i, k) share a spin and resonate like any other. Each has about
    2 N1 siblings, of which the fraction P(shell, abs(dE) < V / r**beta) counts, a five-fold
    integral estimated here from `samples` triples. N2 is `resonant_pseudospins` plus this.
    """
    edges = np.asarray(edges, dtype=np.float64)
    energy = ensemble.pseudospin_energy(R1)
    hits = _siblings(
        rng, samples, ensemble.d, float(ensemble.alpha), float(ensemble.beta), R1, energy,
        ensemble.T, ensemble.V, edges,
    )  # fmt: skip
    per_hit = 2 * proposed_partners(ensemble, R1) ** 2 / float(resonant_partners(ensemble, R1))
    p = hits / samples
    return per_hit * p, per_hit * np.sqrt(p * (1 - p) / samples)


def power_law_pairs(
    pseudospins: PseudoSpins,
    V: float,
    beta: float,
    low: float,
    reach: float,
    cancelled: CancelToken = never,
) -> tuple[Integers, Integers]:
    """Return the pairs with low <= r < reach whose splittings differ by less than V / r**beta."""
    a, b = resonant_pairs(
        pseudospins.midpoint,
        pseudospins.splitting,
        box=pseudospins.box,
        alpha=beta,
        t=V,
        rmin=low,
        rmax=reach,
        cancelled=cancelled,
    )
    return a.astype(np.int64), b.astype(np.int64)


def no_links() -> Links:
    """Return what too few pseudo-spins have."""
    return Links(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))


def _close_pairs(pseudospins: PseudoSpins, reach: float) -> tuple[Integers, Integers]:
    """Return all pairs closer than `reach`, resonant or not."""
    return close_pairs(pseudospins.midpoint, pseudospins.box, reach)


def _within_reach(
    pseudospins: PseudoSpins, ensemble: Ensemble, R1: float, reach: float
) -> tuple[Integers, Integers]:
    """Return all pairs that four spins may link: beyond 4 R1, r_ij >= r/2 bounds the coupling."""
    a, b = _close_pairs(pseudospins, min(4 * R1, reach))
    if reach > 4 * R1:
        most = ensemble.V * 2**ensemble.beta
        far = power_law_pairs(pseudospins, most, ensemble.beta, 4 * R1, reach)
        a, b = np.concatenate([a, far[0]]), np.concatenate([b, far[1]])
        order = np.lexsort((b, a))
        a, b = a[order], b[order]
    return a, b


@numba.njit(nogil=True, cache=True)
def _signs(i: Integers, j: Integers, key: int) -> Array:
    """Return +-1 for each pair {i, j}: a bit of its hash, the same in any order (splitmix64)."""
    out = np.empty(i.size)
    for k in range(i.size):
        z = np.uint64(key)
        for word in (min(i[k], j[k]), max(i[k], j[k])):
            z = (z ^ np.uint64(word)) + np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z ^= z >> np.uint64(31)
        out[k] = 1.0 if z & np.uint64(1) else -1.0
    return out


@numba.njit(nogil=True, cache=True)
def _siblings(
    rng: Generator,
    samples: int,
    d: int,
    a: float,
    beta: float,
    R1: float,
    energy: float,
    T: float,
    V: float,
    edges: Array,
) -> Integers:
    """Count triples of spins whose two pairs with the first resonate, by midpoint distance."""
    hits = np.zeros(edges.size - 1, np.int64)
    one, two = np.empty(d), np.empty(d)
    for _ in range(samples):
        e = (2 * rng.random() - 1) * T
        s1, decay1 = _size(rng.random(), d, a)
        s2, decay2 = _size(rng.random(), d, a)
        y1, y2 = 2 * rng.random() - 1, 2 * rng.random() - 1
        J1, J2 = energy * decay1, energy * decay2
        if abs(e + y1 * J1) >= T or abs(e + y2 * J2) >= T:
            continue
        _direction(rng, one, s1 * R1)
        _direction(rng, two, s2 * R1)
        r = 0.5 * np.sqrt(((one - two) ** 2).sum())
        gap = abs(J1 * np.sqrt(y1 * y1 + 4) - J2 * np.sqrt(y2 * y2 + 4))
        if gap * r**beta >= V:
            continue
        for k in range(edges.size - 1):
            if edges[k] <= r < edges[k + 1]:
                hits[k] += 1
    return hits
