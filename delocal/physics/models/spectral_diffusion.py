"""Energy transport by spectral diffusion: kinetic Monte Carlo of flip-flops that shift energies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from delocal.physics import phase_diagram
from delocal.physics.conductivity import kappa_spectral_diffusion
from delocal.physics.disorder import Ensemble
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
from delocal.physics.network_models import finite_scales, logarithmic
from delocal.physics.papers import GUTMAN
from delocal.physics.parameters import RANGES, spin_model, spin_parameters
from delocal.physics.phase_diagram import WITH_OPTIMAL_PSEUDOSPINS, Region
from delocal.physics.scales import optimal_pseudospin_size
from delocal.physics.transport.flip_flop_kernels import Drive
from delocal.physics.transport.flip_flops import RULES, Rule, annealed_diffusion, draw_sample
from delocal.physics.transport.spectral_diffusion import (
    HEAT,
    LAGS,
    STEP,
    WARM_UP,
    Blocks,
    decay_time,
    hot_twin,
    run_course,
    strip,
)

PAPER = "Gutman et al. (2016)"
SPINS = (*RANGES, "W", "t", "V", "rho")
RUN = ("c", "cap", "X", "Rmax", "Rmin", "box", "duration", "strip")
EXACT = ("R1", "E_star", "N_s", "R0", "M", "D_tail")
ESTIMATED = ("D", "F", "overlap", "hops", "attempts")
WEAKEST_DISORDER = {1: 200.0, 2: 200.0, 3: 50.0}
"""W/(V rho**(beta/d)) of random positions, below which close spins detune each other's energies."""
WEAKEST_ON_A_LATTICE = 6.0
FEWEST_SPINS = 4.0
LARGEST_BIAS = 2.0
"""X Rmax at which the most biased hop would be accepted always."""


class Regime(IntEnum):
    """What limits the meaning of a cell, the gravest first to be told."""

    within = 0
    convention = 1
    weak_disorder = 2
    few_spins = 3
    small_box = 4
    outside = 5


def regime(hot: Ensemble, blocks: Blocks, run: Mapping[str, float], lattice: bool) -> Regime:
    """Return what limits the meaning of a run; see the variable."""
    disorder = hot.W / (hot.V * hot.rho ** (hot.beta / hot.d))
    if run["box"] < 2 * run["Rmax"]:
        return Regime.small_box
    if blocks.M < FEWEST_SPINS:
        return Regime.few_spins
    if disorder < (WEAKEST_ON_A_LATTICE if lattice else WEAKEST_DISORDER[hot.d]):
        return Regime.weak_disorder
    return Regime.convention if hot.alpha > hot.d else Regime.within


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return sizes, the tail and the regime: NaN outside the domain."""
    arrays = np.broadcast_arrays(*parameters.values())
    shape = arrays[0].shape
    found = {name: np.full(shape, np.nan) for name in EXACT}
    flags = np.full(shape, Regime.outside, np.int8)
    for place in np.ndindex(shape):
        values = (float(of_all[place]) for of_all in arrays)
        point = dict(zip(parameters, values, strict=True))
        if (hot := _hot_spins(point, options)) is None:
            continue
        blocks = Blocks(hot, point["c"])
        flags[place] = regime(hot, blocks, point, options["positions"] == "lattice")
        tail = annealed_diffusion(hot, point["Rmax"] * blocks.R0)
        sizes = (blocks.R1, blocks.E_star, blocks.N_s, blocks.R0, blocks.M, tail)
        for name, value in zip(EXACT, sizes, strict=True):
            found[name][place] = value
    return {**found, "regime": flags}


def replicate(
    point: Mapping[str, float],
    options: Mapping[str, Any],
    rng: Generator,
    cancelled: CancelToken,
) -> dict[str, Any]:
    """Run one sample."""
    hot = _hot_spins(point, options)
    bias = point["X"] * point["Rmax"]
    if hot is None or point["box"] < 2 * point["Rmax"] or bias > LARGEST_BIAS:
        names = (*ESTIMATED, "kappa") if "T" in point else ESTIMATED
        return {**dict.fromkeys(names, np.nan), "status": Status.OUTSIDE_DOMAIN}
    blocks = Blocks(hot, point["c"])
    R0, unit = blocks.R0, blocks.M / blocks.E0
    spins, drive = hot, Drive(point["X"] / R0)
    if "T" in point and options["temperature"] == "direct":
        T = point["T"]
        spins = strip(_spins(point, T), point["strip"])
        drive = Drive(point["X"] / R0, 1 / T, charge=0.0, charge_per_energy=1 / (HEAT**0.5 * T))
    rule = Rule(options["rule"], R0, point["cap"], point["Rmax"] * R0, point["Rmin"] * R0)
    shifts = options["shifts"] == "on"
    sample = draw_sample(
        replace(spins, hopping=options["hopping"]),
        rule,
        point["box"] * R0,
        rng,
        positions=options["positions"],
        shifts=shifts,
    )
    steps, warm_up = round(point["duration"] / STEP), round(WARM_UP / STEP)
    course = run_course(sample, drive, STEP * unit, steps, warm_up, rng, cancelled)
    D = 4 * course.current / (hot.rho * sample.box**hot.d)
    D += annealed_diffusion(hot, rule.Rmax) if shifts else 0.0
    heat = {"kappa": HEAT * point["rho"] * point["T"] / point["W"] * D} if "T" in point else {}
    return {
        "D": D,
        "F": D / blocks.D,
        "overlap": course.overlap,
        "hops": course.hops,
        "attempts": course.attempts,
        **heat,
    }


def derive(point: Mapping[str, float], known: Arrays) -> dict[str, NDArray[Any]]:
    """Return tau from the mean overlap, the rate in units of E*/Ns, and kappa in that of (77)."""
    R0, M = known["R0"], known["M"]
    tau = decay_time(known["overlap"], np.array(LAGS)) * M * R0 ** point["alpha"] / point["t"]
    found = {"tau": tau, "G": known["N_s"] / (known["E_star"] * tau)}
    if "T" in point:
        p = spin_model(*(point[name] for name in (*RANGES, "T", "W", "t", "V", "rho")))
        found["prefactor"] = known["kappa"] / kappa_spectral_diffusion(p).value
    return found


def _spins(point: Mapping[str, float], T: float) -> Ensemble:
    d, alpha, beta, W, t, V, rho = (float(point[name]) for name in SPINS)
    return Ensemble(int(d), alpha, beta, T, W, t, V, rho)


def _hot_spins(point: Mapping[str, float], options: Mapping[str, Any]) -> Ensemble | None:
    """Return the system at infinite temperature, or None outside the domain."""
    d, alpha, beta, W = (float(point[name]) for name in (*RANGES, "W"))
    inside = Region(int(phase_diagram.region(d, alpha, beta))) in WITH_OPTIMAL_PSEUDOSPINS
    if not inside or 2 * alpha <= d + 2:
        return None
    spins = _spins(point, min(point["T"], W / 4) if "T" in point else W / 2)
    if not finite_scales(logarithmic(spins), optimal_pseudospin_size):
        return None
    if "T" not in point:
        return spins
    band = 4.0 if options["temperature"] == "twin" else max(4.0, point["strip"])
    if band * point["T"] > W * (1 + 1e-12):
        return None
    return hot_twin(spins)


def _estimate(name: str, long_name: str, units: str = "1", comment: str = "") -> Variable:
    return Variable(name, long_name, units, comment=comment, estimated=True)


def _number(name: str, long_name: str, units: str, default: float) -> Parameter:
    return Parameter.positive(name, long_name, units, default)


TWIN = "of the system at infinite temperature: density 4 rho T/W, disorder 4 T"
SYSTEMATIC = (
    "the rule is classical: at d = alpha = 3 rules and cuts move F within 8.5 and 12; for alpha > "
    "d it grows with c and cap without a limit, and no exponent of W follows"
)

model = Model(
    name="spectral-diffusion",
    version="1",
    kind="monte-carlo",
    title="Energy transport by spectral diffusion in the power-law spin model",
    reference="D. B. Gutman et al., Energy transport in the Anderson insulator (2016), Sec. IX",
    papers=(GUTMAN,),
    parameters=(
        *(replace(p, optional=p.name == "T") for p in spin_parameters(*SPINS, "T")),
        _number("c", "R1 over the size R0 of a block", "1", 2.6),
        _number("cap", "largest rate of a pair", "E0 = t/R0**alpha", 3.0),
        _number("X", "force; the error of D is of order X**2, 1 to 2 % at 0.4", "1/R0", 0.4),
        _number("Rmax", "distance beyond which hops enter by their mean", "R0", 2.0),
        Parameter("Rmin", "distance below which pairs do not hop", "R0", 0, default=0.0),
        _number("box", "edge of the box", "R0", 4.5),
        Parameter("duration", "time measured", "M/E0", 6, 1e4, default=10.0),
        Parameter("strip", "width of the band of energies, if direct", "T", 4, 100, default=12.0),
    ),
    variables=(
        STATUS,
        Variable(
            "kappa",
            "thermal conductivity",
            "energy length**(2-d)",
            f"{PAPER}, Eq. (77)",
            needs="T",
            comment=f"pi**2/3 rho T/W times D; {SYSTEMATIC}",
            estimated=True,
        ),
        replace(
            _estimate("D", "diffusion coefficient of energy", "energy length**2", SYSTEMATIC),
            equation=f"{PAPER}, from Eq. (77)",
        ),
        replace(
            _estimate("F", "D over R1**2 E_star/N_s", "1", SYSTEMATIC),
            equation=f"{PAPER}, from Eq. (77)",
        ),
        Variable(
            "prefactor",
            "kappa over T (t rho/W)**2 R1**(d - 2 alpha + 2)",
            equation=f"{PAPER}, Eq. (77)",
            needs="T",
            comment="R1(T) of Eq. (21), with prefactor 1. By an identity it is F times pi**2/3 "
            f"4**(beta (2 alpha - d - 2)/D), at every T; {SYSTEMATIC}",
            derived=True,
        ),
        Variable(
            "tau",
            "time in which the overlap falls to 1/e; NaN if it does not",
            "1/energy",
            f"{PAPER}, Eq. (74)",
            derived=True,
        ),
        Variable("G", "1/tau over E_star/N_s", "1", f"{PAPER}, from Eq. (74)", derived=True),
        replace(
            _estimate("overlap", "correlation of the spins after a time", comment="lag in M/E0"),
            dims=("lag",),
        ),
        _estimate("hops", "flip-flops of a spin"),
        _estimate("attempts", "attempts for one flip-flop"),
        Variable(
            "R1", "size of an optimal pseudo-spin", "length", f"{PAPER}, Eq. (21)", comment=TWIN
        ),
        Variable("E_star", "t / R1**alpha", "energy", f"{PAPER}, Eq. (24)", comment=TWIN),
        Variable("N_s", "spins in a volume Lc**d", "1", f"{PAPER}, Eq. (69)", comment=TWIN),
        Variable("R0", "size of a block, R1/c", "length"),
        Variable("M", "spins in a block", "1", comment=TWIN),
        Variable("D_tail", "the part of D from hops beyond Rmax", "energy length**2"),
        Variable.flag(
            "regime",
            "what limits the meaning of the numbers",
            flags=Regime,
            comment="convention: alpha > d, F depends on c and cap; weak_disorder: W/(V rho**(beta"
            "/d)) below 50 in d = 3, 200 in d = 1 and 2, 6 on a lattice; few_spins: M < 4; "
            "small_box: box < 2 Rmax, refused; outside: no theory here, or too hot for its band",
        ),
    ),
    evaluate=evaluate,
    options=(
        Option(
            "rule",
            tuple(RULES),
            "resonant: window and rate J = t/r**alpha; wide: window E0 at least; golden-rule: "
            "window E0, rate J**2/E0; assisted: close pairs as slow as Eq. (32)",
        ),
        Option(
            "positions",
            ("random", "lattice"),
            "of the spins that take part, with T those of its band",
        ),
        Option("hopping", ("fixed", "gaussian"), "law of abs(t_ij)"),
        Option("shifts", ("on", "off"), "off: flips leave all other energies as they are"),
        Option(
            "temperature",
            ("twin", "direct"),
            "with T: by the system at infinite temperature, or a strip of energies with a bath "
            "at T, which first relaxes spin by spin",
        ),
    ),
    replicate=replicate,
    derive=derive,
    target="D",
    coordinates={"lag": LAGS},
    seconds_per_cell=1.0,
)
