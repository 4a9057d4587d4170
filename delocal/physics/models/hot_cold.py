"""Hot electrons delocalized by cold ones in a continuum, Gornyi et al. (2017), as a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from delocal.physics import hot_cold, hot_cold_transport
from delocal.physics.continuum_disorder import Continuum
from delocal.physics.hot_cold import HotCold
from delocal.physics.hot_cold_printed import (
    critical_temperature_of_constant_length,
    leading_threshold,
)
from delocal.physics.hot_cold_threshold import MobilityEdge, find_threshold
from delocal.physics.model import STATUS, Arrays, Model, Option, Parameter, Status, Variable
from delocal.physics.papers import GORNYI
from delocal.physics.powers import LogArray

PAPER = "Gornyi et al. (2017)"
ENERGIES = ("T", "eF", "u")
DISORDER = ("m", "w", "d")


class Quantity(NamedTuple):
    """A positive quantity of the datasets, given as a number and by its decimal logarithm."""

    name: str
    long_name: str
    units: str
    equation: str
    comment: str = ""

    @property
    def variable(self) -> Variable:
        """The number; its equation is of `PAPER`, and "(7)" stands for Eq. (7)."""
        where = f"Eq. {self.equation}" if self.equation[0] == "(" else self.equation
        equation = f"{PAPER}, {where}"
        return Variable(self.name, self.long_name, self.units, equation, comment=self.comment)


COLD = (
    Quantity("chi", "parameter that eps_th grows with", "1", "(16), (26)"),
    Quantity("xi_c", "localization length at the Fermi level", "length", "(2), (20), (30)"),
    Quantity("Delta_c", "level spacing of cold electrons", "energy", "Sec. II"),
    Quantity("l_M", "Mott length", "length", "(7)"),
    Quantity("n_T", "density of thermal excitations", "length**(-D)", "(6), (22)"),
    Quantity("eta_F", "eta_hc of electrons at the Fermi level", "1", "(13), (26)"),
    Quantity(
        "eps_th_printed",
        "threshold to leading logarithm as printed",
        "energy",
        "(14), (15), (28)",
        "prefactors one whatever the option; NaN where the paper prints none",
    ),
    Quantity(
        "T_c",
        "scale at which localization would end were xi constant",
        "energy",
        "Fig. 2",
        "Delta_c/(alpha ln(1/alpha)), prefactor one; NaN where alpha >= 1",
    ),
)
HOT = (
    Quantity("eps_th", "energy from which on electrons are delocalized", "energy", "(14) to (30)"),
    Quantity("suppression", "-log_sigma, (eps_th - eF)/T", "1", "(18), (29)"),
    Quantity("sigma", "conductivity over its prefactor", "1", "(18), (29)"),
    Quantity("n_h", "density of delocalized electrons per spin", "length**(-D)", "(17)"),
    Quantity("activation_energy", "-d ln sigma/d(1/T)", "energy", "(18), (29)"),
)
AT_THRESHOLD = (
    Quantity("xi_h", "localization length at eps_th", "length", "(2), (20), (30)"),
    Quantity("Delta_h", "level spacing of hot electrons", "energy", "Sec. II"),
    Quantity("N_eff", "cold pairs within reach of a hot state", "1", "(8)"),
    Quantity("Delta_3hc", "spacing of final states of a decay", "energy", "(9), (23)"),
    Quantity(
        "V_hc",
        "matrix element of a decay, all factors kept",
        "energy",
        "(11), (24)",
        "over Delta_3hc it is eta_hc with assembled prefactors",
    ),
    Quantity("alpha", "coupling constant at eps_th", "1", "(12), (25)"),
    Quantity("level_width", "width of hot levels over their spacing", "1", "(19)"),
)


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return every variable of the hot-cold mixture on parameters that broadcast."""
    with np.errstate(all="ignore"):  # extreme parameters give 0 and inf, and NaN means absent
        p = _mixture(parameters, options)
        found = find_threshold(p, options["prefactors"], options["criterion"])
        done = LogArray(np.where(found.status == Status.DONE, 0.0, np.nan))
        logs = {name: x * done for name, x in _logarithms(p, found, options).items()}
        return {
            "status": found.status,
            "localized": found.localized.astype(np.int8),
            "assumptions_hold": _assumptions(p, found),
            "log_sigma": logs["sigma"].ln,
            **{name: x.value for name, x in logs.items()},
            **{f"log10_{name}": x.log10 for name, x in logs.items()},
        }


def _mixture(parameters: Arrays, options: Mapping[str, Any]) -> HotCold:
    """Read the arrays of a request."""
    given = {name: np.asarray(values, np.float64, order="C") for name, values in parameters.items()}
    medium = Continuum.of(
        options["disorder"], options["geometry"], **{name: given[name] for name in DISORDER}
    )
    growth = options["xi_growth"] == "yes"
    return HotCold.of(medium, **{name: given[name] for name in ENERGIES}, xi_growth=growth)


def _assumptions(p: HotCold, found: MobilityEdge) -> NDArray[np.int8]:
    hold = hot_cold_transport.assumptions_hold(p, found) & ~found.localized
    return np.asarray(hold, dtype=np.int8)


def _logarithms(p: HotCold, found: MobilityEdge, options: Mapping[str, Any]) -> dict[str, LogArray]:
    """Return each quantity, also where it means nothing."""
    eta_F = hot_cold.resonance_parameter(p, p.eF, options["prefactors"])
    return {
        "chi": hot_cold.chi(p),
        "xi_c": p.xi_c,
        "Delta_c": p.Delta_c,
        "l_M": hot_cold.mott_length(p),
        "n_T": hot_cold.thermal_density(p),
        "eta_F": eta_F,
        "eps_th_printed": leading_threshold(p),
        "T_c": critical_temperature_of_constant_length(p),
        **_of_transport(p, found, options),
        **_at_threshold(p, found, options),
    }


def _of_transport(
    p: HotCold, found: MobilityEdge, options: Mapping[str, Any]
) -> dict[str, LogArray]:
    """Return what hot electrons carry; where all are localized, nothing at an infinite cost."""
    energy = hot_cold_transport.activation_energy(p, found, options["criterion"])
    density = hot_cold_transport.hot_density(p, found)
    suppression = hot_cold_transport.suppression(p, found)
    return {
        "eps_th": found.eps,
        "suppression": suppression,
        "sigma": LogArray(-suppression.value),
        "n_h": LogArray(np.where(found.localized, -np.inf, density.ln)),
        "activation_energy": LogArray(np.where(found.localized, np.inf, energy.ln)),
    }


def _at_threshold(
    p: HotCold, found: MobilityEdge, options: Mapping[str, Any]
) -> dict[str, LogArray]:
    """Return what describes hot electrons at eps_th; NaN where all are localized."""
    eps = LogArray(np.where(found.localized, np.nan, found.eps.ln))
    eta = hot_cold.resonance_parameter(p, eps, options["prefactors"])
    spacing = hot_cold.three_particle_spacing(p, eps)
    return {
        "xi_h": hot_cold.hot_length(p, eps),
        "Delta_h": hot_cold.hot_spacing(p, eps),
        "N_eff": hot_cold.coordination_number(p, eps),
        "Delta_3hc": spacing,
        "V_hc": hot_cold.hartree_amplitude(p, eps),
        "alpha": hot_cold.coupling_constant(p, eps),
        "level_width": hot_cold_transport.level_width(p, eps, eta),
    }


def _variables() -> Iterator[Variable]:
    yield STATUS
    yield Variable.flag(
        "localized",
        "whether electrons of all energies are localized",
        f"{PAPER}, below Eq. (12)",
        comment="to lowest order in the interaction; eps_th is infinite and sigma 0",
    )
    yield Variable.flag(
        "assumptions_hold",
        'whether every ">>" of the derivation is at least a ">"',
        f"{PAPER}, Secs. II, III",
        comment="eps_th - eF > T, Delta_h < T, N_eff > 1, l_M < xi_h, l_M < v_h/T, alpha < 1, "
        "k_F xi_c > 1 (1D) or k_F v_F tau > 1 (2D); no where localized",
    )
    yield Variable("log_sigma", "natural logarithm of sigma", "1", f"{PAPER}, Eqs. (18), (29)")
    for quantity in (*COLD, *HOT, *AT_THRESHOLD):
        yield quantity.variable
        yield quantity.variable.log10


model = Model(
    name="hot-cold",
    version="1",
    kind="self-consistent",
    title="Hot-cold mixture in a continuum",
    reference="I. V. Gornyi et al., Absence of many-body localization in a continuum (2017)",
    papers=(GORNYI,),
    parameters=(
        Parameter.positive("T", "temperature", "energy"),
        Parameter.positive("eF", "Fermi energy", "energy", 2.0),
        Parameter.positive("u", "strength of the interaction, |int V dr|", "energy length**D", 0.3),
        Parameter.positive("m", "mass", "1/(energy length**2)", 1.0),
        Parameter.positive(
            "w", "strength of the disorder, int <U U> dr", "energy**2 length**D", 0.5
        ),
        Parameter.positive("d", "correlation length of the disorder", "length", 0.5),
    ),
    variables=tuple(_variables()),
    evaluate=evaluate,
    options=(
        Option(
            "disorder",
            ("lorentz", "exponential", "white"),
            "correlator of the random potential; white noise does not read d",
        ),
        Option("geometry", ("1d", "2d", "2d-field"), "dimension; field: time reversal broken"),
        Option(
            "prefactors",
            ("bare", "assembled"),
            "bare: Eqs. (13), (26) as equalities; assembled: all factors of their parts kept",
        ),
        Option("xi_growth", ("yes", "no"), "whether the localization length grows with energy"),
        Option(
            "criterion",
            ("resonance", "bethe"),
            "resonance: eta_hc = 1; bethe: eta_hc ln N_eff = 1, below Eq. (12)",
        ),
    ),
    seconds_per_cell=1e-6,
)
