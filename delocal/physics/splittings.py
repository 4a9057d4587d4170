"""The law of the splittings of pseudo-spins, and N2 from it: exact, by quadrature.

A pseudo-spin is a pair of active spins at a distance ``R = s R1``, ``1 <= s < 2``, whose energies
differ by ``y J``, ``0 <= y < 1``, where ``J = t / R**alpha``. It splits by

    E = sqrt((e_i - e_j)**2 + 4 J**2) = (t / R1**alpha) s**-alpha sqrt(y**2 + 4)

With ``x = J / (2 T)`` the joint density of (s, y) is proportional to ``s**(d-1) 2 x (1 - x y)``,
for ``x y < 1``. In units of ``t / R1**alpha`` the splittings depend on d, alpha and
``x1 = x(s=1)`` alone; at low T, where x1 is small, on d and alpha. Fixed hopping.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import BSpline, make_interp_spline
from scipy.optimize import brentq, minimize_scalar

from delocal.physics.counting import (
    NODES,
    WEIGHTS,
    power_integral,
    pseudospin_density,
    sphere,
)
from delocal.physics.disorder import Ensemble
from delocal.physics.powers import Array

# Nodes that crowd at both ends of (0, 1), where densities begin and end as square roots.
CROWDED, CROWDED_WEIGHTS = NODES**2 * (3 - 2 * NODES), WEIGHTS * 6 * NODES * (1 - NODES)
CHUNK = 64
KNOTS = 129
"""Of the interpolated distribution, between two of its breaks."""
NARROW = 1e-7
"""Widths up to which the density is as good as constant."""


@dataclass(frozen=True)
class Splittings:
    """The law of E / (t / R1**alpha); see the module.

    Parameters
    ----------
    d, alpha
        Dimension and range of the hopping.
    x1
        (t / R1**alpha) / (2 T); pairs are all resonant where it exceeds s**alpha.
    """

    d: int
    alpha: float
    x1: float

    @property
    def breaks(self) -> Array:
        """Ends of the support and points where the density has kinks, increasing."""
        a, x = self.alpha, self.x1
        top = np.hypot(2, min(1, 1 / x))
        inner = 2**-a * np.hypot(2, min(1, 2**a / x))
        points = [2 * 2**-a, 2.0, top, inner, np.sqrt(5) / x]
        return np.unique(np.clip(points, points[0], top))

    @property
    def norm(self) -> float:
        """Integral of the joint density, rho_ps apart from its prefactors."""
        return float(self._sizes(np.array(0.0), np.array(np.inf)))

    def density(self, energy: ArrayLike) -> Array:
        """Return the probability density at `energy`."""
        e = np.asarray(energy, dtype=np.float64)[..., None]
        a = self.alpha
        with np.errstate(divide="ignore", invalid="ignore"):
            saturated = 2 / np.sqrt(np.maximum((self.x1 * e) ** 2 - 1, 0))
        low = np.sqrt(np.maximum(e**2 - 4, 0))
        high = np.minimum(np.minimum(1, saturated), np.sqrt(np.maximum(e**2 * 4**a - 4, 0)))
        span = np.maximum(high - low, 0)
        y = low + span * NODES
        v = np.hypot(2, y)
        s, x = (v / e) ** (1 / a), self.x1 * e / v
        terms = WEIGHTS * s**self.d * 2 * x * (1 - x * y)
        return np.asarray((terms * span).sum(axis=-1) / (a * e[..., 0] * self.norm))

    def distribution(self, energy: ArrayLike) -> Array:
        """Return the probability of a splitting below `energy`."""
        e = np.maximum(np.asarray(energy, dtype=np.float64), np.finfo(float).tiny)
        return self._sizes(np.zeros_like(e), e) / self.norm

    @property
    def coincidence(self) -> float:
        """Integral of the square of the density: two splittings differ by < w with 2 w times it."""
        return float(_coincidence(self))

    def overlap(self, width: ArrayLike) -> Array:
        """Return P(width), the probability that two splittings differ by less than `width`.

        Within a relative 1e-7, also where it is tiny.

        Examples
        --------
        >>> cold = Splittings(d=2, alpha=3, x1=1e-9)
        >>> cold.overlap([0.1, 3.0]).round(6).tolist()
        [0.119824, 1.0]
        """
        widths = np.asarray(width, dtype=np.float64)
        flat = np.minimum(widths.ravel(), 2 * self.breaks[-1])
        found = 2 * flat * self.coincidence
        wide = np.flatnonzero(flat > NARROW)  # below, differences of probabilities cancel
        for at in range(0, wide.size, CHUNK):
            some = wide[at : at + CHUNK]
            found[some] = self._overlap(flat[some])
        return np.asarray(found.reshape(widths.shape))

    def _overlap(self, width: Array) -> Array:
        b, table = self.breaks, _Table.of(self)
        u = width[:, None]
        edges = np.clip(np.concatenate([b + 0 * u, b - u, b + u], axis=1), b[0], b[-1])
        edges.sort(axis=1)
        spans = np.diff(edges, axis=1)[..., None]
        e = edges[:, :-1, None] + spans * CROWDED
        weights = table(e, 1) * CROWDED_WEIGHTS * spans
        inside = table(e + u[..., None]) - table(e - u[..., None])
        return np.asarray((weights * inside).sum(axis=(1, 2)))

    def _sizes(self, low: Array, energy: Array) -> Array:
        """Return the integral of the joint density over the splittings below `energy`."""
        d, a, x = self.d, self.alpha, self.x1
        e = energy[..., None]
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            kinks = [
                low[..., None],
                np.sqrt(np.maximum(e**2 - 4, 0)),
                np.sqrt(np.maximum(e**2 * 4**a - 4, 0)),
                2 / np.sqrt(np.maximum((x * e) ** 2 - 1, 0)),
            ]
        kinks += [np.full_like(e, point) for point in (1.0, 1 / x, 2**a / x)]
        edges = np.clip(np.concatenate(kinks, axis=-1), 0, 1)
        edges.sort(axis=-1)
        spans = np.diff(edges, axis=-1)[..., None]
        y = edges[..., :-1, None] + spans * NODES
        smallest = np.maximum(np.hypot(2, y) / e[..., None], x * y) ** (1 / a)
        s = np.clip(smallest, 1, 2)
        sizes = 2 * x * power_integral(d - a, s, 2) - 2 * x**2 * y * power_integral(d - 2 * a, s, 2)
        return np.asarray((sizes * WEIGHTS * spans).sum(axis=(-1, -2)))


@dataclass(frozen=True)
class _Table:
    """The distribution of a law, interpolated between its breaks to 1e-12: 30 times faster.

    On each piece in the variable z of ln e = ln low + span (3 z**2 - 2 z**3), in which the roots
    that the distribution has at the breaks are powers.
    """

    breaks: Array
    pieces: tuple[BSpline, ...]

    @classmethod
    @lru_cache(maxsize=512)
    def of(cls, law: Splittings) -> _Table:
        b, z = law.breaks, np.linspace(0, 1, KNOTS)
        steps = z**2 * (3 - 2 * z)
        values = law.distribution(b[:-1, None] * (b[1:] / b[:-1])[:, None] ** steps)
        return cls(b, tuple(make_interp_spline(z, row, k=7) for row in values))

    def __call__(self, energy: Array, derivative: int = 0) -> Array:
        """Return the distribution at `energy`, or the density, its first derivative."""
        b = self.breaks
        piece = np.clip(np.searchsorted(b, energy, side="right") - 1, 0, b.size - 2)
        span = np.diff(np.log(b))[piece]
        step = np.clip(np.log(np.maximum(energy, b[0]) / b[piece]) / span, 0, 1)
        z = 0.5 - np.sin(np.arcsin(1 - 2 * step) / 3)
        found = np.empty(energy.shape)
        for number, spline in enumerate(self.pieces):
            here = piece == number
            found[here] = spline(z[here], nu=derivative)
        if derivative:
            slope = energy * span * 6 * z * (1 - z)  # de/dz
            found = np.divide(found, slope, out=np.zeros_like(found), where=slope > 0)
        return found


@lru_cache(maxsize=4096)
def _coincidence(law: Splittings) -> float:
    b = law.breaks
    spans = np.diff(b)[:, None]
    e = b[:-1, None] + spans * CROWDED
    return float((law.density(e) ** 2 * CROWDED_WEIGHTS * spans).sum())


def splittings(ensemble: Ensemble, R1: float) -> Splittings:
    """Return the law of the splittings of pseudo-spins of size R1, in units of t / R1**alpha."""
    if ensemble.hopping != "fixed":
        raise ValueError(f"splittings are known for fixed hopping, not {ensemble.hopping!r}")
    x1 = ensemble.pseudospin_energy(R1) / (2 * ensemble.T)
    return Splittings(ensemble.d, float(ensemble.alpha), x1)


def resonant_pseudospins(
    ensemble: Ensemble,
    R1: float,
    R2: float,
    to: float | None = None,
    *,
    cutoff: float = np.inf,
    flat: bool = False,
) -> float:
    """Return N2(R1, R2), the pseudo-spins between R2 and `to` (2 R2) in resonance with one.

    Eq. (9) with its prefactor::

        N2 = rho_ps S_d int_R2^2R2 dr r**(d-1) P(V / r**beta)

    Exact for disjoint pairs; those that share a spin add to it, see
    `delocal.physics.networks.shared_spin_partners`.

    Parameters
    ----------
    cutoff
        c for no coupling beyond c R2*(R1).
    flat
        Within the cutoff t / R1**alpha, Eq. (19), in place of V / r**beta.

    Examples
    --------
    >>> p = Ensemble(d=2, alpha=3, beta=3, T=1e-3, W=20)
    >>> round(resonant_pseudospins(p, size_where(p, 1.0), size_where(p, 1.0)), 9)  # V = t
    1.0
    """
    to = 2 * R2 if to is None else to
    law, d = splittings(ensemble, R1), ensemble.d
    density = float(pseudospin_density(ensemble, R1)) * sphere(d)
    star = ensemble.interaction_radius(R1)
    low, high = min(R2 / star, cutoff), min(to / star, cutoff)
    if flat:
        return density * star**d * float(law.overlap(1.0)) * (high**d - low**d) / d
    return density * star**d * _radial(law, float(ensemble.beta), low, high)


def peak_resonant_pseudospins(ensemble: Ensemble, R1: float) -> tuple[float, float]:
    """Return the R2 at which N2(R1, R2) is largest, and that N2; close to R2*(R1).

    For ``beta <= d`` there is no maximum: N2 saturates or grows, and R2 = inf.
    """
    law, b = splittings(ensemble, R1), float(ensemble.beta)
    star = ensemble.interaction_radius(R1)
    density = float(pseudospin_density(ensemble, R1)) * sphere(ensemble.d)
    if b <= ensemble.d:
        plateau = density * star**b * 2 * law.coincidence * np.log(2) if b == ensemble.d else np.inf
        return np.inf, plateau
    found = minimize_scalar(
        lambda ln: -_radial(law, b, np.exp(ln), 2 * np.exp(ln)),
        bounds=(-1.5, 1.5),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(found.x)) * star, -float(found.fun) * density * star**ensemble.d


@lru_cache(maxsize=4096)
def _radial(law: Splittings, beta: float, low: float, high: float) -> float:
    """Return int dr r**(d-1) P(r**-beta) from low to high, in units of R2*."""
    b = law.breaks
    certain = (b[-1] - b[0]) ** (-1 / beta)  # closer than this all pairs resonate
    inside = np.clip(certain, low, high)
    total = (inside**law.d - low**law.d) / law.d
    if inside >= high:
        return float(total)
    gaps = np.abs(b[:, None] - b)[np.triu_indices(b.size, 1)]
    octaves = inside * 2.0 ** np.arange(np.ceil(np.log2(high / inside)))
    edges = np.concatenate([octaves, [high], gaps ** (-1 / beta)])
    edges = np.log(np.unique(np.clip(edges, inside, high)))
    spans = np.diff(edges)[:, None]
    r = np.exp(edges[:-1, None] + spans * CROWDED)
    terms = r**law.d * law.overlap(r**-beta) * CROWDED_WEIGHTS * spans
    return float(total + terms.sum())


def size_where(ensemble: Ensemble, wanted: float, quantity: str = "N2", c: float = 1.0) -> float:
    """Return R1 at which N2(R1, c R2*(R1)), or rho_ps R2***d, has the value `wanted`.

    Grows with R1 where ``D = (alpha + beta) d - alpha beta > 0``. With `wanted` = 1 this is
    R1(T) of Eq. (21) with its prefactor; with the critical density it is R1(T) of percolation.

    Parameters
    ----------
    quantity
        ``"N2"`` or ``"density"``, the reduced density rho_ps R2***d.
    """
    d, a, b = ensemble.d, ensemble.alpha, ensemble.beta
    slope = ((a + b) * d - a * b) / b
    if slope <= 0:
        raise ValueError(f"D = {slope * b:g} is not positive: no network of pseudo-spins")

    def excess(ln: float) -> float:
        R1 = float(np.exp(ln))
        star = ensemble.interaction_radius(R1)
        if quantity == "density":
            return float(np.log(pseudospin_density(ensemble, R1) * star**d / wanted))
        return float(np.log(resonant_pseudospins(ensemble, R1, c * star) / wanted))

    base = ensemble.T * ensemble.t * ensemble.rho**2 / ensemble.W**2
    guess = -np.log(base * (ensemble.V / ensemble.t) ** (d / b)) / slope
    guess -= excess(guess) / slope
    while excess(guess) > 0:
        guess -= 0.5 / slope
    high = guess + 0.5 / slope
    while excess(high) < 0:
        high += 0.5 / slope
    return float(np.exp(brentq(excess, guess, high, xtol=1e-12)))


def spacing_where(ensemble: Ensemble, wanted: float = 1.0, quantity: str = "N2") -> float:
    """Return Lc = R2*(R1(T)), the spacing of pseudo-spins of the size `size_where` returns."""
    return ensemble.interaction_radius(size_where(ensemble, wanted, quantity))


def temperature_where(
    ensemble: Ensemble, L: float, wanted: float = 1.0, quantity: str = "N2"
) -> float:
    """Return Tc(L), where Lc = L, Eq. (65) with prefactors; at most W/2.

    NaN if the sample is smaller than Lc at T = W/2 already. The T of `ensemble` plays no part.
    """
    d, a, b = ensemble.d, ensemble.alpha, ensemble.beta
    slope = a / ((a + b) * d - a * b)  # Lc ~ T**-slope
    T = ensemble.W / 2
    if spacing_where(replace(ensemble, T=T), wanted, quantity) > L:
        return np.nan
    for _ in range(100):
        off = np.log(spacing_where(replace(ensemble, T=T), wanted, quantity) / L)
        T = min(T * float(np.exp(off / slope)), ensemble.W / 2)
        if abs(off) < 1e-11:
            break
    return float(T)
