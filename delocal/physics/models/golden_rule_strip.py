"""The same channels end to end: excitations of all energies at one temperature, no local limit."""

from __future__ import annotations

from collections.abc import Mapping
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
from delocal.physics.network_models import NEEDS
from delocal.physics.papers import GUTMAN
from delocal.physics.parameters import SpinModel, spin_model, spin_parameters
from delocal.physics.powers import Array, LogArray
from delocal.physics.transport.assisted import CHANNELS, Assisted, exists, thermal_factor
from delocal.physics.transport.corrector import AGREEMENT, respond
from delocal.physics.transport.golden_rule import (
    KERNELS,
    Nodes,
    Rule,
    conserving,
    find_hops,
    moments,
    number_of_states,
    occupation_variance,
    sample_states,
    sample_strip,
)

PAPER = "Gutman et al. (2016)"
OPTIONS = {channel.what: name for name, channel in CHANNELS.items()}
ESTIMATES = ("L11", "L12", "L22", "density", "flux_error", "imbalance")
NO_NUMBER = 1e-12
"""Lower end of abs(E)/T of spins, for which there is none."""
MOST_NODES = 200_000


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the unit, the factor, what longer hops add, and T/E*."""
    p = spin_model(**{name: parameters[name] for name in NEEDS})
    channel = CHANNELS[OPTIONS[options["channel"]]]
    with np.errstate(all="ignore"):
        inside = exists(channel, p)
        absent = np.where(inside, 0.0, np.nan)
        ratio = (p.T / channel.energy(p)).value + absent
        rules = np.broadcast_arrays(p.d, channel.hop_range(p), parameters["rmax"], ratio)
        tail = np.full(rules[0].shape, np.nan)
        for place in np.ndindex(tail.shape):
            d, hop_range, rmax, there = (float(values[place]) for values in rules)
            if np.isfinite(there):
                tail[place] = Rule(int(d), hop_range, KERNELS["box"], rmax).tail
        return {
            "status": np.where(inside, Status.DONE, Status.OUTSIDE_DOMAIN),
            "T_over_E_star": ratio,
            "kappa_unit": LogArray(channel.unit(p).ln + absent).value,
            "factor": thermal_factor(channel, p),
            "tail_C": tail,
            **_local(channel, p, ratio),
        }


def replicate(
    point: Mapping[str, float],
    options: Mapping[str, Any],
    rng: Generator,
    cancelled: CancelToken,
) -> dict[str, Any]:
    """Draw the excitations of one box, and solve for the flow of number and of energy."""
    nothing = dict.fromkeys(ESTIMATES, np.nan)
    p = spin_model(**{name: point[name] for name in NEEDS})
    channel = CHANNELS[OPTIONS[options["channel"]]]
    if not exists(channel, p):
        return {**nothing, "status": Status.OUTSIDE_DOMAIN}
    T = float((p.T / channel.energy(p)).value)
    rule = Rule(
        int(point["d"]),
        float(channel.hop_range(p)),
        KERNELS["box"],
        point["rmax"],
        growth=float(channel.growth(p)),
    )
    nodes = _sample(channel, rule, T, point, rng)
    hops = find_hops(nodes, rule, occupation_variance(nodes.energies / T), cancelled)
    charges = np.stack([np.ones(len(nodes)), nodes.energies / T])
    found = respond(hops, nodes.positions[:, 0], nodes.box, charges, None, cancelled)
    volume = nodes.box**rule.d
    checks = {"flux_error": found.flux_error, "imbalance": found.imbalance}
    if not found.solved:
        return {**nothing, **checks, "status": Status.NOT_CONVERGED}
    L = found.energy / (volume * T ** (1 - rule.steepness))
    return {
        "L11": L[0, 0],
        "L12": L[0, 1],
        "L22": L[1, 1],
        "density": len(nodes) / volume,
        **checks,
    }


def derive(point: Mapping[str, float], known: Arrays) -> dict[str, NDArray[Any]]:
    """Return kappa at zero current of number, with longer hops added to every coefficient."""
    names = ("L11", "L12", "L22")
    L = np.stack([known[name] + known["tail_C"] * known[f"{name}_local"] for name in names])
    kappa = conserving(L)
    return {
        "kappa": known["kappa_unit"] * kappa,
        "prefactor": kappa,
        "C": kappa / known["factor"],
        "C_energy": known["L22"] / known["L22_local"] + known["tail_C"],
        "drag": L[1] ** 2 / (L[0] * L[2]),
    }


def _sample(
    channel: Assisted, rule: Rule, T: float, point: Mapping[str, float], rng: Generator
) -> Nodes:
    """Return the excitations up to `hottest` T in a box of `box` r12(T)."""
    box, hottest = point["box"] * T**rule.growth, point["hottest"] * T
    spins = channel.splits_with is None
    expected = box**rule.d * (2 * hottest if spins else number_of_states(rule, hottest))
    if expected > MOST_NODES:
        raise ValueError(
            f"T/E* = {T:.3g} and a box of {point['box']:g} r12 hold {expected:.2g} excitations, "
            f"more than {MOST_NODES:.0e}; take a smaller box, a higher T or a larger E*, "
            "or golden-rule-network, which takes T/E* as large"
        )
    if spins:
        return sample_strip(rule.d, -hottest, hottest, box, rng)
    return sample_states(rule, hottest, box, rng)


def _local(channel: Assisted, p: SpinModel[LogArray], ratio: Array) -> dict[str, Array]:
    """Return L11, L12, L22 over C in the limit of local diffusion."""
    lowest = np.full_like(ratio, NO_NUMBER) if channel.splits_with is None else 1 / ratio
    found = moments(channel.steepness(p), lowest)
    if channel.splits_with is None:  # both signs of energy
        found = np.stack([2 * found[0], 0 * found[1], 2 * found[2]])
    return {f"L{pq}_local": value for pq, value in zip(("11", "12", "22"), found, strict=True)}


def _estimate(name: str, long_name: str, comment: str = "") -> Variable:
    return Variable(name, long_name, comment=comment, estimated=True)


PER_UNIT = "in units of kappa_unit and its powers of T; hops up to rmax"
GATE = f"a network at {AGREEMENT:g} or above is not converged and enters no mean"

model = Model(
    name="golden-rule-strip",
    version="1",
    kind="monte-carlo",
    title="Thermal conductivity assisted by optimal networks, end to end at one temperature",
    reference="D. B. Gutman et al., Energy transport in the Anderson insulator (2016)",
    papers=(GUTMAN,),
    parameters=(
        *spin_parameters(*NEEDS),
        Parameter.positive("rmax", "reach of the hops simulated, in r12(E)", "r12", 3.0),
        Parameter.positive("box", "edge of the box in r12 at E = T", "r12", 12.0),
        Parameter.positive("hottest", "largest energy over T", "1", 6.0),
    ),
    variables=(
        STATUS,
        Variable(
            "kappa",
            "thermal conductivity of the channel",
            "energy length**(2-d)",
            f"{PAPER}, (S-A.9), (36), (60)",
            comment="(L22 - L12**2/L11) kappa_unit, longer hops added; its exponents come out by "
            "construction; for alpha != beta and for pseudo2-spins nothing but the scaling is "
            "tested: not E*, nor the density of states, nor which excitations matter",
            derived=True,
        ),
        Variable("kappa_unit", "kappa with prefactor 1", "energy length**(2-d)"),
        Variable("prefactor", "kappa over its unit", derived=True),
        Variable(
            "C",
            "kappa over its unit and over the integral over energies",
            comment="the universal number, if diffusion is local and energies have no ends",
            derived=True,
        ),
        Variable(
            "C_energy",
            "L22 over its local limit with C = 1",
            comment="the universal number C(d, 2 range, box): the ends of energies matter little",
            derived=True,
        ),
        Variable(
            "drag",
            "share of L22 that conservation of number takes away",
            comment="L12**2/(L11 L22)",
            derived=True,
        ),
        Variable("factor", "integral over energies, see golden-rule-network"),
        Variable("tail_C", "what longer hops add to C"),
        Variable("T_over_E_star", "temperature over the energy of the optimal network"),
        _estimate("L11", "number carried by a force on number", PER_UNIT),
        _estimate("L12", "number carried by a force on energy", PER_UNIT),
        _estimate("L22", "energy carried by a force on energy", PER_UNIT),
        *(
            Variable(f"L{pq}_local", f"L{pq} in the limit of local diffusion with C = 1")
            for pq in ("11", "12", "22")
        ),
        _estimate("density", "excitations per volume r12(E*)**d"),
        _estimate("flux_error", "relative difference of L from current and from power", GATE),
        _estimate("imbalance", "relative difference of the currents through two planes", GATE),
    ),
    evaluate=evaluate,
    options=(Option("channel", tuple(OPTIONS), "which excitations carry the heat"),),
    replicate=replicate,
    derive=derive,
    target="kappa",
    seconds_per_cell=2.0,
)
