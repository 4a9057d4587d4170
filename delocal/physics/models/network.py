"""The network of pseudo-spins at R1(T), by Monte Carlo: N2, degree, clusters, prefactors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from delocal.physics import phase_diagram
from delocal.physics.disorder import Ensemble, sample_active_spins
from delocal.physics.model import STATUS, Arrays, Model, Option, Status, Variable
from delocal.physics.networks import AS_PRINTED, CUT, TAIL, Interaction, links_by_octave, network
from delocal.physics.parameters import spin_parameters
from delocal.physics.percolation import clusters, mean_degree
from delocal.physics.phase_diagram import WITH_OPTIMAL_PSEUDOSPINS, Region
from delocal.physics.pseudospins import PseudoSpins, sample_dilute, sample_pseudospins
from delocal.physics.splittings import resonant_pseudospins, size_where

PAPER = "Gutman et al. (2016)"
NEEDS = ("d", "alpha", "beta", "T", "W", "t", "V", "rho")
RATIOS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)
INTERACTIONS = {
    "tail": TAIL,
    "cut": CUT,
    "as-printed": AS_PRINTED,
    "four-spin": Interaction("four-spin"),
}
ESTIMATED = ("N2", "R1", "degree", "largest", "susceptibility", "wrapping", "rho_ps")


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the exact numbers of the dilute network: NaN where there is none."""
    points = np.broadcast_arrays(*(parameters[name] for name in NEEDS))
    shape = points[0].shape
    R1, Lc, N2 = np.full(shape, np.nan), np.full(shape, np.nan), np.full((*shape, 6), np.nan)
    for place in np.ndindex(shape):
        ensemble = _ensemble(dict(zip(NEEDS, (p[place] for p in points), strict=True)))
        if ensemble is not None:
            size = size_where(ensemble, 1.0)
            star = ensemble.interaction_radius(size)
            R1[place], Lc[place] = size, star
            N2[place] = [float(resonant_pseudospins(ensemble, size, c * star)) for c in RATIOS]
    return {"R1_exact": R1, "L_c": Lc, "E_star": points[5] / R1 ** points[1], "N2_exact": N2}


def replicate(
    point: Mapping[str, float],
    options: Mapping[str, Any],
    rng: Generator,
    cancelled: Callable[[], bool],
) -> dict[str, Any]:
    """Build one network of pseudo-spins of size R1(T) in a box of `box` R2*."""
    ensemble = _ensemble(point)
    if ensemble is None:
        return {**dict.fromkeys(ESTIMATED, np.nan), "status": Status.OUTSIDE_DOMAIN}
    R1 = size_where(ensemble, 1.0)
    star = ensemble.interaction_radius(R1)
    box = options["box"] * star
    sites = SAMPLERS[options["sampler"]](ensemble, R1, box, rng)
    links = network(sites, ensemble, R1, INTERACTIONS[options["interaction"]])
    found = clusters(sites.midpoint, links.a, links.b, box)
    number = max(len(sites), 1)
    edges = star * np.array([*RATIOS, 2 * RATIOS[-1]])
    N2 = 2 * links_by_octave(sites, links, edges) / number
    d, a, b = ensemble.d, ensemble.alpha, ensemble.beta
    growth = ((a + b) * d - a * b) / b  # N2 ~ R1**growth, Eq. (10)
    at_star = N2[RATIOS.index(1.0)]
    return {
        "N2": np.where(edges[1:] <= box / 2, N2, np.nan),
        "R1": R1 * (1 - (at_star - 1) / growth),
        "degree": mean_degree(len(sites), len(links)),
        "largest": found.largest / number,
        "susceptibility": found.second_moment / number,
        "wrapping": float(found.wraps.any()),
        "rho_ps": len(sites) / box**d,
    }


def _active(ensemble: Ensemble, R1: float, box: float, rng: Generator) -> PseudoSpins:
    spins = sample_active_spins(ensemble, box, rng)
    return sample_pseudospins(spins, ensemble, R1)


SAMPLERS: Mapping[str, Callable[[Ensemble, float, float, Generator], PseudoSpins]] = {
    "dilute": sample_dilute,
    "siblings": partial(sample_dilute, siblings=True),
    "active": _active,
}


def _ensemble(point: Mapping[str, Any]) -> Ensemble | None:
    """Return the disorder at a point, or None where pseudo-spins have no optimal size."""
    d, alpha, beta, T, W, t, V, rho = (float(point[name]) for name in NEEDS)
    region = Region(int(phase_diagram.region(d, alpha, beta)))
    if T > W / 2 or region not in WITH_OPTIMAL_PSEUDOSPINS:
        return None
    return Ensemble(int(d), alpha, beta, T, W, t=t, V=V, rho=rho)


def _estimate(name: str, long_name: str, units: str, equation: str, comment: str = "") -> Variable:
    return Variable(name, long_name, units, equation, comment=comment, estimated=True)


N2 = Variable(
    "N2",
    "pseudo-spins from R2 to 2 R2 in resonance with one",
    "1",
    f"{PAPER}, Eq. (9)",
    dims=("R2",),
    estimated=True,
    comment="R2 in units of R2*; NaN where 2 R2 exceeds half the box",
)

model = Model(
    name="network",
    version="1",
    kind="monte-carlo",
    title="Network of pseudo-spins of the size R1(T) in the power-law spin model",
    reference="D. B. Gutman et al., Energy transport in the Anderson insulator (2016)",
    parameters=spin_parameters(*NEEDS),
    variables=(
        STATUS,
        N2,
        Variable("N2_exact", f"exact {N2.long_name}", "1", N2.equation, dims=("R2",)),
        _estimate(
            "R1",
            "size of pseudo-spins at which N2(R1, R2*) = 1",
            "length",
            f"{PAPER}, Eq. (21)",
            "by the sampler chosen: `active` includes pairs that share a spin",
        ),
        Variable(
            "R1_exact", "size at which N2(R1, R2*) = 1 without shared spins", "length", "Eq. (21)"
        ),
        Variable("L_c", "spacing R2* of pseudo-spins of size R1_exact", "length", "Eq. (7)"),
        Variable("E_star", "energy t / R1_exact**alpha", "energy", f"{PAPER}, Eq. (24)"),
        _estimate("rho_ps", "density of pseudo-spins", "length**(-d)", f"{PAPER}, Eq. (8)"),
        _estimate("degree", "mean number of resonant partners of a pseudo-spin", "1", ""),
        _estimate("largest", "share of the pseudo-spins in the largest cluster", "1", ""),
        _estimate("susceptibility", "mean cluster size without the largest cluster", "1", ""),
        _estimate("wrapping", "probability that a cluster winds around the box", "1", ""),
    ),
    evaluate=evaluate,
    options=(
        Option(
            "interaction",
            tuple(INTERACTIONS),
            "tail: V/r**beta up to half the box; cut: none beyond R2*; as-printed: Eq. (19); "
            "four-spin: sum over the four constituents",
        ),
        Option("sampler", tuple(SAMPLERS), "which pseudo-spins are drawn"),
        Option("box", (32, 16, 64, 128), "edge of the box in units of R2*"),
    ),
    replicate=replicate,
    target="R1",
    coordinates={"R2": RATIOS},
    seconds_per_cell=0.05,
)
