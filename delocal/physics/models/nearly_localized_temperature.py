"""The nearly localized metal over temperature, Gopalakrishnan and Nandkishore (2014), Sec. V C."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.physics import dot_temperature as dots
from delocal.physics.model import STATUS, Arrays, Model, Parameter, Status, Variable
from delocal.physics.papers import GOPALAKRISHNAN

PAPER = "Gopalakrishnan, Nandkishore (2014)"


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return what temperature does to a dot: Xi, eps, and Gamma at the saddle point."""
    T, Delta, g, lam, K, gamma = (
        parameters[name] for name in ("T", "Delta", "g", "lam", "K", "gamma")
    )
    with np.errstate(all="ignore"):
        T0 = dots.transition_temperature(Delta, g, lam, K)
        Xi = dots.fock_space_length(T, Delta, g, lam)
        printed, exact = (
            dots.saddle_point_linewidth(T, T0, K, gamma, Delta, as_printed=which)
            for which in (True, False)
        )
        inside = np.asarray((Xi > 0) & np.isfinite(Xi)) | np.zeros(
            np.broadcast_shapes(*(np.shape(parameters[name]) for name in parameters)), bool
        )
        numbers = {
            "T_0": np.asarray(T0),
            "delta_m": dots.level_spacing(T, Delta),
            "Xi": Xi,
            "eps": dots.eps_of_temperature(T / T0, K),
            "log10_Gamma_saddle": exact.log10,
            "log10_Gamma_saddle_printed": printed.log10,
        }
        flags = {
            "saddle_holds": T > T0 * dots.lowest_temperature_of_saddle_point(),
            "saddle_holds_printed": T
            > T0 * dots.lowest_temperature_of_saddle_point(as_printed=True),
        }
    return {
        "status": np.where(inside, Status.DONE, Status.OUTSIDE_DOMAIN).astype(np.int8),
        **{name: np.where(inside, value, np.nan) for name, value in numbers.items()},
        **{name: np.asarray(flag & inside, np.int8) for name, flag in flags.items()},
    }


model = Model(
    name="nearly-localized-temperature",
    version="1",
    kind="closed-form",
    title="Nearly localized metal over temperature",
    reference="S. Gopalakrishnan, R. Nandkishore, Phys. Rev. B 90, 224203 (2014)",
    papers=(GOPALAKRISHNAN,),
    parameters=(
        Parameter.positive("T", "temperature", "energy"),
        Parameter.positive("Delta", "level spacing of a dot", "energy", default=1.0),
        Parameter.positive("g", "conductance of a dot", "1", default=10.0),
        Parameter.positive("lam", "interaction", "1", default=0.1),
        Parameter("K", "branching number", "1", 1, np.inf, open_bounds=True, default=3.0),
        Parameter.positive("gamma", "coupling between dots", "delta_m", default=0.01),
    ),
    variables=(
        STATUS,
        Variable("T_0", "temperature at which a single dot delocalizes", "energy", f"{PAPER}, V C"),
        Variable("delta_m", "spacing of what one interaction reaches", "energy", f"{PAPER}, V C"),
        Variable(
            "Xi",
            "localization length in Fock space",
            "1",
            f"{PAPER}, V C",
            comment="grows with T; the model ends where the interaction reaches everything",
        ),
        Variable(
            "eps",
            "1 - 1/(Xi ln K), the parameter of the model nearly-localized",
            "1",
            f"{PAPER}, above Eq. (28)",
        ),
        Variable(
            "log10_Gamma_saddle",
            "decimal logarithm of the linewidth at the saddle point",
            "lg(delta_m)",
            f"{PAPER}, Eq. (28) with 1/eps = ln K / (2 ln(T/T_0))",
            comment="NaN at or below T_0; the base has Delta**(7/2), which makes it a number",
        ),
        Variable(
            "log10_Gamma_saddle_printed",
            "the same as printed",
            "lg(delta_m)",
            f"{PAPER}, Eq. (28)",
            comment="expanded around T_0",
        ),
        Variable.flag("saddle_holds", "whether T/T_0 > exp(1/4)", f"{PAPER}, Eq. (29), exact"),
        Variable.flag("saddle_holds_printed", "whether T/T_0 > 5/4", f"{PAPER}, Eq. (29)"),
    ),
    evaluate=evaluate,
)
