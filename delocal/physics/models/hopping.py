"""Mott's hopping conductivities, Basko, Aleiner, Altshuler (2006b), Eqs. (6) and (7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.physics import hopping
from delocal.physics.model import STATUS, Arrays, Model, Parameter, Status, Variable
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


def _flag(name: str, long_name: str, needs: str | None = None) -> Variable:
    return Variable(
        name, long_name, dtype="int8", flags={"no": 0, "yes": 1}, equation=PAPER, needs=needs
    )


def _with_logarithm(variable: Variable) -> tuple[Variable, Variable]:
    v = variable
    logarithm = Variable(
        f"log10_{v.name}",
        f"decimal logarithm of the {v.long_name}",
        "1" if v.units == "1" else f"lg({v.units})",
        v.equation,
        needs=v.needs,
    )
    return v, logarithm


def _positive(name: str, long_name: str, units: str, default: float | None = 1.0) -> Parameter:
    return Parameter(name, long_name, units, minimum=0, open_bounds=True, default=default)


model = Model(
    name="hopping",
    version="1",
    kind="closed-form",
    title="Variable-range hopping, dc and ac, after Mott",
    reference="D. M. Basko, I. L. Aleiner, B. L. Altshuler, cond-mat/0602510 (2006)",
    parameters=(
        Parameter("d", "dimension", "1", 1, 3, integer=True),
        _positive("T", "temperature", "energy", None),
        _positive("delta", "level spacing in a localization volume", "energy"),
        Parameter("alpha", "power of T in the prefactor", "1", -100, 100, default=0.0),
        _positive("sigma0", "prefactor of the dc conductivity", "conductivity"),
        _positive("beta", "constant of Mott's law, T0 / delta", "1"),
        Parameter("omega", "frequency", "energy", minimum=0, open_bounds=True, optional=True),
        _positive("sigma1", "prefactor of the ac conductivity", "conductivity"),
    ),
    variables=(
        STATUS,
        _flag("dc_valid", "whether T < delta, so that hops are of variable range"),
        _flag("ac_valid", "whether omega < delta, so that pairs absorb", "omega"),
        *_with_logarithm(
            Variable("sigma_dc", "dc conductivity", "conductivity", f"{PAPER}, Eq. (6)")
        ),
        *_with_logarithm(
            Variable("hop_energy", "energy of a typical hop", "energy", f"{PAPER}, Eq. (6)")
        ),
        *_with_logarithm(
            Variable("hop_length", "length of a typical hop", "zeta", f"{PAPER}, Eq. (6)")
        ),
        *_with_logarithm(
            Variable(
                "sigma_ac",
                "dissipative ac conductivity at T = 0",
                "conductivity",
                f"{PAPER}, Eq. (7)",
                needs="omega",
            )
        ),
    ),
    evaluate=evaluate,
    seconds_per_cell=1e-6,
)
