"""Thresholds, N2 and R1(T) of networks measured without the engine, by plain loops over replicas.

The exponent of R1(T) of dilute pseudo-spins is exact by scale invariance: that it comes out tests
the code. What only all spins show is how shared spins and finite x move it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator

from delocal.physics.disorder import Ensemble
from delocal.physics.networks import TAIL, Interaction, links_by_octave, network
from delocal.physics.powers import Array
from delocal.physics.pseudospins import PseudoSpins, sample_dilute
from delocal.physics.splittings import size_where
from delocal.physics.thresholds import (
    Curve,
    Estimate,
    Threshold,
    curve,
    grow_network,
    peak_per_density,
    threshold_of,
)

Sampler = Callable[[Ensemble, float, float, Generator], PseudoSpins]


def find_threshold(
    ensemble: Ensemble,
    R1: float,
    sizes: tuple[float, float],
    densities: Array,
    replicas: tuple[int, int],
    streams: Callable[[int], Generator],
    *,
    interaction: Interaction = TAIL,
    kind: Curve = "s2/s1",
) -> Threshold:
    """Return the critical reduced density of the dilute network, from two sizes of the box.

    Parameters
    ----------
    sizes
        Edges of the smaller and the larger box in units of R2*.
    densities
        A window around the threshold, increasing.
    replicas
        How many of each size.
    streams
        Random numbers of a replica by its number: those of the smaller box come first.
    kind
        Which curves cross. Wrapping probabilities suit a cut network; with the full tail they
        are small, and s2/s1 is better.
    """
    numbers = range(replicas[0]), range(replicas[0], sum(replicas))
    runs = [
        [grow_network(ensemble, R1, L, densities, streams(n), interaction) for n in which]
        for L, which in zip(sizes, numbers, strict=True)
    ]
    small, large = (
        curve([grown for grown, _ in of_size], densities, L, ensemble.d, kind)
        for L, of_size in zip(sizes, runs, strict=True)
    )
    degrees = np.array([degree for _, degree in runs[1]])
    found = threshold_of(densities, small, large, degrees, streams(sum(replicas)))
    per_density = peak_per_density(ensemble, R1)
    peak = Estimate(found[0].value * per_density, found[0].stderr * per_density)
    return Threshold(*found, peak)


def measure_partners(
    ensemble: Ensemble,
    R1: float,
    box: float,
    streams: Sequence[Generator],
    *,
    edges: Array,
    sampler: Sampler = sample_dilute,
    interaction: Interaction = TAIL,
) -> list[Estimate]:
    """Return N2 between successive `edges` of R2, measured: links over pseudo-spins.

    The error is that of a ratio of means over replicas.
    """
    links = np.empty((len(streams), len(edges) - 1))
    sites = np.empty(len(streams))
    for k, rng in enumerate(streams):
        pseudospins = sampler(ensemble, R1, box, rng)
        found = network(pseudospins, ensemble, R1, interaction)
        links[k], sites[k] = links_by_octave(pseudospins, found, edges), len(pseudospins)
    return [ratio(2 * links[:, k], sites) for k in range(len(edges) - 1)]


def ratio(numerator: Array, denominator: Array) -> Estimate:
    """Return the ratio of two means over replicas, with its error to first order."""
    value = float(numerator.mean() / denominator.mean())
    rest = numerator - value * denominator
    return Estimate(value, float(stderr_of(rest) / denominator.mean()))


def measure_size(
    ensemble: Ensemble,
    streams: Sequence[Generator],
    *,
    box: float = 16.0,
    c: float = 1.0,
    steps: int = 2,
    sampler: Sampler = sample_dilute,
) -> Estimate:
    """Return R1(T), where N2(R1, c R2*) = 1, measured.

    N2 is measured at the exact R1(T) of the dilute network and extrapolated by its exponent,
    N2 ~ R1**(D / beta), `steps` times; Eq. (21) with prefactor and error.

    Parameters
    ----------
    box
        Edge in units of R2*.
    """
    d, a, b = ensemble.d, ensemble.alpha, ensemble.beta
    slope = ((a + b) * d - a * b) / b
    R1, stderr = size_where(ensemble, 1.0, c=c), np.nan
    for part in np.array_split(np.arange(len(streams)), steps):
        star = ensemble.interaction_radius(R1)
        octave = c * star * np.array([1.0, 2.0])
        some = [streams[k] for k in part]
        N2 = measure_partners(ensemble, R1, box * star, some, edges=octave, sampler=sampler)[0]
        R1 *= N2.value ** (-1 / slope)
        stderr = R1 * N2.stderr / N2.value / slope
    return Estimate(float(R1), float(stderr))


def fit_exponent(x: Array, estimates: Sequence[Estimate]) -> tuple[Estimate, float]:
    """Return d ln y / d ln x by weighted regression, and chi**2 per degree of freedom."""
    y = np.log([e.value for e in estimates])
    weight = np.array([(e.value / e.stderr) ** 2 for e in estimates])
    ln = np.log(x)
    middle = (weight * ln).sum() / weight.sum()
    spread = (weight * (ln - middle) ** 2).sum()
    exponent = float((weight * (ln - middle) * y).sum() / spread)
    rest = y - exponent * (ln - middle)
    rest -= (weight * rest).sum() / weight.sum()
    chi2 = float((weight * rest**2).sum() / max(len(y) - 2, 1))
    return Estimate(exponent, float(spread**-0.5)), chi2


def stderr_of(values: Array) -> float:
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))
