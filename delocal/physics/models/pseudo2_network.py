"""The network of pseudo2-spins at R2(T), by Monte Carlo: N3, degree, clusters, prefactors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from delocal.physics.disorder import Ensemble
from delocal.physics.model import STATUS, Arrays, CancelToken, Model, Option, Variable
from delocal.physics.network_counts import NOTHING, RATIOS, count_variables, counts, partners
from delocal.physics.network_models import (
    NEEDS,
    ensemble_at,
    ensembles,
    finite_scales,
    logarithmic,
    size_exponents,
)
from delocal.physics.papers import GUTMAN
from delocal.physics.parameters import RANGES, SCALED_BY, spin_parameters
from delocal.physics.phase_diagram import WITH_PSEUDO2SPIN_NETWORK
from delocal.physics.pseudo2spins import (
    equivalent,
    pseudo2spin_network,
    sample_pairs,
    thermal_size,
)
from delocal.physics.pseudospins import PseudoSpins, sample_dilute
from delocal.physics.scales import optimal_pseudo2spin_size
from delocal.physics.splittings import resonant_pseudospins, size_where

PAPER = "Gutman et al. (2016)"
FAR = 4.0  # sizes beyond R2*(R1_th) from which the exact numbers hold to a few percent


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the exact numbers of dilute pseudo2-spins: NaN where there are none."""
    points = np.broadcast_arrays(*(parameters[name] for name in NEEDS))
    shape = points[0].shape
    R2, N2, N3 = np.full(shape, np.nan), np.full(shape, np.nan), np.full((*shape, 6), np.nan)
    valid = np.zeros(shape, np.int8)
    for place, ensemble in ensembles(points, WITH_PSEUDO2SPIN_NETWORK):
        if not finite_scales(logarithmic(ensemble), optimal_pseudo2spin_size):
            continue
        R1, like = thermal_size(ensemble), equivalent(ensemble)
        R2[place] = size = size_where(like, 1.0)
        N2[place] = resonant_pseudospins(ensemble, R1, size)
        N3[place] = [resonant_pseudospins(like, size, c * size) for c in RATIOS]
        valid[place] = size > FAR * ensemble.interaction_radius(R1) and N2[place] < 1
    return {
        "R2_exact": R2,
        "R2_exponent": size_exponents(
            parameters, WITH_PSEUDO2SPIN_NETWORK, optimal_pseudo2spin_size
        ),
        "N2": N2,
        "N3_exact": N3,
        "E2_star": points[6] / R2 ** points[2],
        "regime_valid": valid,
    }


def replicate(
    point: Mapping[str, float],
    options: Mapping[str, Any],
    rng: Generator,
    cancelled: CancelToken,
) -> dict[str, Any]:
    """Build one network of pseudo2-spins of size R2_exact in a box of `box` R2_exact."""
    ensemble = ensemble_at(point, WITH_PSEUDO2SPIN_NETWORK)
    if ensemble is None or not finite_scales(logarithmic(ensemble), optimal_pseudo2spin_size):
        return dict(NOTHING)
    R2 = size_where(equivalent(ensemble), 1.0)
    sites = SAMPLERS[options["sampler"]](ensemble, R2, options["box"] * R2, rng)
    return counts(sites, pseudo2spin_network(sites, ensemble), R2)


def derive(point: Mapping[str, float], known: Arrays) -> dict[str, NDArray[Any]]:
    """Return ratios of mean numbers, and R2(T) from N3 ~ R2**(2d - beta), Eq. (14)."""
    N3, degree = partners(known)
    growth = 2 * point["d"] - point["beta"]
    R2 = known["R2_exact"] * N3[:, RATIOS.index(1.0)] ** (-1 / growth)
    return {"N3": N3, "degree": degree, "R2": R2}


def _dilute(ensemble: Ensemble, R2: float, box: float, rng: Generator) -> PseudoSpins:
    return sample_dilute(equivalent(ensemble), R2, box, rng)


SAMPLERS: Mapping[str, Callable[[Ensemble, float, float, Generator], PseudoSpins]] = {
    "dilute": _dilute,
    "pairs": sample_pairs,
}


PARTNERS = "pseudo2-spins from R3 to 2 R3 in resonance with one of size R2_exact"
model = Model(
    name="pseudo2-network",
    version="1",
    kind="monte-carlo",
    title="Network of pseudo2-spins of the size R2(T) in the power-law spin model",
    reference="D. B. Gutman et al., Energy transport in the Anderson insulator (2016)",
    papers=(GUTMAN,),
    parameters=spin_parameters(*NEEDS),
    variables=(
        STATUS,
        Variable(
            "N3",
            PARTNERS,
            "1",
            f"{PAPER}, Eq. (13)",
            dims=("R3",),
            derived=True,
            comment="R3 in units of R2_exact; NaN where 2 R3 exceeds half the box",
        ),
        Variable("N3_exact", f"exact {PARTNERS}", "1", f"{PAPER}, Eq. (13)", dims=("R3",)),
        Variable(
            "R2",
            "size of pseudo2-spins at which N3(R1_th, R2, R2) = 1",
            "length",
            f"{PAPER}, Eq. (50)",
            derived=True,
        ),
        Variable(
            "R2_exact",
            "the same for dilute pseudo2-spins larger than R2*(R1_th)",
            "length",
            f"{PAPER}, Eq. (50)",
        ),
        Variable(
            "R2_exponent",
            "exponents of R2(T)",
            "1",
            f"{PAPER}, Eq. (50)",
            depends=RANGES,
            dims=("wrt",),
        ),
        Variable("E2_star", "energy V / R2_exact**beta", "energy", f"{PAPER}, above Eq. (51)"),
        Variable(
            "N2",
            "pseudo-spins from R2_exact to 2 R2_exact in resonance with one of size R1_th",
            "1",
            f"{PAPER}, Eq. (9)",
        ),
        Variable.flag(
            "regime_valid",
            "whether R2_exact exceeds 4 R2*(R1_th) and N2 < 1",
            comment="else the exact numbers are extrapolations",
        ),
        Variable("degree", "mean number of resonant partners of a pseudo2-spin", derived=True),
        *count_variables("pseudo2-spins", "R3", f"{PAPER}, Eq. (12)"),
    ),
    evaluate=evaluate,
    options=(
        Option(
            "sampler",
            tuple(SAMPLERS),
            "dilute: pseudo2-spins as they come; pairs: found among dilute pseudo-spins of size "
            "R1_th",
        ),
        Option("box", (32, 16, 64, 128, 256, 1024, 4096), "edge of the box in units of R2_exact"),
    ),
    replicate=replicate,
    derive=derive,
    target="R2",
    coordinates={"R3": RATIOS, "wrt": SCALED_BY},
    seconds_per_cell=0.05,
)
