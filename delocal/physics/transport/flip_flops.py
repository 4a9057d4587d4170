"""Samples of spins whose pairs flip-flop in resonance: who may hop, how often, within what window.

The paper says that a pair at the distance r hops while its energies differ by less than
J = t / r**alpha, at a rate of about J. To make a process of it takes a rule, and close pairs need
a cut: both are explicit here, and what they change is a systematic error of all results.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.spatial import cKDTree

from delocal.physics.counting import sphere
from delocal.physics.disorder import Ensemble, Spins, sample_spins, separation
from delocal.physics.powers import Array
from delocal.physics.transport.flip_flop_kernels import Ints, Pairs, Signs, alias_table

MOST_PAIRS = 3e7
"""Of one sample; they take 2 GiB."""
Positions = Literal["random", "lattice"]


@dataclass(frozen=True)
class Rule:
    """When and how often a pair of opposite spins flip-flops.

    Parameters
    ----------
    name
        One of `RULES`.
    R0
        Size of a block; E0 = J(R0).
    cap
        Largest rate over E0.
    Rmin, Rmax
        Distances between which pairs flip-flop.
    """

    name: str
    R0: float
    cap: float
    Rmax: float
    Rmin: float = 0.0


Rates = Callable[[Array, Array, Rule, Ensemble], tuple[Array, Array]]


def _resonant(J: Array, r: Array, rule: Rule, spins: Ensemble) -> tuple[Array, Array]:
    return J, J


def _wide(J: Array, r: Array, rule: Rule, spins: Ensemble) -> tuple[Array, Array]:
    E0 = _block_energy(rule, spins)
    return np.maximum(J, E0), np.minimum(J, J**2 / E0)


def _golden(J: Array, r: Array, rule: Rule, spins: Ensemble) -> tuple[Array, Array]:
    E0 = _block_energy(rule, spins)
    return np.full_like(J, E0), J**2 / E0


def _assisted(J: Array, r: Array, rule: Rule, spins: Ensemble) -> tuple[Array, Array]:
    E0 = _block_energy(rule, spins)
    return J, np.minimum(J, E0 * (r / rule.R0) ** (2 * spins.beta))


RULES: Mapping[str, Rates] = {
    "resonant": _resonant,
    "wide": _wide,
    "golden-rule": _golden,
    "assisted": _assisted,
}
"""Window and rate of a pair with the amplitude J at the distance r.

resonant: both are J. wide: the window is E0 at least, the rate of far pairs J**2/E0. golden-rule:
the window is E0, the rate J**2/E0. assisted: as resonant, but close pairs have the rate
E0 (r/R0)**(2 beta) of pseudo-spins that need a network of energies E0, Eq. (32). For far pairs
window times rate is J**2 in each.
"""


@dataclass(frozen=True)
class Sample:
    """Spins of one realisation of the disorder, and the pairs of them that flip-flop.

    Parameters
    ----------
    pairs
        What the kernels read.
    rate
        At which a pair of opposite spins in resonance flips, shape (pairs,).
    energies
        Of Sz without interaction, shape (N,).
    box
        Edge of the periodic box.
    """

    pairs: Pairs
    rate: Array
    energies: Array
    box: float

    @property
    def attempt_rate(self) -> float:
        """Attempts per unit of time: twice the rates, as half of them would be accepted."""
        return 2 * float(self.rate.sum())

    def fields(self, spin: Signs) -> Array:
        """Return the energy of each Sz = spin/2 in the field of the others, shape (N,)."""
        start, neighbour, coupling = self.pairs[-3:]
        interaction = csr_array((coupling, neighbour, start), shape=(spin.size, spin.size))
        return np.asarray(self.energies + interaction @ (spin / 2))


def draw_sample(
    spins: Ensemble,
    rule: Rule,
    box: float,
    rng: Generator,
    *,
    positions: Positions = "random",
    shifts: bool = True,
) -> Sample:
    """Return one realisation of the disorder.

    Parameters
    ----------
    spins
        All of its spins take part, whatever its T.
    rule
        How pairs hop. They interact up to the same distance ``rule.Rmax``, with random signs.
    box
        At least ``2 rule.Rmax``. A lattice makes it the next multiple of its spacing rho**(-1/d).
    shifts
        Without them flips do not change the energies of other spins: a control.

    Raises
    ------
    ValueError
        If the box is too small for its pairs, or holds too many or none of them.
    """
    _check_size(spins, rule, box)
    sites = _sites(spins, box, positions, rng)
    if sites.energies.size < 2:
        raise ValueError(f"a box of {box:g} has no pair of spins; enlarge it")
    tree = cKDTree(sites.positions, boxsize=sites.box)
    first, second = tree.query_pairs(rule.Rmax, output_type="ndarray").astype(np.int32).T
    apart = separation(sites.positions[first], sites.positions[second], sites.box)
    r = np.sqrt((apart**2).sum(axis=1))
    V = spins.V * r**-spins.beta * rng.choice([-1.0, 1.0], r.size) * shifts
    t = spins.t * (np.abs(rng.standard_normal(r.size)) if spins.hopping == "gaussian" else 1.0)
    window, rate = RULES[rule.name](t * r**-spins.alpha, r, rule, spins)
    start, neighbour, coupling = _interactions(first, second, V, sites.energies.size)
    hops = (r >= rule.Rmin) & _may_resonate(first, second, window, V, sites.energies)
    first, second, x, window, V, rate = (
        of_all[hops] for of_all in (first, second, apart[:, 0], window, V, rate)
    )
    rate = np.minimum(rate, rule.cap * _block_energy(rule, spins))
    threshold, alias = alias_table(rate)
    pairs = Pairs(first, second, x, window, V, threshold, alias, start, neighbour, coupling)
    return Sample(pairs, rate, sites.energies, sites.box)


def _check_size(spins: Ensemble, rule: Rule, box: float) -> None:
    if not box >= 2 * rule.Rmax:
        raise ValueError(f"a box of {box:g} is smaller than 2 Rmax = {2 * rule.Rmax:g}; enlarge it")
    expected = spins.rho**2 * (box * rule.Rmax) ** spins.d * sphere(spins.d) / (2 * spins.d)
    if expected > MOST_PAIRS:
        raise ValueError(
            f"{expected:.2g} pairs are more than {MOST_PAIRS:.0e}; take a larger c, or a smaller "
            "box or Rmax"
        )


def _may_resonate(
    first: Ints, second: Ints, window: Array, V: Array, energies: Array
) -> NDArray[np.bool_]:
    """Whether there are spins of all others with which a pair is in resonance, or may be.

    Its flip-flop changes the energy by e_j - e_i and sum_k (V_jk - V_ik) Sz_k over the others. At
    strong disorder few pairs have energies so close, and no attempt is spent on the rest.
    """
    total = np.bincount(first, np.abs(V), energies.size) + np.bincount(
        second, np.abs(V), energies.size
    )
    others = (total[first] + total[second]) / 2 - np.abs(V)
    return np.asarray(np.abs(energies[second] - energies[first]) - others < window)


def annealed_diffusion(spins: Ensemble, R: float) -> float:
    """Return D of the hops beyond R, where each is in resonance as often as on average.

    ::

        D = 1/(2 d) int_R^inf d^dr rho r**2 (2 J/W) J
          = (S_d/d) (rho t**2/W) R**(d + 2 - 2 alpha) / (2 alpha - d - 2)

    Far hops are many and each is rare, so that they add to D independently. Every rule has it.

    Examples
    --------
    >>> hot = Ensemble(d=3, alpha=3, beta=3, T=50, W=100)
    >>> round(annealed_diffusion(hot, 2.0) * 100 * 2, 3)
    4.189
    """
    power = 2 * spins.alpha - spins.d - 2
    if power <= 0:
        raise ValueError(
            f"alpha = {spins.alpha:g} is not above 1 + d/2 = {1 + spins.d / 2:g}: far hops make D "
            "infinite"
        )
    return float(sphere(spins.d) / spins.d * spins.rho * spins.t**2 / spins.W * R**-power / power)


def _block_energy(rule: Rule, spins: Ensemble) -> float:
    return spins.pseudospin_energy(rule.R0)


def _sites(spins: Ensemble, box: float, positions: Positions, rng: Generator) -> Spins:
    if positions == "random":
        return sample_spins(spins, box, rng, poisson=False)
    spacing = spins.rho ** (-1 / spins.d)
    side = max(math.ceil(box / spacing - 1e-9), 1)
    points = spacing * np.indices((side,) * spins.d).reshape(spins.d, -1).T
    energies = rng.uniform(-spins.W / 2, spins.W / 2, len(points))
    return Spins(points, energies, side * spacing)


def _interactions(first: Ints, second: Ints, V: Array, spins: int) -> tuple[Ints, Ints, Array]:
    """Return who interacts with whom, row by row; nobody where all V are 0."""
    felt = V != 0
    a, b, V = first[felt], second[felt], V[felt]
    rows = coo_array(
        (np.append(V, V), (np.append(a, b), np.append(b, a))), shape=(spins, spins)
    ).tocsr()
    return rows.indptr.astype(np.int32), rows.indices.astype(np.int32), rows.data
