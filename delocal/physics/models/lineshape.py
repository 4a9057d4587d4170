"""The lineshape of a localized level, Gopalakrishnan and Nandkishore (2014), Sec. II C."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.physics.fast_spins import fast_spins
from delocal.physics.lineshape import central_width, cosine_transform, echo, lineshape, lorentzian
from delocal.physics.model import STATUS, Arrays, Model, Parameter, Status, Variable
from delocal.physics.papers import GOPALAKRISHNAN

PAPER = "Gopalakrishnan and Nandkishore (2014)"
BATH = ("Gamma_b", "J", "s", "xi", "d")


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the spectral function at omega, and the decay of the echo at t if there is a t."""
    Gamma_b, J, s, xi, d = (parameters[name] for name in BATH)
    omega = parameters["omega"]
    with np.errstate(all="ignore"):  # extreme parameters give 0 and inf
        A = s * xi**d
        given = (Gamma_b, J, A, d)
        width = central_width(*given)
        S = cosine_transform(omega, *given)
        results: dict[str, NDArray[Any]] = {
            "status": np.where(np.isfinite(S), Status.DONE, Status.NOT_CONVERGED).astype(np.int8),
            "S": S,
            "S_12": lineshape(omega, *given),
            "S_lorentzian": lorentzian(omega, width),
            "n_fast": fast_spins(1 / omega, *given),
            "width": width,
            "below_J": np.asarray(omega < J, np.int8),
        }
        if "t" in parameters:
            results["psi"] = echo(parameters["t"], *given)
    return results


model = Model(
    name="lineshape",
    version="1",
    kind="closed-form",
    title="Spectral line of a localized level whose neighbours flip slowly",
    reference="S. Gopalakrishnan and R. Nandkishore, A mean-field theory of nearly many-body "
    "localized metals (2014)",
    papers=(GOPALAKRISHNAN,),
    parameters=(
        Parameter.positive("omega", "frequency", "energy"),
        Parameter.positive("Gamma_b", "rate at which a level flips", "energy", default=1.0),
        Parameter.positive("J", "interaction of nearest neighbours", "energy", default=1000.0),
        Parameter.positive("s", "entropy per spin", "1", default=1.0),
        Parameter.positive("xi", "localization length", "lattice spacing", default=4.0),
        Parameter("d", "dimension", "1", minimum=1, maximum=3, integer=True, default=1),
        Parameter.positive("t", "time", "1/energy", optional=True),
    ),
    variables=(
        STATUS,
        Variable(
            "S",
            "spectral function, transform of the echo",
            "1/energy",
            f"{PAPER}, Eq. (10), transformed",
            ("omega", *BATH),
            comment="its integral over all frequencies is pi; see below_J",
        ),
        Variable(
            "S_12",
            "spectral function, analytic approximation",
            "1/energy",
            f"{PAPER}, Eq. (12)",
            ("omega", *BATH),
        ),
        Variable(
            "S_lorentzian",
            "Lorentzian that is as wide as the central peak",
            "1/energy",
            f"{PAPER}, Fig. 2",
            ("omega", *BATH),
        ),
        Variable(
            "n_fast",
            "neighbours that are felt within a time 1/omega",
            "1",
            f"{PAPER}, Eq. (11)",
            ("omega", *BATH),
        ),
        Variable("width", "width of the central peak", "energy", f"{PAPER}, Eq. (13)", BATH),
        Variable.flag(
            "below_J",
            "whether omega < J",
            depends=("omega", "J"),
            comment="beyond, S is made by the kinks of n_fast and may be negative",
        ),
        Variable("psi", "echo at time t", "1", f"{PAPER}, Eq. (10)", ("t", *BATH), needs="t"),
    ),
    evaluate=evaluate,
    seconds_per_cell=3e-5,
)
