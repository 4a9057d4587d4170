"""The constant of Mott's law by percolation, one threshold for each realisation of the sites."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from delocal.physics.model import STATUS, Arrays, CancelToken, Model, Parameter, Status, Variable
from delocal.physics.mott_percolation import (
    SMALLEST_BOX,
    sample_growth,
    sites_per_beta,
    wrapping_probability,
)
from delocal.physics.papers import AMBEGAOKAR

BETAS = tuple(np.linspace(12.0, 20.0, 33).tolist())
SITES_AT_MOST = 5e5  # five seconds and 500 MB


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return nothing: no part of this is known in closed form."""
    return {}


def replicate(
    point: Mapping[str, float],
    options: Mapping[str, Any],
    rng: Generator,
    cancelled: CancelToken,
) -> dict[str, Any]:
    """Add sites to one box until a cluster winds around it in every direction."""
    d, box = int(point["d"]), float(point["box"])
    per_beta = sites_per_beta(d, box)
    if max(BETAS) * per_beta > SITES_AT_MOST:
        nothing = dict.fromkeys(("beta_either", "beta_all", "wrapping"), np.nan)
        return {**nothing, "status": Status.OUTSIDE_DOMAIN}
    grown = sample_growth(d, box, rng)
    return {
        "beta_either": grown.either / per_beta,
        "beta_all": grown.both / per_beta,
        "wrapping": wrapping_probability([grown], BETAS, d, box, "either")[0],
    }


def _estimate(name: str, long_name: str, comment: str, dims: tuple[str, ...] = ()) -> Variable:
    equation = "Ambegaokar, Halperin, Langer (1971)"
    return Variable(name, long_name, "1", equation, dims=dims, estimated=True, comment=comment)


model = Model(
    name="mott-percolation",
    version="1",
    kind="monte-carlo",
    title="The constant of Mott's law by percolation",
    reference="V. Ambegaokar, B. I. Halperin, J. S. Langer, Phys. Rev. B 4, 2612 (1971)",
    papers=(AMBEGAOKAR,),
    parameters=(
        Parameter("d", "dimension", "1", 2, 3, integer=True),
        Parameter("box", "edge of the box", "longest link, a xi / 2", SMALLEST_BOX, 1000),
    ),
    variables=(
        STATUS,
        _estimate(
            "beta_either",
            "beta = T0 g a**d at which a cluster winds in a first direction",
            "shifted by an amount of order box**(-1/nu)",
        ),
        _estimate(
            "beta_all",
            "beta = T0 g a**d at which clusters wind in every direction",
            "shifted up by an amount of order box**(-1/nu)",
        ),
        _estimate(
            "wrapping",
            "probability that a cluster winds in some direction",
            "curves of two boxes cross near the constant of an infinite sample",
            ("beta",),
        ),
    ),
    evaluate=evaluate,
    replicate=replicate,
    target="beta_either",
    coordinates={"beta": BETAS},
    seconds_per_cell=0.05,
)
