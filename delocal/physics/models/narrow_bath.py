"""A localized system with a narrow bath, Gopalakrishnan and Nandkishore (2014), Sec. II, App. A."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.physics import bath_spectra as spectra
from delocal.physics import narrow_baths as baths
from delocal.physics.model import STATUS, Arrays, Model, Parameter, Status, Variable
from delocal.physics.narrow_baths import NarrowBath
from delocal.physics.papers import GOPALAKRISHNAN
from delocal.physics.powers import LogArray

PAPER = "Gopalakrishnan and Nandkishore (2014)"


class Mechanism(IntEnum):
    """What relaxes the system fastest."""

    none = 0
    long_hop = 1
    rearrangement = 2
    many_quanta = 3


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the rate of each mechanism where W < Delta."""
    gamma, W, Delta, xi, Xi, s, d, K = np.broadcast_arrays(
        *(parameters[name] for name in ("gamma", "W", "Delta", "xi", "Xi", "s", "d", "K"))
    )
    narrow = W < Delta
    with np.errstate(all="ignore"):  # extreme parameters give 0 and inf, and NaN means absent
        bath = NarrowBath.of(gamma, np.where(narrow, W, np.nan), Delta)
        rates = _rates(bath, xi, Xi, s, d, K)
        best = np.fmax.reduce([rates[f"Gamma_{letter}"].ln for letter in "abc"])
        numbers = {
            "volume": baths.rearranged_volume(bath, s),
            "dot_order": baths.dot_order(bath, K),
            "gaussian_volume": spectra.gaussian_bath_volume(bath, Xi, s, as_in_section_2=True),
            "lorentzian_order": spectra.lorentzian_bath_order(bath, Xi, K),
        }
    return {
        "status": np.where(narrow, Status.DONE, Status.OUTSIDE_DOMAIN).astype(np.int8),
        **{name: rate.value for name, rate in rates.items()},
        **{f"log10_{name}": rate.log10 for name, rate in rates.items()},
        **numbers,
        "mechanism": _mechanism(rates, best),
        "valid": np.asarray((gamma < W) & narrow, np.int8),
    }


def _rates(bath: NarrowBath, xi: Any, Xi: Any, s: Any, d: Any, K: Any) -> dict[str, LogArray]:
    volume = np.maximum(spectra.gaussian_bath_volume(bath, Xi, s, as_in_section_2=True), 1.0)
    order = np.fmax(spectra.lorentzian_bath_order(bath, Xi, K), 1.0)
    return {
        "Gamma_a": baths.long_hop_rate(bath, xi, d),
        "Gamma_b": baths.rearrangement_rate(bath, xi, Xi, s, d),
        "Gamma_b_leading": baths.leading_rearrangement_rate(bath, xi, Xi, s, d),
        "Gamma_b_printed": baths.leading_rearrangement_rate(bath, xi, Xi, s, d, as_printed=True),
        "Gamma_c": baths.many_quanta_rate(bath, s),
        "Gamma_c_printed": baths.many_quanta_rate(bath, s, second_form=True),
        "Gamma_dot": baths.dot_rate(bath, Xi, K),
        "Gamma_gaussian": spectra.gaussian_bath_rate(volume, bath, Xi, s, as_in_section_2=True),
        "Gamma_lorentzian": spectra.lorentzian_bath_rate(order, bath, Xi, K),
    }


def _mechanism(rates: Mapping[str, LogArray], best: NDArray[Any]) -> NDArray[np.int8]:
    """Return which of (a), (b), (c) is largest; the first of those that tie."""
    place = np.select([rates[f"Gamma_{letter}"].ln == best for letter in "abc"], [1, 2, 3], 0)
    return np.asarray(place, np.int8)


RATES = {
    "Gamma_a": ("rate of long hops of single spins", "Eq. (6)", ""),
    "Gamma_b": ("rate of rearrangements of many spins", "above Eq. (7)", ""),
    "Gamma_b_leading": (
        "rate of rearrangements for W -> 0",
        "Eq. (7)",
        "with the square of the matrix element, which the printed equation lacks",
    ),
    "Gamma_b_printed": ("rate of rearrangements by Eq. (7) as printed", "Eq. (7)", ""),
    "Gamma_c": ("rate of rearrangements by many quanta", "Eq. (8), first form", ""),
    "Gamma_c_printed": (
        "rate of rearrangements by many quanta, second form",
        "Eq. (8), second form",
        "(gamma/Delta)**2 times the first form",
    ),
    "Gamma_dot": ("rate of a quantum dot", "Eq. (16)", "with Delta for delta_m"),
    "Gamma_gaussian": (
        "rate of the best rearrangement in a Gaussian band",
        "Eqs. (A1), (A2)",
        "of one spin at least; with the matrix element of Sec. II",
    ),
    "Gamma_lorentzian": (
        "rate of the best transition of a dot in a Lorentzian band",
        "Eqs. (A3), (A5)",
        "of order 1 at least, which is the best for Xi ln K <= 1",
    ),
}


NUMBERS = (
    Variable("volume", "spins rearranged by (b)", "1", f"{PAPER}, Sec. II B 2"),
    Variable("dot_order", "order of a transition in a dot", "1", f"{PAPER}, Sec. IV B"),
    Variable(
        "gaussian_volume",
        "spins rearranged in a Gaussian band",
        "1",
        f"{PAPER}, Eq. (A2), corrected",
        comment="below 1 where the band is not narrow enough",
    ),
    Variable(
        "lorentzian_order",
        "best order in a Lorentzian band",
        "1",
        f"{PAPER}, Eq. (A5)",
        comment="exists for Xi ln K > 1",
    ),
)
FLAGS = (
    Variable.flag("mechanism", "fastest of (a), (b) and (c)", f"{PAPER}, Sec. II B", Mechanism),
    Variable.flag(
        "valid",
        "whether gamma < W < Delta",
        f"{PAPER}, Sec. II A",
        comment="the paper wants << twice, and a temperature above Delta",
    ),
)


def _rate_variables() -> Iterator[Variable]:
    for name, (long_name, equation, comment) in RATES.items():
        rate = Variable(name, long_name, "energy", f"{PAPER}, {equation}", comment=comment)
        yield rate
        yield rate.log10


model = Model(
    name="narrow-bath",
    version="1",
    kind="closed-form",
    title="Relaxation of a localized system by a bath of narrow band",
    reference="S. Gopalakrishnan and R. Nandkishore, A mean-field theory of nearly many-body "
    "localized metals (2014)",
    papers=(GOPALAKRISHNAN,),
    parameters=(
        Parameter.positive("W", "bandwidth of the bath", "energy"),
        Parameter.positive("gamma", "coupling of system and bath", "energy", default=0.01),
        Parameter.positive("Delta", "energy of one flip", "energy", default=1.0),
        Parameter.positive(
            "xi", "localization length in real space", "lattice spacing", default=2.0
        ),
        Parameter.positive("Xi", "localization length in Fock space", "1", default=0.6),
        Parameter.positive("s", "entropy per spin", "1", default=0.5),
        Parameter("d", "dimension", "1", minimum=1, maximum=3, integer=True, default=1),
        Parameter("K", "branching number of a dot", "1", minimum=1, open_bounds=True, default=3.0),
    ),
    variables=(STATUS, *_rate_variables(), *NUMBERS, *FLAGS),
    evaluate=evaluate,
    seconds_per_cell=2e-6,
)
