"""The positive quantities of the scaling theory, by name: formula, meaning, and where it holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

from delocal.physics import conductivity, relaxation, scales
from delocal.physics.parameters import SCALED_BY, exact, power_laws
from delocal.physics.phase_diagram import (
    CONDUCTING,
    WITH_OPTIMAL_PSEUDOSPINS,
    WITH_PSEUDO2SPIN_NETWORK,
    Region,
)
from delocal.physics.powers import PowerLaw

LENGTH, ENERGY, KAPPA = "length", "energy", "energy length**(2-d)"
FORMAL = "formal where superdiffusive: there the true kappa is infinite; 0 in the MBL phase"
EXTENDED = "stated by the paper for region III; in IIc it is this project's extension"
SMALL_SAMPLE = "may exceed W in a small sample"


@dataclass(frozen=True)
class ScalingQuantity:
    """One positive quantity, a product of powers of T, W, t, V, rho (and L).

    Parameters
    ----------
    name, equation, units, long_name, comment
        As in `Variable`; `equation` names that of Gutman et al. (2016).
    formula
        Function of the model, and of L if `of_length`; takes numbers or exponents.
    of_length
        Whether it needs the sample's size L.
    where
        The regions in which it has a meaning.
    """

    name: str
    formula: Callable[..., Any]
    equation: str
    units: str
    long_name: str
    comment: str = ""
    of_length: bool = False
    where: frozenset[Region] = CONDUCTING

    @property
    def vanishes_when_localized(self) -> bool:
        """Whether it is 0 in the many-body localized phase: a conductivity or a rate."""
        return self.name.startswith(("kappa_", "rate_"))

    def at(self, model: Any, L: Any) -> Any:
        """Evaluate the formula on a `model` of numbers or of exponents."""
        return self.formula(model, L) if self.of_length else self.formula(model)


def _kappa(
    name: str, formula: Callable[..., Any], equation: str, carrier: str, comment: str = ""
) -> ScalingQuantity:
    comment = f"{comment}; {FORMAL}" if comment else FORMAL
    long_name = f"thermal conductivity {carrier}"
    where = WITH_PSEUDO2SPIN_NETWORK if name.endswith("2") else WITH_OPTIMAL_PSEUDOSPINS
    return ScalingQuantity(name, formula, equation, KAPPA, long_name, comment, where=where)


_ps = partial(ScalingQuantity, where=WITH_OPTIMAL_PSEUDOSPINS)
_p2 = partial(ScalingQuantity, where=WITH_PSEUDO2SPIN_NETWORK)

_SIZES_AND_ENERGIES = (
    _ps("R1", scales.optimal_pseudospin_size, "(21)", LENGTH, "size of optimal pseudo-spins"),
    ScalingQuantity(
        "R1_th", scales.thermal_pseudospin_size, "(15)", LENGTH, "size of thermal pseudo-spins"
    ),
    _ps("E_star", scales.optimal_energy, "(24)", ENERGY, "energy of optimal pseudo-spins"),
    _ps("L_c", scales.delocalization_length, "(7)", LENGTH, "spacing of optimal pseudo-spins"),
    _ps("N_s", scales.spins_per_pseudospin, "(69)", "1", "thermal spins per optimal pseudo-spin"),
    _p2("R2", scales.optimal_pseudo2spin_size, "(50)", LENGTH, "size of optimal pseudo2-spins"),
    ScalingQuantity(
        "R2_th", scales.thermal_pseudo2spin_size, "(59)", LENGTH, "size of thermal pseudo2-spins"
    ),
    _p2(
        "E2_star",
        scales.optimal_pseudo2spin_energy,
        "(51)",
        ENERGY,
        "energy of optimal pseudo2-spins",
    ),
)
_CONDUCTIVITIES = (
    _kappa("kappa_opt", conductivity.kappa_optimal, "(23)", "of optimal pseudo-spins"),
    _kappa("kappa_ps", conductivity.kappa_assisted, "(36)", "of thermal pseudo-spins, assisted"),
    _kappa("kappa_s", conductivity.kappa_spins, "(S-A.9)", "of thermal spins, assisted"),
    _kappa(
        "kappa_sd",
        conductivity.kappa_spectral_diffusion,
        "(77)",
        "by spectral diffusion",
        "the sign printed in Eq. (78) is corrected",
    ),
    _kappa("kappa_opt2", conductivity.kappa_optimal_pseudo2, "(51)", "of optimal pseudo2-spins"),
    _kappa(
        "kappa_ps2",
        conductivity.kappa_assisted_pseudo2,
        "(60)",
        "of thermal pseudo2-spins, assisted",
    ),
    _kappa(
        "kappa_sd2",
        conductivity.kappa_spectral_diffusion_pseudo2,
        "(84)",
        "by spectral diffusion of pseudo-spins",
        EXTENDED,
    ),
)
_RATES = (
    _ps(
        "rate_ps",
        relaxation.thermal_pseudospin_rate,
        "(32)",
        ENERGY,
        "rate of thermal pseudo-spins",
    ),
    _p2(
        "rate_p2",
        relaxation.thermal_pseudo2spin_rate,
        "(58)",
        ENERGY,
        "rate of thermal pseudo2-spins",
    ),
    _ps("rate_s", relaxation.spin_rate, "(S-A.5)", ENERGY, "rate of thermal spins, assisted"),
    _ps(
        "rate_sd", relaxation.spectral_diffusion_rate, "(74)", ENERGY, "rate of spectral diffusion"
    ),
)
_THRESHOLDS = (
    _ps(
        "T_c_ps",
        scales.threshold_temperature,
        "(65)",
        ENERGY,
        "threshold temperature by pseudo-spins",
        SMALL_SAMPLE,
        of_length=True,
    ),
    _ps(
        "E_c_ps",
        scales.threshold_energy,
        "(66)",
        ENERGY,
        "threshold energy by pseudo-spins",
        of_length=True,
    ),
    _p2(
        "T_c_p2",
        scales.threshold_temperature_pseudo2,
        "(71)",
        ENERGY,
        "threshold temperature by pseudo2-spins",
        SMALL_SAMPLE,
        of_length=True,
    ),
    _p2(
        "E_c_p2",
        scales.threshold_energy_pseudo2,
        "(72)",
        ENERGY,
        "threshold energy by pseudo2-spins",
        "the exponent of L printed in Eq. (73) is corrected",
        of_length=True,
    ),
)

QUANTITIES = {
    quantity.name: quantity
    for quantity in (*_SIZES_AND_ENERGIES, *_CONDUCTIVITIES, *_RATES, *_THRESHOLDS)
}


def exponents(name: str, d: Any, alpha: Any, beta: Any) -> dict[str, Fraction]:
    """Return the exact exponents of the quantity called `name`, by parameter.

    Parameters
    ----------
    name
        A name of `QUANTITIES`, such as ``kappa_sd``.
    d, alpha, beta
        Whole numbers, fractions, strings such as ``"31/10"``, or floats, as `exact` reads them.

    Returns
    -------
    dict
        Exponents of T, W, t, V, rho, and of L for the thresholds. They are those of the
        formula: whether it holds at this point, `phase_diagram.region` says.

    Raises
    ------
    KeyError
        No such quantity.
    ZeroDivisionError
        On the line where they diverge: D = 0 for pseudo-spins, beta = 2 d for pseudo2-spins.

    Examples
    --------
    >>> {letter: str(power) for letter, power in exponents("kappa_sd", 3, 3, 3).items()}
    {'T': '4/3', 'W': '-8/3', 't': '2', 'V': '1/3', 'rho': '8/3'}
    """
    if name not in QUANTITIES:
        raise KeyError(f"no quantity {name!r}; known: {', '.join(QUANTITIES)}")
    quantity = QUANTITIES[name]
    laws = quantity.at(power_laws(exact(d), exact(alpha), exact(beta)), PowerLaw.variable("L")).of
    letters = (*SCALED_BY, "L") if quantity.of_length else SCALED_BY
    return {letter: laws.get(letter, Fraction(0)) for letter in letters}
