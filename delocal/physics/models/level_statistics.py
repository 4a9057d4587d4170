"""Level statistics of spins on a ring by exact diagonalization: is a finite sample localized."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import comb

from delocal.physics.levels import GOE, POISSON
from delocal.physics.model import (
    STATUS,
    Arrays,
    Cancelled,
    CancelToken,
    Model,
    Option,
    Parameter,
    Status,
    Variable,
)
from delocal.physics.papers import GUTMAN
from delocal.physics.parameters import spin_parameters
from delocal.physics.spin_rings import LARGEST_DENSE, LEVELS_AT_ONCE, draw_ring, mean_ratio


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the number of states at Sz = 0, NaN for odd N; and the exponent of the theory."""
    N, alpha, beta = (np.asarray(parameters[name], np.float64) for name in ("N", "alpha", "beta"))
    return {
        "n_states": np.where(N % 2 == 0, comb(N, N // 2), np.nan),
        "W_c_exponent": 1 + beta / alpha - beta,
    }


def replicate(
    point: Mapping[str, float],
    options: Mapping[str, Any],
    rng: Generator,
    cancelled: CancelToken,
) -> dict[str, Any]:
    """Diagonalize some realizations of the disorder."""
    N = int(point["N"])
    if N % 2:
        return {"r": np.nan, "r_scaled": np.nan, "status": Status.OUTSIDE_DOMAIN}
    alpha, beta, W, t, V = (float(point[name]) for name in ("alpha", "beta", "W", "t", "V"))
    ratios = []
    for _ in range(options["realizations"]):
        if cancelled():
            raise Cancelled
        ring = draw_ring(N, alpha, beta, W, t, V, rng)
        ratios.append(mean_ratio(ring, rng, cancelled))
    r = float(np.mean(ratios))
    if np.isnan(r):  # couplings so unequal that levels coincide to the last digit
        return {"r": r, "r_scaled": r, "status": Status.OUTSIDE_DOMAIN}
    return {"r": r, "r_scaled": (r - POISSON) / (GOE - POISSON)}


model = Model(
    name="level-statistics",
    version="1",
    kind="monte-carlo",
    title="Level statistics of the power-law spin model on a ring",
    reference="D. B. Gutman et al., Energy transport in the Anderson insulator (2016), Sec. VIII",
    papers=(GUTMAN,),
    parameters=(
        Parameter("N", "number of spins, even: Sz = 0", "1", 8, 16, integer=True),
        *spin_parameters("alpha", "beta", "W"),
        Parameter.positive("t", "hopping", "energy length**alpha", default=1.0),
        Parameter.positive("V", "interaction", "energy length**beta", default=1.0),
    ),
    variables=(
        STATUS,
        Variable(
            "r",
            "mean ratio of successive level spacings in the middle third of the spectrum",
            "1",
            "Oganesyan and Huse (2007)",
            estimated=True,
            comment=f"{POISSON:.4f} localized, {GOE} extended; N = 8 has too few levels for "
            f"either. Above N = {LARGEST_DENSE}, of {LEVELS_AT_ONCE} levels at a random energy "
            "of the middle third",
        ),
        Variable(
            "r_scaled",
            "r on a scale from 0 for independent levels to 1 for random matrices",
            estimated=True,
        ),
        Variable("n_states", "number of states at Sz = 0", depends=("N",)),
        Variable(
            "W_c_exponent",
            "exponent of N in the disorder at which a ring of N spins delocalizes, D / alpha",
            "1",
            "Gutman et al. (2016), Eq. (65) at T ~ W",
            depends=("alpha", "beta"),
            comment="2 - alpha for alpha = beta; below zero: localized. Tikhonov and Mirlin, "
            "arXiv:1803.04285, add a factor ln N to the power law",
        ),
    ),
    evaluate=evaluate,
    options=(Option("realizations", (1, 4, 16, 64), "realizations of the disorder in a replica"),),
    replicate=replicate,
    target="r",
    seconds_per_cell=0.2,
)
