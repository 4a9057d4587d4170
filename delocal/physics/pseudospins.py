"""Pseudo-spins: pairs of active spins in resonance, as two-level systems.

Gutman et al. (2016), Secs. III and IV. Three samplers draw the pseudo-spins of R1 <= size < 2 R1:

* all spins are drawn and those with abs(e) < T kept (`sample_spins`, `active`);
* active spins alone are drawn (`sample_active_spins`); their resonant pairs are found;
* pseudo-spins are drawn as they come (`sample_dilute`), with the exact law of each.

The first two have the same law. The third has it up to how often pseudo-spins share a spin,
which becomes rare where N1 << 1; with `siblings` pairs that share one are as frequent as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.random import Generator

from delocal.physics import counting
from delocal.physics.counting import power_integral, sphere
from delocal.physics.disorder import Ensemble, Integers, Spins, separation, wrapped
from delocal.physics.model import CancelToken, never
from delocal.physics.powers import Array
from delocal.physics.resonances import couplings, resonant_pairs


@dataclass(frozen=True)
class PseudoSpins:
    """Two-level systems on a torus, each made of two constituents.

    Parameters
    ----------
    midpoint
        Halfway between the constituents, in [0, box), shape (n, d).
    axis
        From the first constituent to the second, shape (n, d); its length is the size.
    splitting
        ``E = sqrt((e_i - e_j)**2 + 4 J**2)``, shape (n,).
    detuning
        ``e_i - e_j``, shape (n,).
    spins
        Numbers of the constituents, shape (n, 2); equal numbers mean the same spin.
    box
        Edge of the torus.
    """

    midpoint: Array
    axis: Array
    splitting: Array
    detuning: Array
    spins: Integers
    box: float

    def __len__(self) -> int:
        return int(self.splitting.size)

    @property
    def size(self) -> Array:
        """Distance between the constituents, shape (n,)."""
        return np.asarray(np.sqrt((self.axis**2).sum(axis=1)))

    @property
    def orientation(self) -> Array:
        """Angle of the two-level system's field from z towards x: ``cos = (e_i - e_j) / E``."""
        return np.asarray(np.arccos(self.detuning / self.splitting))

    @property
    def transverse(self) -> Array:
        """Sine of the orientation, 2 J / E: what sigma_z flips between the two levels."""
        return np.asarray(np.sqrt(1 - (self.detuning / self.splitting) ** 2))


def sample_pseudospins(
    spins: Spins,
    ensemble: Ensemble,
    R1: float,
    *,
    key: int = 0,
    cancelled: CancelToken = never,
) -> PseudoSpins:
    """Return the resonant pairs of `spins`, all active, with R1 <= size < 2 R1.

    In the order of the numbers of their spins. Random hopping is that of `key`. Raises Cancelled
    where ``cancelled()`` is true.
    """
    _must_fit(R1, spins.box)
    pairs = resonant_pairs(
        spins.positions,
        spins.energies,
        box=spins.box,
        alpha=ensemble.alpha,
        t=ensemble.t,
        rmin=R1,
        rmax=2 * R1,
        coupling=ensemble.hopping,
        key=key,
        cancelled=cancelled,
    )
    i, j = (numbers.astype(np.int64) for numbers in pairs)
    axis = separation(spins.positions[i], spins.positions[j], spins.box)
    transfer = couplings(i, j, t=ensemble.t, coupling=ensemble.hopping, key=key)
    transfer = transfer * (axis**2).sum(axis=1) ** (-ensemble.alpha / 2)
    return two_level_systems(spins.positions, spins.energies, spins.box, i, j, transfer)


def two_level_systems(
    positions: Array, energies: Array, box: float, i: Integers, j: Integers, transfer: Array
) -> PseudoSpins:
    """Return the two-level systems of the pairs (i, j), coupled by the amplitude `transfer` > 0.

    The pair is ``(e_i - e_j)/2 sigma_z + J sigma_x`` between up-down and down-up.
    """
    axis = separation(positions[i], positions[j], box)
    midpoint = wrapped(positions[i] + axis / 2, box)
    detuning = energies[i] - energies[j]
    splitting = np.hypot(detuning, 2 * transfer)
    pairs = np.stack([i, j], axis=1)
    return PseudoSpins(midpoint, axis, splitting, detuning, pairs, box)


def sample_dilute(
    ensemble: Ensemble, R1: float, box: float, rng: Generator, *, siblings: bool = False
) -> PseudoSpins:
    """Return pseudo-spins of R1 <= size < 2 R1 without the spins that make none.

    A Poisson process in space. Size R = s R1 and ``y = |e_i - e_j| / J`` follow the exact
    joint law ``s**(d-1) 2 x (1 - x y)``, ``x = J / 2T``, by thinning the process that has
    ``s**(d-1) 2 x``: so rho_ps follows too, and does not go in. Nothing is approximate but
    that pairs are independent.

    Parameters
    ----------
    siblings
        Give pseudo-spins others that share a spin with them (a Neyman-Scott process). The
        first spin of each gets a Poisson number of further partners, with the exact law given
        its energy; so many that pairs of siblings are as frequent as among all spins, while
        rho_ps stays the same. Only what three and more pseudo-spins have in common is then
        approximate: three spins all in resonance with each other appear as two pairs.

    Raises
    ------
    ValueError
        If the hopping is not fixed, or 2 R1 exceeds half the box.
    """
    if ensemble.hopping != "fixed":
        raise ValueError(f"pseudo-spins are drawn for fixed hopping, not {ensemble.hopping!r}")
    _must_fit(R1, box)
    d, a = ensemble.d, float(ensemble.alpha)
    proposals = proposed_partners(ensemble, R1)
    shared = counting.siblings(ensemble, R1) if siblings else 0.0
    daughters = daughters_per_parent(shared)
    parents = ensemble.active_density * proposals / 2 / (1 + daughters)
    number = int(rng.poisson(parents * box**d))
    further = 2 * daughters / shared * proposals if siblings else 0.0
    energy = ensemble.pseudospin_energy(R1)
    room = number if not siblings else int(number * (1 + 1.2 * further) + 1000)
    state = rng.bit_generator.state
    while True:
        fields = _empty(room, d)
        drawn = _fill(rng, number, *fields, a, R1, box, energy, ensemble.T, further)
        if drawn >= 0:
            return PseudoSpins(*(field[:drawn] for field in fields), box)
        room, rng.bit_generator.state = 2 * room, state  # and the same again


def _empty(room: int, d: int) -> tuple[Array, Array, Array, Array, Integers]:
    fields = np.empty((room, d)), np.empty((room, d)), np.empty(room), np.empty(room)
    return (*fields, np.empty((room, 2), np.int64))


def proposed_partners(ensemble: Ensemble, R1: float) -> float:
    """Return N1 without saturation and ends of the band: the rate that thinning starts from."""
    x1 = ensemble.pseudospin_energy(R1) / (2 * ensemble.T)
    sizes = 2 * x1 * float(power_integral(ensemble.d - ensemble.alpha, 1.0, 2.0))
    return ensemble.active_density * sphere(ensemble.d) * R1**ensemble.d * sizes


def daughters_per_parent(shared: float) -> float:
    """Return the mean number m of daughters in a cluster so that pairs have `shared` siblings.

    A parent with Poisson m daughters at one of its spins makes ``2 m + m**2`` ordered pairs of
    siblings among 1 + m. To leading order m = shared / 2: of two siblings either may be the parent.

    Examples
    --------
    >>> m = daughters_per_parent(0.3)
    >>> round((2 * m + m**2) / (1 + m), 12)
    0.3
    """
    return float(np.sqrt(1 + shared**2 / 4) - 1 + shared / 2)


def _must_fit(R1: float, box: float) -> None:
    if 4 * R1 > box:
        raise ValueError(f"sizes up to 2 R1 = {2 * R1:g} exceed half the box, {box / 2:g}")


@numba.njit(nogil=True, cache=True)
def _size(u: float, d: int, a: float) -> tuple[float, float]:
    """Invert the law s**(d-1-a) on (1, 2); return s and s**-a."""
    p = d - a
    log = u * np.log(2.0) if p == 0 else np.log(1 + u * (2.0**p - 1)) / p
    return np.exp(log), np.exp(-a * log)


@numba.njit(nogil=True, cache=True)
def _direction(rng: Generator, out: Array, length: float) -> None:
    """Fill `out` with a vector of uniform direction; from a point in the disc, as Marsaglia."""
    if out.size == 1:
        out[0] = length if rng.random() < 0.5 else -length
        return
    square = 2.0
    while square >= 1 or square == 0:
        x, y = 2 * rng.random() - 1, 2 * rng.random() - 1
        square = x * x + y * y
    if out.size == 2:
        out[0], out[1] = length * (x * x - y * y) / square, length * 2 * x * y / square
    else:
        planar = 2 * length * np.sqrt(1 - square)
        out[0], out[1], out[2] = planar * x, planar * y, length * (1 - 2 * square)


@numba.njit(nogil=True, cache=True)
def _inside(x: float, box: float) -> float:
    """Return x, at most a box away from [0, box), moved into it."""
    if x < 0:
        x += box
    if x >= box:
        x -= box
    return x if 0 <= x < box else 0.0


@numba.njit(nogil=True, cache=True)
def _fill(
    rng: Generator,
    number: int,
    midpoint: Array,
    axis: Array,
    splitting: Array,
    detuning: Array,
    spins: Integers,
    a: float,
    R1: float,
    box: float,
    energy: float,
    T: float,
    further: float,
) -> int:
    """Draw parents, thinned, each followed by its daughters; see `sample_dilute`.

    Returns how many, or -1 where there is no room for all.
    """
    room, d = midpoint.shape
    n, spin = 0, 0
    for _ in range(number):
        s, decay = _size(rng.random(), d, a)
        J = energy * decay
        apart = J * (2 * rng.random() - 1)
        if rng.random() * 2 * T >= 2 * T - abs(apart):
            continue
        if n == room:
            return -1
        for k in range(d):
            midpoint[n, k] = rng.random() * box
        _direction(rng, axis[n], s * R1)
        splitting[n], detuning[n] = np.sqrt(apart * apart + 4 * J * J), apart
        spins[n, 0], spins[n, 1] = spin, spin + 1
        parent, n, spin = n, n + 1, spin + 2
        if further == 0:
            continue
        e = (2 * rng.random() - 1) * (T - abs(apart) / 2) + apart / 2
        for _ in range(rng.poisson(further)):
            s, decay = _size(rng.random(), d, a)
            J = energy * decay
            gap = J * (2 * rng.random() - 1)
            if abs(e - gap) >= T:
                continue
            if n == room:
                return -1
            _direction(rng, axis[n], s * R1)
            for k in range(d):
                at = midpoint[parent, k] + (axis[n, k] - axis[parent, k]) / 2
                midpoint[n, k] = _inside(at, box)
            splitting[n], detuning[n] = np.sqrt(gap * gap + 4 * J * J), gap
            spins[n, 0], spins[n, 1] = spins[parent, 0], spin
            n, spin = n + 1, spin + 1
    return n
