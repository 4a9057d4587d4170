"""Thermal conductivity assisted by optimal networks: universal numbers of resistor networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from delocal.physics.model import (
    STATUS,
    Arrays,
    CancelToken,
    Model,
    Option,
    Parameter,
    Status,
    Variable,
)
from delocal.physics.network_models import NEEDS, size_exponents
from delocal.physics.papers import GUTMAN
from delocal.physics.parameters import RANGES, SCALED_BY, SpinModel, spin_model, spin_parameters
from delocal.physics.powers import LogArray
from delocal.physics.transport.assisted import (
    CHANNELS,
    drag,
    energy_power,
    exists,
    si_factor,
    thermal_factor,
)
from delocal.physics.transport.corrector import AGREEMENT, by_elimination, respond
from delocal.physics.transport.golden_rule import KERNELS, Rule, find_hops, sample_band

PAPER = "Gutman et al. (2016)"
HOPPERS = {"s": "alpha", "ps": "beta"}
"""The universal numbers, by the range of the hops; pseudo2-spins have that of pseudo-spins."""
NUMBER_OF = {"s": "s", "ps": "ps", "ps2": "ps"}
NANOMETRE = 1e-9


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return what needs no sampling: units, factors, tails and exponents."""
    p = spin_model(**{name: parameters[name] for name in NEEDS})
    with np.errstate(all="ignore"):
        found: dict[str, NDArray[Any]] = {}
        for name, channel in CHANNELS.items():
            absent = np.where(exists(channel, p), 0.0, np.nan)
            unit = LogArray(channel.unit(p).ln + absent)
            found |= {
                f"kappa_{name}_unit": unit.value,
                f"log10_kappa_{name}_unit": unit.log10,
                f"factor_{name}": thermal_factor(channel, p),
                f"kappa_{name}_exponent": size_exponents(parameters, channel.where, channel.unit),
            }
        for name in HOPPERS:
            found[f"E_star_power_{name}"] = energy_power(CHANNELS[name], p)
            found[f"tail_{name}"] = _tails(p, parameters["rmax"], name, options)
        for name in ("ps", "ps2"):
            found[f"drag_{name}"] = drag(CHANNELS[name], p)
        inside = [exists(channel, p) for channel in CHANNELS.values()]
        for name, which in (("T_over_E_star", "ps"), ("T_over_E_star2", "ps2")):
            absent = np.where(exists(CHANNELS[which], p), 0.0, np.nan)
            found[name] = (p.T / CHANNELS[which].energy(p)).value + absent
    found["status"] = np.where(np.any(inside, axis=0), Status.DONE, Status.OUTSIDE_DOMAIN)
    return found


def replicate(
    point: Mapping[str, float],
    options: Mapping[str, Any],
    rng: Generator,
    cancelled: CancelToken,
) -> dict[str, Any]:
    """Solve one network of spins and, unless its law is the same, one of pseudo-spins."""
    nothing = dict.fromkeys(("C_s_inside", "C_ps_inside", "flux_error", "imbalance"), np.nan)
    p = spin_model(**{name: point[name] for name in NEEDS})
    if not any(exists(channel, p) for channel in CHANNELS.values()):
        return {**nothing, "status": Status.OUTSIDE_DOMAIN}
    C: dict[float, float] = {}
    flux_errors, imbalances = [0.0], [0.0]
    for hop_range in dict.fromkeys(point[of] for of in HOPPERS.values()):
        rule = _rule(int(point["d"]), hop_range, point["rmax"], options)
        nodes = sample_band(rule.d, int(point["nodes"]), point["band"] * rule.kernel.width, rng)
        hops = find_hops(nodes, rule, cancelled=cancelled)
        found = respond(
            hops,
            nodes.positions[:, 0],
            nodes.box,
            np.ones((1, len(nodes))),
            by_elimination if rule.d == 1 else None,
            cancelled,
        )
        C[hop_range] = found.energy.item() / len(nodes)
        flux_errors.append(found.flux_error)
        imbalances.append(found.imbalance)
    checks = {"flux_error": np.max(flux_errors), "imbalance": np.max(imbalances)}
    if not max(checks.values()) < AGREEMENT:
        return {**nothing, **checks, "status": Status.NOT_CONVERGED}
    return {**checks, **{f"C_{name}_inside": C[point[of]] for name, of in HOPPERS.items()}}


def derive(point: Mapping[str, float], known: Arrays) -> dict[str, NDArray[Any]]:
    """Return C with its tail, and kappa = unit * factor * C of each channel."""
    C = {name: known[f"C_{name}_inside"] + known[f"tail_{name}"] for name in HOPPERS}
    found = {f"C_{name}": value for name, value in C.items()}
    for name, of in NUMBER_OF.items():
        found[f"prefactor_{name}"] = known[f"factor_{name}"] * C[of]
        found[f"kappa_{name}"] = known[f"kappa_{name}_unit"] * found[f"prefactor_{name}"]
        found[f"log10_kappa_{name}"] = known[f"log10_kappa_{name}_unit"] + np.log10(
            found[f"prefactor_{name}"]
        )
        if "kelvin" in point:
            to_si = si_factor(point["d"], point["kelvin"], point.get("metre", NANOMETRE))
            found[f"kappa_{name}_SI"] = found[f"kappa_{name}"] * to_si
    return found


def _rule(d: int, hop_range: float, rmax: float, options: Mapping[str, Any]) -> Rule:
    return Rule(d, hop_range, KERNELS[options["kernel"]], rmax, options["cap"])


def _tails(
    p: SpinModel[LogArray], rmax: NDArray[Any], name: str, options: Mapping[str, Any]
) -> NDArray[np.float64]:
    ranges = CHANNELS[name].hop_range(p)
    tail = np.vectorize(lambda d, a, r: _rule(int(d), a, r, options).tail, otypes=[np.float64])
    found = tail(p.d, ranges, rmax)
    return np.where(np.isfinite(found), found, np.nan)


def _universal(name: str) -> tuple[Variable, ...]:
    hop_range = HOPPERS[name]
    number = f"C(d, 2 {hop_range}, kernel)"
    depends = ("d", hop_range, "rmax")
    return (
        Variable(
            f"C_{name}",
            f"universal number {number} of the resistor network, D / (r12**2 w(r12))",
            equation=f"{PAPER}, after (S-A.8)" if name == "s" else f"{PAPER}, after (33)",
            comment="hops up to rmax simulated, longer ones by the annealed sum",
            derived=True,
        ),
        Variable(
            f"C_{name}_inside", f"the part of {number} of hops shorter than rmax", estimated=True
        ),
        Variable(
            f"tail_{name}",
            f"the part of {number} of hops longer than rmax, annealed",
            equation=f"{PAPER}, (47)",
            comment="exact to first order in these hops but for their correctors; see how C varies "
            "with rmax",
            depends=depends,
        ),
    )


def _channel(name: str) -> tuple[Variable, ...]:
    channel = CHANNELS[name]
    units = "energy length**(2-d)"
    kappa = Variable(
        f"kappa_{name}",
        f"thermal conductivity of {channel.what} assisted by the optimal network",
        units,
        f"{PAPER}, {channel.equation}",
        comment=f"kappa_{name}_unit * prefactor_{name}; its exponents come out by construction, "
        f"C is what is measured{UNTESTED[name]}",
        derived=True,
    )
    unit = replace(
        kappa,
        name=f"kappa_{name}_unit",
        long_name=f"{kappa.long_name}, with prefactor 1",
        comment="",
        derived=False,
    )
    return (
        kappa,
        kappa.log10,
        unit,
        unit.log10,
        replace(
            kappa,
            name=f"kappa_{name}_SI",
            long_name=f"{kappa.long_name}, in SI units",
            units="W K**-1 m**(2-d)",
            comment="from the units given as `kelvin` and `metre`",
            needs="kelvin",
        ),
        Variable(
            f"kappa_{name}_exponent",
            f"exponents of the {kappa.long_name}",
            "1",
            kappa.equation,
            RANGES,
            ("wrt",),
            comment="by construction: E* is put in with its exponents",
        ),
        Variable(
            f"factor_{name}",
            f"integral over the energies of {channel.what}: kappa over its unit and C",
            comment="pi**2/3"
            if channel.splits_with is None
            else "I2 - I1**2/I0, as their number is conserved",
        ),
        Variable(f"prefactor_{name}", f"kappa_{name} over its unit", derived=True),
    )


UNTESTED = {
    "s": "; whether E* has another prefactor is not tested, see E_star_power_s",
    "ps": "; E* and density of states are estimates with prefactor 1, and for alpha != beta "
    "nothing but the scaling is tested",
    "ps2": "; only pseudo2-spins with R1 near R1_th; that these alone matter, and all prefactors "
    "of region III, are not tested",
}

model = Model(
    name="golden-rule-network",
    version="1",
    kind="monte-carlo",
    title="Thermal conductivity assisted by optimal networks, with prefactors",
    reference="D. B. Gutman et al., Energy transport in the Anderson insulator (2016)",
    papers=(GUTMAN,),
    parameters=(
        *spin_parameters(*NEEDS),
        Parameter.positive("rmax", "reach of the hops simulated, in r12", "r12", 3.0),
        Parameter("nodes", "excitations in the network", "1", 50, 1e6, integer=True, default=4000),
        Parameter.positive(
            "band", "period in energy over the width of the kernel", "E_star", default=10.0
        ),
        Parameter.positive(
            "kelvin", "the unit of energy over the Boltzmann constant", "K", optional=True
        ),
        Parameter.positive("metre", "the unit of length; 1e-9 if left out", "m", optional=True),
    ),
    variables=(
        STATUS,
        *(variable for name in CHANNELS for variable in _channel(name)),
        *(variable for name in HOPPERS for variable in _universal(name)),
        *(
            Variable(
                f"E_star_power_{name}",
                f"power of lam in kappa_{name} if E* is lam times that of Eq. (24)",
                depends=("d", hop_range),
            )
            for name, hop_range in HOPPERS.items()
        ),
        *(
            Variable(
                f"drag_{name}",
                f"share of kappa_{name} that conservation of number takes away",
                comment="L12**2/(L11 L22), falling to 0 with E*/T where s > 1; it depends on the "
                "lower end of energies, E*",
            )
            for name in ("ps", "ps2")
        ),
        Variable(
            "T_over_E_star",
            "temperature over the energy of the optimal network",
            equation=f"{PAPER}, Eq. (24)",
            comment="corrections to local diffusion are of order E*/T",
        ),
        Variable(
            "T_over_E_star2",
            "temperature over the energy of the optimal network of pseudo2-spins",
            equation=f"{PAPER}, above Eq. (51)",
        ),
        Variable(
            "flux_error",
            "relative difference of C from the current and from the power",
            comment=f"a network at {AGREEMENT:g} or above is not converged and enters no mean",
            estimated=True,
        ),
        Variable(
            "imbalance",
            "relative difference of the currents through two planes",
            comment=f"a network at {AGREEMENT:g} or above is not converged and enters no mean",
            estimated=True,
        ),
    ),
    evaluate=evaluate,
    options=(
        Option(
            "kernel",
            tuple(KERNELS),
            "factor of energies in a rate, a convention that moves C: box, abs(E - E') < E*; "
            "gaussian, exp(-((E - E')/E*)**2)",
        ),
        Option("cap", (0.2, 0.1, 0.3, 0.05), "distance in r12 below which rates grow no more"),
    ),
    replicate=replicate,
    derive=derive,
    target="C_s",
    coordinates={"wrt": SCALED_BY},
    seconds_per_cell=0.3,
)
