"""What the models of level widths in one grain share: parameters, and numbers without sampling."""

from __future__ import annotations

import numpy as np

from delocal.physics.decay_tree import golden_width, mean_field_width
from delocal.physics.model import Arrays, Parameter, Variable
from delocal.physics.powers import Array

REVIEW = "Basko, Aleiner, Altshuler (2006)"
SLIDES = "Basko, Aleiner, Altshuler (2005)"
POINT = ("lam", "M", "T")


def grain_parameters(*, T: float | None, eta: float) -> tuple[Parameter, ...]:
    """Return the parameters lam, M, T and eta, with these defaults of T and eta."""
    return (
        Parameter("lam", "interaction", "delta", minimum=1e-100, maximum=1, open_bounds=True),
        Parameter(
            "M", "levels within reach of the interaction", "1", minimum=1, maximum=1e5, default=4.0
        ),
        Parameter("T", "temperature", "delta", minimum=1e-6, maximum=1e5, default=T),
        Parameter(
            "eta",
            "width due to a bath",
            "delta",
            minimum=1e-300,
            maximum=1,
            open_bounds=True,
            default=eta,
        ),
    )


def point_of(parameters: Arrays) -> tuple[Array, Array, Array]:
    """Return lam, M and T as arrays of float64."""
    lam, M, T = (np.asarray(parameters[name], dtype=np.float64) for name in POINT)
    return lam, M, T


def known_widths(parameters: Arrays) -> dict[str, Array]:
    """Return what the mean width would be without fluctuations."""
    point = point_of(parameters)
    return {"Gamma_golden": golden_width(*point), "Gamma_mean_field": mean_field_width(*point)}


def estimate(
    name: str, long_name: str, units: str = "1", equation: str = "", comment: str = ""
) -> Variable:
    """Return a variable that is estimated."""
    return Variable(name, long_name, units, equation, comment=comment, estimated=True)
