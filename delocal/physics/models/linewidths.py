"""The law of the linewidths in each order of the linearised equation, on both sides of T_c."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.physics import linewidths
from delocal.physics.model import STATUS, Arrays, Model, Parameter, Status, Variable
from delocal.physics.papers import BASKO, BASKO_REVIEW
from delocal.physics.powers import LogArray

PAPER = "Basko, Aleiner, Altshuler (2006)"


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return P_n(Gamma), what it is made of, and its typical numbers."""
    Gamma, n, growth = parameters["Gamma"], parameters["n"], parameters["T_over_Tc"]
    gamma = linewidths.typical_width(n, growth, parameters["eta"], parameters["C1"])
    positive = {
        "gamma_n": gamma,
        "mode": LogArray(gamma.ln + np.log(linewidths.MODE)),
        "median": LogArray(gamma.ln + np.log(linewidths.MEDIAN)),
        "P_n": LogArray(linewidths.log_density(Gamma, gamma)),
        "cumulative": LogArray(linewidths.log_cumulative(Gamma, gamma)),
        "survival": LogArray(linewidths.log_survival(Gamma, gamma)),
    }
    results: dict[str, NDArray[Any]] = {
        "status": np.full(positive["P_n"].ln.shape, Status.DONE, dtype=np.int8),
        "metal": np.asarray(growth > 1, dtype=np.int8),
        **{name: number.value for name, number in positive.items()},
        **{f"log10_{name}": number.log10 for name, number in positive.items()},
    }
    if "spread" in parameters:
        mean, spread = parameters["mean"], parameters["spread"]
        results["P_metal"] = linewidths.metallic_density(Gamma, mean, spread)
    return results


def _positive(
    name: str, long_name: str, units: str, equation: str, *without: str
) -> Iterator[Variable]:
    """Yield a positive number and its decimal logarithm; it does not depend on `without`."""
    depends = tuple(p.name for p in PARAMETERS if p.name not in (*without, "mean", "spread"))
    number = Variable(name, long_name, units, f"{PAPER}, {equation}", depends)
    yield number
    yield number.log10


PARAMETERS = (
    Parameter.positive("Gamma", "linewidth", "energy"),
    Parameter.positive("T_over_Tc", "temperature over T_c of Eq. (28)", "1"),
    Parameter("n", "order of the linearised equation", "1", 0, 1e6, integer=True, default=1),
    Parameter.positive("eta", "linewidth due to a bath", "energy", 1),
    Parameter.positive("C1", "constant of the model", "1", 1),
    Parameter.positive("mean", "mean linewidth deep in the metal", "energy", 1),
    Parameter.positive(
        "spread",
        "standard deviation of the linewidth deep in the metal",
        "energy",
        optional=True,
    ),
)

model = Model(
    name="linewidths",
    version="1",
    kind="closed-form",
    title="Law of the linewidths at the metal-insulator transition of localized electrons",
    reference="D. M. Basko, I. L. Aleiner, B. L. Altshuler (2006), a review of the transition",
    papers=(BASKO, BASKO_REVIEW),
    parameters=PARAMETERS,
    variables=(
        STATUS,
        Variable.flag(
            "metal",
            "whether widths grow from order to order",
            f"{PAPER}, Eq. (28)",
            depends=("T_over_Tc",),
        ),
        *_positive("gamma_n", "typical linewidth of order n", "energy", "Eq. (27)", "Gamma"),
        *_positive("mode", "most probable linewidth", "energy", "Eq. (27)", "Gamma"),
        *_positive("median", "median linewidth", "energy", "Eq. (27)", "Gamma"),
        *_positive("P_n", "probability density of the linewidth", "1/energy", "Eq. (27)"),
        *_positive("cumulative", "probability of a smaller linewidth", "1", "from Eq. (27)"),
        *_positive("survival", "probability of a larger linewidth", "1", "from Eq. (27)"),
        Variable(
            "P_metal",
            "probability density of the linewidth deep in the metal",
            "1/energy",
            f"{PAPER}, Eq. (20)",
            ("Gamma", "mean", "spread"),
            needs="spread",
            comment="of the review: a Gaussian law, for T well above T_in",
        ),
    ),
    evaluate=evaluate,
    seconds_per_cell=1e-6,
)
