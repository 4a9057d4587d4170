"""Mott's hopping conductivities, Basko, Aleiner, Altshuler (2006b), Eqs. (6) and (7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.physics import hopping
from delocal.physics.model import STATUS, Arrays, Model, Parameter, Status, Variable
from delocal.physics.papers import BASKO_REVIEW
from delocal.physics.powers import LogArray

PAPER = "Basko, Aleiner, Altshuler (2006b)"


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the conductivities where the laws hold: T < delta, omega < delta."""
    p = parameters
    d, T, delta, beta = p["d"], p["T"], p["delta"], p["beta"]
    dc = T < delta
    found = {
        "sigma_dc": _where(dc, hopping.dc_conductivity(d, T, delta, p["alpha"], p["sigma0"], beta)),
        "hop_energy": _where(dc, hopping.hop_energy(d, T, delta, beta)),
        "hop_length": _where(dc, hopping.hop_length(d, T, delta, beta)),
    }
    valid = dc
    flags = {"dc_valid": dc}
    if "omega" in p:
        flags["ac_valid"] = p["omega"] < delta
        valid = dc | flags["ac_valid"]
        ac = hopping.ac_conductivity(d, p["omega"], delta, p["sigma1"])
        found["sigma_ac"] = _where(flags["ac_valid"], ac)
    results: dict[str, NDArray[Any]] = {
        "status": np.where(valid, Status.DONE, Status.OUTSIDE_DOMAIN).astype(np.int8),
        **{name: np.asarray(flag, dtype=np.int8) for name, flag in flags.items()},
    }
    for name, quantity in found.items():
        results |= {name: quantity.value, f"log10_{name}": quantity.log10}
    return results


def _where(valid: NDArray[np.bool_], quantity: LogArray) -> LogArray:
    return LogArray(np.asarray(np.where(valid, quantity.ln, np.nan)))


NUMBERS = (
    Variable("sigma_dc", "dc conductivity", "conductivity", f"{PAPER}, Eq. (6)"),
    Variable("hop_energy", "energy of a typical hop", "energy", f"{PAPER}, Eq. (6)"),
    Variable("hop_length", "length of a typical hop", "zeta", f"{PAPER}, Eq. (6)"),
    Variable(
        "sigma_ac",
        "dissipative ac conductivity at T = 0",
        "conductivity",
        f"{PAPER}, Eq. (7)",
        needs="omega",
    ),
)

model = Model(
    name="hopping",
    version="1",
    kind="closed-form",
    title="Variable-range hopping, dc and ac, after Mott",
    reference="D. M. Basko, I. L. Aleiner, B. L. Altshuler, cond-mat/0602510 (2006)",
    papers=(BASKO_REVIEW,),
    parameters=(
        Parameter("d", "dimension", "1", 1, 3, integer=True),
        Parameter.positive("T", "temperature", "energy"),
        Parameter.positive("delta", "level spacing in a localization volume", "energy", 1.0),
        Parameter("alpha", "power of T in the prefactor", "1", -100, 100, default=0.0),
        Parameter.positive("sigma0", "prefactor of the dc conductivity", "conductivity", 1.0),
        Parameter.positive("beta", "constant of Mott's law, T0 / delta", "1", 1.0),
        Parameter.positive("omega", "frequency", "energy", optional=True),
        Parameter.positive("sigma1", "prefactor of the ac conductivity", "conductivity", 1.0),
    ),
    variables=(
        STATUS,
        Variable.flag("dc_valid", "whether T < delta, so that hops are of variable range", PAPER),
        Variable.flag(
            "ac_valid", "whether omega < delta, so that pairs absorb", PAPER, needs="omega"
        ),
        *(variable for number in NUMBERS for variable in (number, number.log10)),
    ),
    evaluate=evaluate,
    seconds_per_cell=1e-6,
)
