"""sigma(T), kappa(T) and the Lorenz number of the non-ergodic metal, over u = delta T_el / T**2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.physics.crossover import excess, lorenz_of_excesses, ratio_of_excess
from delocal.physics.model import STATUS, Arrays, Model, Option, Parameter, Status, Variable
from delocal.physics.papers import BASKO

SLIDES = "Basko, Aleiner, Altshuler (2005)"


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the conductivities over their limits at high temperature."""
    u, d = parameters["u"], parameters["d"]
    sigma = excess("sigma", u, d, options["method"])
    kappa = excess("kappa", u, d, options["method"])
    found = np.isfinite(sigma + kappa)
    return {
        "status": np.where(found, Status.DONE, Status.NOT_CONVERGED).astype(np.int8),
        "sigma_ratio": ratio_of_excess(u, sigma),
        "kappa_ratio": ratio_of_excess(u, kappa),
        "lorenz_ratio": lorenz_of_excesses(u, sigma, kappa),
    }


model = Model(
    name="scba",
    version="1",
    kind="self-consistent",
    title="Crossover of the non-ergodic metal of weakly interacting localized electrons",
    reference="D. M. Basko, I. L. Aleiner, B. L. Altshuler, cond-mat/0506617 v1 (2005)",
    papers=(BASKO,),
    parameters=(
        Parameter("u", "crossover parameter delta T_el / T**2", "1", minimum=0),
        Parameter(
            "d",
            "dimension: 1, bonds in series; 2 and 3, the effective medium",
            "1",
            minimum=1,
            maximum=3,
            integer=True,
            default=1,
        ),
    ),
    variables=(
        STATUS,
        Variable(
            "sigma_ratio",
            "conductivity over its limit at high temperature",
            "1",
            f"{SLIDES}, limits on the slide of T(el)",
            comment="the slides use the numbers of d = 1 for every d",
        ),
        Variable(
            "kappa_ratio",
            "thermal conductivity over its limit at high temperature",
            "1",
            f"{SLIDES}, limits on the slide of T(el)",
        ),
        Variable(
            "lorenz_ratio",
            "Lorenz number over that of Wiedemann and Franz",
            "1",
            f"{SLIDES}, limits on the slide Lorentz number",
        ),
    ),
    evaluate=evaluate,
    options=(
        Option(
            "method",
            ("quadrature", "pade"),
            "quadrature: relative error 1e-13 (d = 1); pade: sigma 1.1e-4, kappa 6.2e-4 at most",
        ),
    ),
    seconds_per_cell=5e-6,
)
