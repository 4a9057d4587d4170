"""The network of pseudo-spins at R1(T), by Monte Carlo: N2, degree, clusters, prefactors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from delocal.physics.counting import resonant_partners
from delocal.physics.disorder import Ensemble, active, sample_active_spins, sample_spins
from delocal.physics.model import STATUS, Arrays, CancelToken, Model, Option, Variable
from delocal.physics.network_counts import NOTHING, RATIOS, count_variables, counts, partners
from delocal.physics.network_models import (
    INTERACTION,
    NEEDS,
    ensemble_at,
    ensembles,
    finite_scales,
    logarithmic,
    size_exponents,
)
from delocal.physics.networks import INTERACTIONS, network
from delocal.physics.papers import GUTMAN
from delocal.physics.parameters import RANGES, SCALED_BY, spin_parameters
from delocal.physics.phase_diagram import WITH_OPTIMAL_PSEUDOSPINS
from delocal.physics.powers import LogArray
from delocal.physics.pseudospins import PseudoSpins, sample_dilute, sample_pseudospins
from delocal.physics.scales import optimal_pseudospin_size, threshold_temperature
from delocal.physics.splittings import resonant_pseudospins, size_where, temperature_where

PAPER = "Gutman et al. (2016)"


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the exact numbers of the dilute network: NaN where there is none."""
    points = np.broadcast_arrays(*(parameters[name] for name in NEEDS))
    shape = points[0].shape
    R1, Lc, N1 = (np.full(shape, np.nan) for _ in range(3))
    N2 = np.full((*shape, len(RATIOS)), np.nan)
    for place, ensemble in ensembles(points, WITH_OPTIMAL_PSEUDOSPINS):
        if not finite_scales(logarithmic(ensemble), optimal_pseudospin_size):
            continue
        size = size_where(ensemble, 1.0)
        star = ensemble.interaction_radius(size)
        R1[place], Lc[place] = size, star
        N1[place] = resonant_partners(ensemble, size)
        N2[place] = [float(resonant_pseudospins(ensemble, size, c * star)) for c in RATIOS]
    exact = {"T_c": _thresholds(parameters)} if "L" in parameters else {}
    return {
        **exact,
        "R1_exact": R1,
        "R1_exponent": size_exponents(
            parameters, WITH_OPTIMAL_PSEUDOSPINS, optimal_pseudospin_size
        ),
        "L_c": Lc,
        "E_star": points[5] / R1 ** points[1],
        "N1": N1,
        "N2_exact": N2,
    }


def replicate(
    point: Mapping[str, float],
    options: Mapping[str, Any],
    rng: Generator,
    cancelled: CancelToken,
) -> dict[str, Any]:
    """Build one network of pseudo-spins of size R1_exact in a box of `box` R2*."""
    ensemble = ensemble_at(point, WITH_OPTIMAL_PSEUDOSPINS)
    if ensemble is None or not finite_scales(logarithmic(ensemble), optimal_pseudospin_size):
        return dict(NOTHING)
    R1 = size_where(ensemble, 1.0)
    star = ensemble.interaction_radius(R1)
    sites = SAMPLERS[options["sampler"]](ensemble, R1, options["box"] * star, rng, cancelled)
    links = network(sites, ensemble, R1, INTERACTIONS[options["interaction"]], cancelled)
    return counts(sites, links, star)


def derive(point: Mapping[str, float], known: Arrays) -> dict[str, NDArray[Any]]:
    """Return ratios of mean numbers, and R1(T) from N2 ~ R1**(D/beta), Eq. (10)."""
    d, a, b = (point[name] for name in RANGES)
    growth = ((a + b) * d - a * b) / b
    N2, degree = partners(known)
    return {
        "N2": N2,
        "degree": degree,
        "R1": known["R1_exact"] * N2[:, RATIOS.index(1.0)] ** (-1 / growth),
    }


def _thresholds(parameters: Arrays) -> NDArray[np.float64]:
    """Return Tc(L), which does not depend on T."""
    *points, L = np.broadcast_arrays(*(parameters[name] for name in (*NEEDS, "L")))
    T_c = np.full(L.shape, np.nan)
    for place, ensemble in ensembles(points, WITH_OPTIMAL_PSEUDOSPINS):
        hottest = logarithmic(replace(ensemble, T=ensemble.W / 2))
        with np.errstate(all="ignore"):
            coldest = replace(hottest, T=threshold_temperature(hottest, LogArray.of(L[place])))
        if all(finite_scales(p, optimal_pseudospin_size) for p in (hottest, coldest)):
            T_c[place] = temperature_where(ensemble, float(L[place]))
    return T_c


def _dilute(
    ensemble: Ensemble, R1: float, box: float, rng: Generator, _: CancelToken
) -> PseudoSpins:
    return sample_dilute(ensemble, R1, box, rng)


def _siblings(
    ensemble: Ensemble, R1: float, box: float, rng: Generator, _: CancelToken
) -> PseudoSpins:
    return sample_dilute(ensemble, R1, box, rng, siblings=True)


def _active(
    ensemble: Ensemble, R1: float, box: float, rng: Generator, cancelled: CancelToken
) -> PseudoSpins:
    spins = sample_active_spins(ensemble, box, rng)
    return sample_pseudospins(spins, ensemble, R1, cancelled=cancelled)


def _all(
    ensemble: Ensemble, R1: float, box: float, rng: Generator, cancelled: CancelToken
) -> PseudoSpins:
    if (number := ensemble.rho * box**ensemble.d) > MOST_SPINS:
        raise ValueError(
            f"a box of {box:g} holds {number:.2g} spins, more than {MOST_SPINS:.0e}; take a "
            "smaller box, a higher temperature, or the sampler `active`, which has the same law"
        )
    spins = active(sample_spins(ensemble, box, rng), ensemble.T)
    return sample_pseudospins(spins, ensemble, R1, cancelled=cancelled)


SAMPLERS: Mapping[str, Callable[..., PseudoSpins]] = {
    "dilute": _dilute,
    "siblings": _siblings,
    "active": _active,
    "all": _all,
}
MOST_SPINS = 1e8


def _derived(name: str, long_name: str, equation: str, units: str, comment: str = "") -> Variable:
    return Variable(name, long_name, units, equation, comment=comment, derived=True)


SHELLS = "R2 in units of R2*; NaN where 2 R2 exceeds half the box"
N2 = replace(
    _derived("N2", "pseudo-spins from R2 to 2 R2 in resonance with one", f"{PAPER}, Eq. (9)", "1"),
    dims=("R2",),
    comment=SHELLS,
)

model = Model(
    name="network",
    version="2",
    kind="monte-carlo",
    title="Network of pseudo-spins of the size R1(T) in the power-law spin model",
    reference="D. B. Gutman et al., Energy transport in the Anderson insulator (2016)",
    papers=(GUTMAN,),
    parameters=spin_parameters(*NEEDS, "L"),
    variables=(
        STATUS,
        N2,
        Variable("N2_exact", f"exact {N2.long_name}", "1", N2.equation, dims=("R2",)),
        _derived(
            "R1",
            "size of pseudo-spins at which N2(R1, R2*) = 1",
            f"{PAPER}, Eq. (21)",
            "length",
            "from N2 measured at R1_exact, by its exact growth N2 ~ R1**(D/beta); by the sampler "
            "chosen: `active` and `all` include pairs that share a spin",
        ),
        Variable(
            "R1_exact", "size at which N2(R1, R2*) = 1 without shared spins", "length", "Eq. (21)"
        ),
        Variable(
            "R1_exponent",
            "exponents of R1(T)",
            "1",
            f"{PAPER}, Eq. (21)",
            depends=RANGES,
            dims=("wrt",),
        ),
        Variable(
            "T_c",
            "temperature at which a sample of size L just connects, L_c = L; NaN if at none",
            "energy",
            f"{PAPER}, Eq. (65)",
            needs="L",
        ),
        Variable("L_c", "spacing R2* of pseudo-spins of size R1_exact", "length", "Eq. (7)"),
        Variable("E_star", "energy t / R1_exact**alpha", "energy", f"{PAPER}, Eq. (24)"),
        Variable(
            "N1",
            "spins in resonance with one at R1_exact; what shared spins correct is of this order",
            "1",
            f"{PAPER}, Eq. (4)",
        ),
        _derived("degree", "mean number of resonant partners of a pseudo-spin", "", "1"),
        *count_variables("pseudo-spins", "R2", f"{PAPER}, Eq. (8)"),
    ),
    evaluate=evaluate,
    options=(
        INTERACTION,
        Option(
            "sampler",
            tuple(SAMPLERS),
            "dilute: pseudo-spins as they come; siblings: with those that share a spin; active: "
            "resonant pairs among the active spins; all: the same, drawing every spin",
        ),
        Option("box", (32, 16, 64, 128, 256, 1024, 4096), "edge of the box in units of R2*"),
    ),
    replicate=replicate,
    derive=derive,
    target="R1",
    coordinates={"R2": RATIOS, "wrt": SCALED_BY},
    seconds_per_cell=0.05,
)
