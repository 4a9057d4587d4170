"""The array of coupled quantum dots of Gopalakrishnan and Nandkishore (2014), Sec. IV.

Each dot is a Cayley tree in Fock space, localized with length Xi; `gamma` couples neighbours.
Energies are in units of delta_m, the spacing of the levels that one interaction reaches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from delocal.physics.powers import Array


class Cells(NamedTuple):
    """The dots one by one, as flat arrays, in what the equations need."""

    eps: Array
    ln_gamma: Array
    lnK: Array
    N: Array
    sN: Array
    d: Array

    def some(self, which: Any) -> Cells:
        """Return those at the places `which`, an index or a slice."""
        return Cells(*(column[which] for column in self))


@dataclass(frozen=True)
class CoupledDots:
    """An array of dots near its localization transition; arrays that broadcast.

    Parameters
    ----------
    eps
        Distance of a single dot from its own transition, ``1 - 1/(Xi ln K)`` < 1, App. E.
    gamma
        Coupling of neighbouring dots over delta_m.
    K
        Branching number of the tree.
    N
        Levels of a dot.
    s
        Entropy per level s(T), from 0 to about 1.
    d
        Dimension of the array.
    """

    eps: Array
    gamma: Array
    K: Array
    N: Array
    s: Array
    d: Array

    @classmethod
    def of(
        cls,
        eps: ArrayLike,
        gamma: ArrayLike,
        K: ArrayLike = 3.0,
        N: ArrayLike = 10,
        s: ArrayLike = 0.5,
        d: ArrayLike = 1,
    ) -> CoupledDots:
        """Return the dots with these numbers as float64; the defaults are those of Fig. 8.

        Examples
        --------
        >>> dots = CoupledDots.of(eps=0.5, gamma=0.1)
        >>> float((dots.Xi * dots.lnK).round(12)), float(dots.x)  # Xi ln K = 1/(1 - eps)
        (2.0, 1.0)
        """
        given = (eps, gamma, K, N, s, d)
        return cls(*(np.asarray(values, dtype=np.float64) for values in given))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape to which all fields broadcast."""
        fields = (self.eps, self.gamma, self.K, self.N, self.s, self.d)
        return np.broadcast_shapes(*(field.shape for field in fields))

    def cells(self, shape: tuple[int, ...] | None = None) -> Cells:
        """Return the dots as flat arrays, after broadcasting to `shape`, by default their own."""
        columns = (self.eps, self.ln_gamma, self.lnK, self.N, self.sN, self.d)
        full = self.shape if shape is None else shape
        return Cells(*(np.broadcast_to(column, full).ravel() for column in columns))

    @property
    def lnK(self) -> Array:
        """Natural logarithm of the branching number."""
        return np.asarray(np.log(self.K))

    @property
    def ln_gamma(self) -> Array:
        """Natural logarithm of the coupling."""
        return np.asarray(np.log(self.gamma))

    @property
    def sN(self) -> Array:
        """Levels of a dot that are free to fluctuate."""
        return np.asarray(self.s * self.N)

    @property
    def Xi(self) -> Array:
        """Localization length in Fock space."""
        return np.asarray(1 / ((1 - self.eps) * self.lnK))

    @property
    def x(self) -> Array:
        """Abscissa ``Xi ln K - 1 = eps / (1 - eps)`` of Figs. 5 to 7."""
        return np.asarray(self.eps / (1 - self.eps))

    @property
    def n_c(self) -> Array:
        """Saturated number of fast neighbours ``s N d**d`` of Eq. (C5)."""
        return np.asarray(self.sN * self.d**self.d)


def eps_of_x(x: ArrayLike) -> Array:
    """Return eps where ``Xi ln K - 1`` is `x`, for x > -1.

    Examples
    --------
    >>> float(eps_of_x(1.0))
    0.5
    """
    x = np.asarray(x, dtype=np.float64)
    return np.asarray(x / (1 + x))
