"""Charge and heat through a lattice of random bonds between grains, by Kirchhoff's equations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from delocal.physics.bond_networks import (
    level_bonds,
    levy_bonds,
    levy_effective_medium,
    levy_scale,
    pair_bonds,
    width,
)
from delocal.physics.kirchhoff import (
    BALANCE,
    Lattice,
    Solver,
    direct,
    flow,
    lattice,
    multigrid,
)
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
from delocal.physics.papers import BASKO
from delocal.physics.powers import Array

SLIDES = "Basko, Aleiner, Altshuler (2005), slide of T(el)"
NUMBERS = ("sigma", "kappa", "lorenz", "resistivity", "G_over_gamma")
SOLVERS: Mapping[str, Solver | None] = {"auto": None, "direct": direct, "multigrid": multigrid}
MOST_BONDS = 3_000_000


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the numbers that need no sampling."""
    d, u, T = (np.asarray(parameters[name], dtype=np.float64) for name in ("d", "u", "T"))
    return {
        "Gamma": width(u, d, T),
        "gamma": levy_scale(u, d),
        "G_over_gamma_medium": levy_effective_medium(d),
    }


def replicate(
    point: Mapping[str, float],
    options: Mapping[str, Any],
    rng: Generator,
    cancelled: CancelToken,
) -> dict[str, Any]:
    """Draw one lattice of bonds and solve it for charge and for heat."""
    d, L = int(point["d"]), int(point["L"])
    nothing: dict[str, Any] = dict.fromkeys((*NUMBERS, "current_balance"), np.nan)
    overlap = options["law"] == "levels" and width(point["u"], d, point["T"]) > point["T"]
    if overlap or d * float(L) ** d > MOST_BONDS:
        return {**nothing, "status": Status.OUTSIDE_DOMAIN}
    bonds = lattice(d, L, options["boundary"])
    flows = [
        flow(bonds, g, SOLVERS[options["solver"]], cancelled)
        for g in LAWS[options["law"]](bonds, point, rng, cancelled)
    ]
    balance = float(np.max([found.balance for found in flows]))
    if not all(found.solved for found in flows):
        return {**nothing, "current_balance": balance, "status": Status.NOT_CONVERGED}
    sigma, gamma = flows[0].conductance, float(levy_scale(point["u"], d))
    kappa = flows[-1].conductance
    if options["law"] == "levy":  # one law for both, but for its scale
        kappa *= float(levy_scale(point["u"], d, heat=True)) / gamma
    return {
        "sigma": sigma,
        "kappa": kappa,
        "lorenz": kappa / sigma,
        "resistivity": 1 / sigma,
        "G_over_gamma": sigma / gamma,
        "current_balance": balance,
    }


def _levels(
    bonds: Lattice, point: Mapping[str, float], rng: Generator, cancelled: CancelToken
) -> Array:
    Gamma = float(width(point["u"], bonds.d, point["T"]))
    grains = bonds.node.size
    return level_bonds(grains, bonds.start, bonds.end, point["T"], Gamma, rng, cancelled)


def _pairs(
    bonds: Lattice, point: Mapping[str, float], rng: Generator, cancelled: CancelToken
) -> Array:
    return pair_bonds(bonds.start.size, bonds.d * point["u"], rng, cancelled)


def _levy(
    bonds: Lattice, point: Mapping[str, float], rng: Generator, cancelled: CancelToken
) -> Array:
    gamma = float(levy_scale(point["u"], bonds.d))
    return gamma * levy_bonds(bonds.start.size, rng)[np.newaxis]


LAWS: Mapping[str, Callable[[Lattice, Mapping[str, float], Generator, CancelToken], Array]] = {
    "pairs": _pairs,
    "levels": _levels,
    "levy": _levy,
}


def _estimate(name: str, long_name: str, equation: str = "", comment: str = "") -> Variable:
    return Variable(name, long_name, "1", equation, comment=comment, estimated=True)


model = Model(
    name="scba-bonds",
    version="1",
    kind="monte-carlo",
    title="Charge and heat through a lattice of random bonds between grains",
    reference="D. M. Basko, I. L. Aleiner, B. L. Altshuler, cond-mat/0506617 v1 (2005)",
    papers=(BASKO,),
    parameters=(
        Parameter("d", "dimension", "1", minimum=1, maximum=3, integer=True, default=1),
        Parameter("u", "crossover parameter delta T_el / T**2", "1", minimum=1e-3, maximum=1e100),
        Parameter("T", "temperature", "delta", minimum=1, maximum=100, default=10.0),
        Parameter(
            "L", "bonds along an edge of the lattice", "1", minimum=2, integer=True, default=16
        ),
    ),
    variables=(
        STATUS,
        _estimate("sigma", "conductivity over its limit at high temperature", SLIDES),
        _estimate("kappa", "thermal conductivity over its limit at high temperature", SLIDES),
        _estimate("lorenz", "Lorentz number over pi**2/3", SLIDES, "mean over lattices of L/L0"),
        _estimate(
            "resistivity",
            "resistivity over its limit at high temperature",
            comment="in d = 1 its mean is exact at any L; that of sigma is high by O(1/L)",
        ),
        _estimate(
            "G_over_gamma",
            "effective conductance of a bond over the scale of Levy's law",
            comment="at u >> 1, 2 in d = 1",
        ),
        _estimate(
            "current_balance",
            "largest relative difference of the currents through two planes",
            comment=f"bounds abs(I_in + I_out)/abs(I); a lattice at {BALANCE:g} or above is not "
            "converged and enters no mean",
        ),
        Variable("Gamma", "inelastic half width of a level", "delta", depends=("d", "u", "T")),
        Variable(
            "gamma",
            "scale of the law of a bond at u >> 1, over its mean",
            "1",
            "Basko, Aleiner, Altshuler (2006), Eq. (27)",
            depends=("d", "u"),
        ),
        Variable(
            "G_over_gamma_medium",
            "effective conductance over gamma in the effective medium at u >> 1",
            depends=("d",),
        ),
    ),
    evaluate=evaluate,
    options=(
        Option(
            "law",
            tuple(LAWS),
            "pairs: independent pairs of levels, T >> delta; levels: the levels of every grain at "
            "T; levy: g = 2 gamma / Z**2, u >> 1",
        ),
        Option(
            "boundary",
            ("torus", "electrodes"),
            "torus: periodic, in a uniform field; electrodes: between two planes of a fixed "
            "potential, with a surface effect of order 1/L",
        ),
        Option("solver", tuple(SOLVERS), "auto: multigrid in d = 3 from L = 12 on, else direct"),
    ),
    replicate=replicate,
    target="sigma",
    seconds_per_cell=0.05,
)
