"""From where on the network of pseudo-spins percolates.

Drawn by `sample_dilute`, pseudo-spins of small x = t / (2 T R1**alpha) depend on one number,
the reduced density ``rho' = rho_ps R2***d``: size and splitting follow laws without
parameters. So the critical rho' is universal to (d, alpha, beta) and the `Interaction`, and so
are N2 and the mean degree there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.random import Generator
from scipy.interpolate import PchipInterpolator
from scipy.stats import poisson

from delocal.physics.counting import pseudospin_density
from delocal.physics.disorder import Ensemble
from delocal.physics.networks import TAIL, Interaction, network
from delocal.physics.percolation import Growth, growth
from delocal.physics.powers import Array
from delocal.physics.pseudospins import sample_dilute
from delocal.physics.splittings import peak_resonant_pseudospins

Curve = Literal["either", "one", "all", "s2/s1"]


@dataclass(frozen=True)
class Estimate:
    """A measured number and its standard error."""

    value: float
    stderr: float

    def __str__(self) -> str:
        return f"{self.value:.6g} +- {self.stderr:.1g}"

    @property
    def rounded(self) -> str:
        """The number with its error in units of the last digit, such as ``4.503(8)``.

        Examples
        --------
        >>> Estimate(4.5031, 0.0082).rounded, Estimate(0.2304, 0.0142).rounded
        ('4.503(8)', '0.230(14)')
        """
        if not np.isfinite([self.value, self.stderr]).all() or self.stderr <= 0:
            return f"{self.value:.4g}"
        digits = -int(np.floor(np.log10(self.stderr)))
        if self.stderr * 10**digits < 2:  # keep two digits of 0.010 to 0.019
            digits += 1
        digits = max(digits, 0)
        return f"{self.value:.{digits}f}({round(self.stderr * 10**digits)})"


@dataclass(frozen=True)
class Threshold:
    """Where curves of two box sizes cross.

    Parameters
    ----------
    density
        Critical rho' = rho_ps R2***d.
    crossing
        Height of the curves there.
    degree
        Mean number of links of a pseudo-spin there, in the larger box.
    peak
        N2 there at the R2 of its maximum, with the full power law; for beta = d its plateau.
    """

    density: Estimate
    crossing: Estimate
    degree: Estimate
    peak: Estimate


def grow_network(
    ensemble: Ensemble,
    R1: float,
    size: float,
    densities: Array,
    rng: Generator,
    interaction: Interaction = TAIL,
) -> tuple[Growth, float]:
    """Return how a dilute network grows up to the last of the `densities`, and its links.

    Parameters
    ----------
    size
        Edge of the box in units of R2*(R1).
    densities
        Reduced densities at which cluster sizes are recorded, increasing.

    Returns
    -------
    growth
        Numbers of sites and sizes; see `Growth`.
    degree
        Mean degree per unit of reduced density, that of all links at the end.
    """
    star, d = ensemble.interaction_radius(R1), ensemble.d
    largest = densities[-1] * 1.05 + 5 * np.sqrt(densities[-1] / size**d)
    denser = replace(ensemble, rho=_scale(ensemble, R1, largest))
    pseudospins = sample_dilute(denser, R1, size * star, rng)
    links = network(pseudospins, denser, R1, interaction)
    marks = np.rint(densities * size**d).astype(np.int64)
    grown = growth(pseudospins.midpoint, links.a, links.b, size * star, marks)
    n = len(pseudospins)
    return grown, 2 * len(links) / (n * (n - 1)) * size**d if n > 1 else 0.0


def curve(growths: Sequence[Growth], densities: Array, size: float, d: int, kind: Curve) -> Array:
    """Return a curve for each replica, shape (replicas, densities).

    ``"either"``, ``"all"``: probability that a cluster wraps in any, in every direction, when
    the number of sites is Poisson; ``"one"``: in a given direction; ``"s2/s1"``: ratio of the
    two largest clusters.
    """
    if kind == "s2/s1":
        return np.array([g.second / np.maximum(g.largest, 1) for g in growths])
    first = {
        "either": [[g.either] for g in growths],
        "one": [g.first for g in growths],
        "all": [[g.both] for g in growths],
    }[kind]
    sites = np.asarray(first)[:, :, None]
    return np.asarray(poisson.sf(sites - 1, densities * size**d).mean(axis=1))


def crossing(densities: Array, small: Array, large: Array) -> tuple[float, float]:
    """Return where two mean curves cross, and how high; NaN if they do not.

    The difference of the means is interpolated, piecewise cubic and monotone where they are; of
    several crossings, which noise makes, that nearest to the root of a parabola counts.
    """
    above = large.mean(axis=0)
    difference = above - small.mean(axis=0)
    roots = PchipInterpolator(densities, difference).roots(extrapolate=False)
    if not roots.size:
        return np.nan, np.nan
    middle = densities.mean()
    c2, c1, c0 = np.polyfit(densities - middle, difference, 2)
    inner = max(c1**2 - 4 * c2 * c0, 0.0)
    guess = middle - 2 * c0 / (c1 + np.copysign(np.sqrt(inner), c1))
    at = float(roots[np.abs(roots - guess).argmin()])
    return at, float(PchipInterpolator(densities, above)(at))


def threshold_of(
    densities: Array,
    small: Array,
    large: Array,
    degrees: Array,
    rng: Generator,
    resamples: int = 200,
) -> tuple[Estimate, Estimate, Estimate]:
    """Return where the mean curves of two box sizes cross, how high, and the mean degree there.

    Parameters
    ----------
    densities
        A window around the threshold, increasing, shape (n,).
    small, large
        The curve of each replica in the smaller and in the larger box, shape (replicas, n).
    degrees
        Mean degree per unit of reduced density of each replica in the larger box.
    rng, resamples
        The standard errors are those of this many bootstrap samples over replicas.

    Returns
    -------
    density, crossing, degree
        NaN where the curves do not cross within the window.
    """
    at, height = crossing(densities, small, large)
    sampled = [
        crossing(densities, small[_resample(rng, small)], large[_resample(rng, large)])
        for _ in range(resamples)
    ]
    found = np.isfinite(sampled).any()
    error = np.nanstd(sampled, axis=0, ddof=1) if found else np.full(2, np.nan)
    slope = float(degrees.mean())
    relative = np.hypot(error[0] / at, _stderr(degrees) / slope)
    return (
        Estimate(at, float(error[0])),
        Estimate(height, float(error[1])),
        Estimate(at * slope, float(at * slope * relative)),
    )


def peak_per_density(ensemble: Ensemble, R1: float) -> float:
    """Return the largest N2 of the full power law over rho'; for beta = d that of its plateau."""
    unit = replace(ensemble, rho=_scale(ensemble, R1, 1.0))
    return peak_resonant_pseudospins(unit, R1)[1]


def _scale(ensemble: Ensemble, R1: float, density: float) -> float:
    """Return rho such that rho_ps R2***d = density."""
    star = ensemble.interaction_radius(R1)
    now = float(pseudospin_density(ensemble, R1)) * star**ensemble.d
    return float(ensemble.rho * np.sqrt(density / now))


def _resample(rng: Generator, replicas: Array) -> Array:
    return np.asarray(rng.integers(0, len(replicas), len(replicas)))


def _stderr(values: Array) -> float:
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))
