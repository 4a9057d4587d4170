"""Weakly interacting electrons in grains over temperature: T_c, sigma(T), kappa(T), linewidths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.physics import scba, scba_transition
from delocal.physics.crossover import excess, lorenz_of_excesses, ratio_of_excess
from delocal.physics.linewidths import typical_width
from delocal.physics.model import STATUS, Arrays, Model, Option, Parameter, Status, Variable
from delocal.physics.papers import BASKO, BASKO_REVIEW
from delocal.physics.scba import Grains

SLIDES = "Basko, Aleiner, Altshuler (2005)"
REVIEW = "Basko, Aleiner, Altshuler (2006)"


class Phase(IntEnum):
    """What the electrons do at a temperature."""

    insulator = 0
    broad_widths = 1
    power_law = 2
    saturated = 3


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return every variable; NaN outside the domain where float64 does not hold all of them."""
    p = Grains(**{name: parameters[name] for name in ("lam", "M", "I", "d", "zeta", "delta")})
    T = parameters["T"]
    with np.errstate(all="ignore"):  # extreme parameters give 0 and inf
        numbers = {**_scales(p, T), **_transition(p, parameters, options["transition"])}
        metal = numbers["growth"] >= 1
        numbers |= _conduction(p, T, metal, options)
        regime_valid = (np.sqrt(p.lam) * p.M < 1) & (T > p.delta)
    status = _status(numbers)
    held = status == Status.DONE
    phase = np.select(
        [~metal, T < numbers["T_in"], T < numbers["T_saturation"]],
        [Phase.insulator, Phase.broad_widths, Phase.power_law],
        Phase.saturated,
    )
    return {
        "status": status,
        "phase": phase.astype(np.int8),
        "regime_valid": np.asarray(regime_valid, dtype=np.int8),
        **{name: np.where(held, number, np.nan) for name, number in numbers.items()},
    }


def _status(numbers: Arrays) -> NDArray[np.int8]:
    held = np.array(True)
    for name, number in numbers.items():
        held = held & (np.isfinite(number) | (name in MAY_BE_MISSING))
    lost = np.isnan(numbers["sigma_ratio"] + numbers["kappa_ratio"])  # no root of the medium
    status = np.select([held, lost], [Status.DONE, Status.NOT_CONVERGED], Status.OUTSIDE_DOMAIN)
    return status.astype(np.int8)


def _scales(p: Grains, T: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    return {
        "T_in": scba.inelastic_temperature(p),
        "T_in_slides": scba.inelastic_temperature_slides(p),
        "T_in_review": scba.inelastic_temperature_review(p),
        "T_el": scba.elastic_temperature(p),
        "T_el_criterion": scba.elastic_temperature_criterion(p),
        "T_el_review": scba.elastic_temperature_review(p),
        "T_saturation": scba.saturation_temperature(p),
        "u": scba.crossover_parameter(p, T),
        "Gamma_mean": scba.mean_inelastic_width(p, T),
        "Gamma_spread": scba.inelastic_width_spread(p),
        "Gamma_el_mean": scba.mean_elastic_width(p),
        "sigma_inf": scba.conductivity_limit(p),
        "kappa_inf": scba.thermal_conductivity_limit(p, T),
    }


def _transition(p: Grains, parameters: Arrays, which: str) -> dict[str, NDArray[Any]]:
    """Return both T_c, and the growth of widths by the one chosen."""
    T, c = parameters["T"], parameters["c"]
    C2 = parameters.get("C2", scba_transition.transition_coefficient(p.M))
    growths = {
        "slides": scba_transition.growth_slides(p, T, c),
        "review": scba_transition.growth(p, T, C2),
    }
    gamma = typical_width(parameters["n"], growths[which], 1.0)
    return {
        "T_c_slides": scba_transition.critical_temperature_slides(p, c),
        "T_c_review": scba_transition.critical_temperature(p, C2),
        "growth": growths[which],
        "gamma_n": gamma.value,
        "log10_gamma_n": gamma.log10,
    }


def _conduction(
    p: Grains, T: NDArray[np.float64], metal: NDArray[np.bool_], options: Mapping[str, Any]
) -> dict[str, NDArray[Any]]:
    """Return sigma and kappa, zero in the insulator, and sigma as the review has it."""
    u, d = scba.crossover_parameter(p, T), p.d if options["medium"] == "effective" else 1
    x = {name: excess(name, u, d, options["method"]) for name in ("sigma", "kappa")}
    ratios = {name: np.where(metal, ratio_of_excess(u, x[name]), 0.0) for name in x}
    review = np.where(metal, scba.conductivity_ratio_review(p, T), 0.0)
    return {
        "sigma_ratio": ratios["sigma"],
        "kappa_ratio": ratios["kappa"],
        "sigma": ratios["sigma"] * scba.conductivity_limit(p),
        "kappa": ratios["kappa"] * scba.thermal_conductivity_limit(p, T),
        "lorenz_ratio": np.where(metal, lorenz_of_excesses(u, x["sigma"], x["kappa"]), np.nan),
        "sigma_ratio_review": review,
    }


def _energies() -> Iterator[Variable]:
    for name, long_name, equation, comment in (
        ("T_c_slides", "critical temperature with tunnelling", f"{SLIDES}, slide of T_c", ""),
        ("T_c_review", "critical temperature", f"{REVIEW}, Eq. (28)", "C2 = 12 M unless given"),
        ("T_in", "temperature above which linewidths are narrowly distributed", "", "derived"),
        ("T_in_slides", "the same as printed on the slides", f"{SLIDES}, slide of T(in)", ""),
        ("T_in_review", "the same as the review estimates it", f"{REVIEW}, Eq. (21)", ""),
        ("T_el", "scale of sigma(T) and kappa(T)", f"{SLIDES}, slide of T(el)", ""),
        (
            "T_el_criterion",
            "temperature where the variance of Gamma_el is its mean squared",
            f"{SLIDES}, criterion on the slide of T(el)",
            "four times the T_el printed beside it",
        ),
        ("T_el_review", "temperature where levels overlap", f"{REVIEW}, Eq. (22)", ""),
        (
            "T_saturation",
            "temperature sqrt(delta T_el) where sigma(T) saturates",
            f"{SLIDES}, slide of T(el)",
            "the review has it at T_el_review",
        ),
        ("Gamma_mean", "mean linewidth by electron-hole pairs", f"{REVIEW}, Eq. (20)", ""),
        (
            "Gamma_spread",
            "standard deviation of the linewidth in the metal",
            f"{REVIEW}, Eq. (20)",
            "of a Gaussian where T >> T_in",
        ),
        ("Gamma_el_mean", "mean linewidth by tunnelling", f"{SLIDES}, slide of Gamma(el)", ""),
    ):
        yield Variable(name, long_name, "energy", equation, comment=comment)


def _dimensionless() -> Iterator[Variable]:
    for name, long_name, equation, comment in (
        ("u", "crossover parameter delta T_el / T**2", f"{SLIDES}, slide of T(el)", ""),
        ("growth", "growth Lambda of linewidths, 1 at T_c", f"{REVIEW}, Eq. (27)", ""),
        ("gamma_n", "typical linewidth of order n over C1 eta", f"{REVIEW}, Eq. (27)", ""),
        ("log10_gamma_n", "decimal logarithm of gamma_n", f"{REVIEW}, Eq. (27)", ""),
        ("sigma_ratio", "conductivity over sigma_inf", f"{SLIDES}, slide of T(el)", EXTRAPOLATED),
        ("kappa_ratio", "thermal conductivity over kappa_inf", f"{SLIDES}, slide of T(el)", ""),
        (
            "lorenz_ratio",
            "Lorenz number over that of Wiedemann and Franz",
            f"{SLIDES}, slide Lorentz number",
            "NaN in the insulator",
        ),
        (
            "sigma_ratio_review",
            "conductivity over sigma_inf as the review draws it",
            f"{REVIEW}, Fig. 5",
            "min(1, T / T_el_review) above T_c: the exponent that goes with lam**2 on the slides",
        ),
    ):
        yield Variable(name, long_name, "1", equation, comment=comment)


EXTRAPOLATED = "from the metal where the phase is broad_widths"
MAY_BE_MISSING = ("lorenz_ratio", "gamma_n", "log10_gamma_n")

model = Model(
    name="scba-temperature",
    version="1",
    kind="self-consistent",
    title="Metal-insulator transition of weakly interacting localized electrons",
    reference="D. M. Basko, I. L. Aleiner, B. L. Altshuler, cond-mat/0506617 v1 (2005), and "
    "their review (2006)",
    papers=(BASKO, BASKO_REVIEW),
    parameters=(
        Parameter.positive("T", "temperature", "energy"),
        Parameter("lam", "interaction", "delta", minimum=0, maximum=1, open_bounds=True),
        Parameter("M", "levels within reach of the interaction", "1", minimum=1, default=4.0),
        Parameter("d", "dimension", "1", minimum=1, maximum=3, integer=True, default=1),
        Parameter.positive("zeta", "localization length", "length", 1.0),
        Parameter(
            "I", "tunnelling between grains", "delta", minimum=1e-300, maximum=1, default=0.1
        ),
        Parameter.positive("delta", "level spacing of a grain", "energy", 1.0),
        Parameter.positive("c", "constant in T_c of the slides", "1", 1.0),
        Parameter("n", "order of the linearised equation", "1", 0, 1e6, integer=True, default=1),
        Parameter.positive(
            "C2", "constant in T_c of the review; 12 M if left out", "1", optional=True
        ),
    ),
    variables=(
        STATUS,
        Variable.flag(
            "phase",
            "what the electrons do",
            f"{REVIEW}, Fig. 5",
            Phase,
            comment="T below T_c; below T_in; below T_saturation; above",
        ),
        Variable.flag(
            "regime_valid",
            "whether M < 1 / sqrt(lam) and T > delta, as the theory assumes",
            f"{SLIDES}, slide of the matrix elements",
        ),
        *_energies(),
        *_dimensionless(),
        Variable("sigma_inf", "limit of sigma", "length**(2-d)", f"{SLIDES}, slide of T(el)"),
        Variable("sigma", "conductivity, e = 1", "length**(2-d)", f"{SLIDES}, slide of T(el)"),
        Variable(
            "kappa_inf",
            "kappa by the Wiedemann-Franz law",
            "energy length**(2-d)",
            f"{SLIDES}, slide of T(el)",
            comment="without the factor e**2 that is printed",
        ),
        Variable("kappa", "thermal conductivity", "energy length**(2-d)", f"{SLIDES}, as sigma"),
    ),
    evaluate=evaluate,
    options=(
        Option("transition", ("slides", "review"), "which T_c separates insulator and metal"),
        Option(
            "medium",
            ("series", "effective"),
            "series: bonds in series in every d, as on the slides; effective: the effective medium",
        ),
        Option("method", ("quadrature", "pade"), "of the crossover; see the model scba"),
    ),
    seconds_per_cell=5e-6,
)
