"""Random spins as a pure function of their key: the disorder of the power-law spin model.

Positions are uniform in a periodic box, energies uniform in (-W/2, W/2). A spin is thermally
active if abs(e) < T; only pairs of active spins make pseudo-spins, Gutman et al. (2016), Sec. III.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.random import Generator, Philox, SeedSequence
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from delocal.physics.powers import Array

Integers = NDArray[np.int64]
Hopping = Literal["fixed", "uniform", "gaussian"]


@dataclass(frozen=True)
class Ensemble:
    """The disorder over which resonances are counted, Gutman et al. (2016), Eq. (1).

    Parameters
    ----------
    d, alpha, beta
        Dimension 1, 2 or 3, range of the hopping, range of the interaction.
    T, W
        Temperature and disorder, ``T <= W/2``. At ``T = W/2`` every spin is active.
    t, V, rho
        Hopping, interaction, density.
    hopping
        Law of abs(t_ij): ``"fixed"`` at t, of a number ``"uniform"`` in (-t, t), or of a
        ``"gaussian"`` number of standard deviation t.
    """

    d: int
    alpha: float
    beta: float
    T: float
    W: float
    t: float = 1.0
    V: float = 1.0
    rho: float = 1.0
    hopping: Hopping = "fixed"

    def __post_init__(self) -> None:
        if self.d not in (1, 2, 3):
            raise ValueError(f"d = {self.d} is not 1, 2 or 3")
        if not 0 < self.T <= self.W / 2:
            raise ValueError(f"T = {self.T:g} is not in (0, W/2 = {self.W / 2:g}]")
        for name in ("alpha", "beta", "t", "V", "rho"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} = {getattr(self, name):g} is not positive")

    @property
    def active_density(self) -> float:
        """2 rho T / W, the number of active spins per volume."""
        return 2 * self.rho * self.T / self.W

    def pseudospin_energy(self, R1: float) -> float:
        """Return t / R1**alpha, the hopping across a distance R1."""
        return float(self.t * R1**-self.alpha)

    def interaction_radius(self, R1: float) -> float:
        """Return R2*(R1), where V / R2***beta = t / R1**alpha, Eq. (7)."""
        return float((self.V * R1**self.alpha / self.t) ** (1 / self.beta))


@dataclass(frozen=True)
class Spins:
    """Spins in a periodic box.

    Parameters
    ----------
    positions
        Coordinates in [0, box), shape (N, d).
    energies
        Shape (N,).
    box
        Edge of the box.
    """

    positions: Array
    energies: Array
    box: float


def stream(key: str | bytes, replica: int) -> Generator:
    """Return the random numbers of one replica: the same on every machine, in any order.

    Parameters
    ----------
    key
        Content key of what is sampled, any text or bytes.
    replica
        Number of the replica, 0 or larger.

    Examples
    --------
    >>> stream("a", 0).random() == stream("a", 0).random() != stream("a", 1).random()
    True
    """
    content = key.encode() if isinstance(key, str) else key
    words = np.frombuffer(hashlib.sha256(content).digest(), dtype="<u4")
    entropy = [int(word) for word in words]
    return Generator(Philox(SeedSequence(entropy, spawn_key=(replica,))))


def sample_spins(ensemble: Ensemble, box: float, rng: Generator, *, poisson: bool = True) -> Spins:
    """Return all the spins of a box, active or not.

    Their number is Poisson of mean ``rho box**d``, or exactly that, rounded.
    """
    number = _number(ensemble, box, rng, poisson)
    return _uniform(number, ensemble.W / 2, ensemble.d, box, rng)


def sample_active_spins(
    ensemble: Ensemble, box: float, rng: Generator, *, poisson: bool = True
) -> Spins:
    """Return the active spins alone, abs(e) < T, with the exact law of their number.

    That is Poisson if the number of spins is, and binomial if the number of spins is fixed.
    """
    if poisson:
        number = int(rng.poisson(ensemble.active_density * box**ensemble.d))
    else:
        everyone = _number(ensemble, box, rng, poisson=False)
        number = int(rng.binomial(everyone, 2 * ensemble.T / ensemble.W))
    return _uniform(number, ensemble.T, ensemble.d, box, rng)


def active(spins: Spins, T: float) -> Spins:
    """Return those of the `spins` with abs(e) < T."""
    kept = np.abs(spins.energies) < T
    return Spins(spins.positions[kept], spins.energies[kept], spins.box)


def separation(a: Array, b: Array, box: float) -> Array:
    """Return b - a by the shortest way around the torus, shape (..., d)."""
    apart = b - a
    return np.asarray(apart - box * np.rint(apart / box))


def close_pairs(positions: Array, box: float, reach: float) -> tuple[Integers, Integers]:
    """Return all pairs a < b of nearest images within `reach`, in lexicographic order.

    Examples
    --------
    >>> ring = np.array([[0.1], [1.0], [2.9]])
    >>> [end.tolist() for end in close_pairs(ring, box=3.0, reach=1.0)]
    [[0, 0], [1, 2]]
    """
    tree = cKDTree(positions, boxsize=box)
    a, b = tree.query_pairs(reach, output_type="ndarray").astype(np.int64).T
    order = np.lexsort((b, a))
    return a[order], b[order]


def wrapped(positions: Array, box: float) -> Array:
    """Return the `positions` moved into [0, box), also where rounding would give box itself."""
    inside: NDArray[Any] = np.mod(positions, box)
    return np.where(inside >= box, 0.0, inside)


def _number(ensemble: Ensemble, box: float, rng: Generator, poisson: bool) -> int:
    mean = ensemble.rho * box**ensemble.d
    return int(rng.poisson(mean)) if poisson else round(mean)


def _uniform(number: int, half_width: float, d: int, box: float, rng: Generator) -> Spins:
    positions = rng.random((number, d))
    positions *= box
    energies = rng.uniform(-half_width, half_width, number)
    return Spins(positions, energies, box)
