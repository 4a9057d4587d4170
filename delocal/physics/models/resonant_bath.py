"""The resonant network as a narrow bath: this project's own combination of two papers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.physics import phase_diagram
from delocal.physics.model import STATUS, Arrays, Model, Parameter, Status, Variable
from delocal.physics.narrow_baths import (
    leading_rearrangement_rate,
    many_quanta_rate,
    rearranged_volume,
)
from delocal.physics.papers import GOPALAKRISHNAN, GUTMAN
from delocal.physics.parameters import RANGES, SCALED_BY, spin_model, spin_parameters
from delocal.physics.phase_diagram import WITH_OPTIMAL_PSEUDOSPINS
from delocal.physics.powers import LogArray
from delocal.physics.relaxation import spectral_diffusion_rate
from delocal.physics.resonant_bath import (
    flip_flop_amplitude,
    fock_space_length,
    network_bath,
    single_hop_rate,
)

OURS = "own combination of Gopalakrishnan and Nandkishore (2014) with Gutman et al. (2016)"
MECHANISMS = {"none": 0, "single_hop": 1, "rearrangement": 2, "many_quanta": 3}


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the rates of thermal spins in regions IIb and IIc, where E* < T."""
    with np.errstate(all="ignore"):  # extreme parameters give 0 and inf, and NaN means absent
        given = np.broadcast_arrays(*(parameters[name] for name in (*RANGES, *SCALED_BY, "s")))
        s = given[-1]
        p = spin_model(*given[:-1])
        region = phase_diagram.region(p.d, p.alpha, p.beta)
        inside = phase_diagram.belongs(region, WITH_OPTIMAL_PSEUDOSPINS)
        bath = network_bath(p)
        inside = inside & (bath.mismatch > 0) & (flip_flop_amplitude(p).ln < 0) & (p.T.ln < p.W.ln)
        outside = np.where(inside, 0.0, np.nan)
        p = replace(p, alpha=p.alpha + outside)
        bath, Xi = network_bath(p), fock_space_length(p, s)
        rates = {
            "Gamma_a": single_hop_rate(p),
            "Gamma_b": leading_rearrangement_rate(bath, np.inf, Xi, s, p.d),
            "Gamma_c": many_quanta_rate(bath, s),
        }
        best = np.maximum.reduce([rate.ln for rate in rates.values()])
        which = np.select([rate.ln == best for rate in rates.values()], [1, 2, 3], 0)
        logs = {
            "Gamma": LogArray(best),
            **rates,
            "E_star": bath.W,
            "eta": flip_flop_amplitude(p),
            "rate_sd": spectral_diffusion_rate(p),
        }
    return {
        "status": np.where(inside, Status.DONE, Status.OUTSIDE_DOMAIN).astype(np.int8),
        **{name: quantity.value for name, quantity in logs.items()},
        **{f"log10_{name}": quantity.log10 for name, quantity in logs.items()},
        "Xi": Xi,
        "volume": rearranged_volume(bath, s),
        "mechanism": np.asarray(which, np.int8),
    }


LOGS = {
    "Gamma": ("rate at which the network flips a thermal spin", f"{OURS}, largest of a, b, c"),
    "Gamma_a": (
        "rate of single hops to a spin within E_star",
        f"{OURS}, Eq. (6); identical to Gutman et al. (2016), Eq. (S-A.5)",
    ),
    "Gamma_b": ("rate of rearrangements of many thermal spins", f"{OURS}, Eq. (7), corrected"),
    "Gamma_c": ("rate of rearrangements by many quanta", f"{OURS}, Eq. (8), first form"),
    "E_star": ("bandwidth of the network, and its coupling", "Gutman et al. (2016), Eq. (24)"),
    "eta": ("amplitude of a flip-flop of nearest thermal spins", OURS),
    "rate_sd": ("rate of spectral diffusion, to compare", "Gutman et al. (2016), Eq. (74)"),
}


def _variables() -> Iterator[Variable]:
    yield STATUS
    for name, (long_name, equation) in LOGS.items():
        units = "1" if name == "eta" else "energy"
        number = Variable(name, long_name, units, equation)
        yield number
        yield number.log10
    yield Variable("Xi", "localization length in Fock space, s/ln(1/eta)", "1", OURS)
    yield Variable("volume", "thermal spins rearranged by (b)", "1", OURS)
    yield Variable.flag("mechanism", "fastest of (a), (b) and (c)", OURS, MECHANISMS)


model = Model(
    name="resonant-bath",
    version="1",
    kind="closed-form",
    title="Own combination: the network of resonant spins as a narrow bath of all other spins",
    reference="D. B. Gutman et al., Energy transport in the Anderson insulator (2016), for the "
    "network; S. Gopalakrishnan and R. Nandkishore, A mean-field theory of nearly many-body "
    "localized metals (2014), Sec. III, for the idea; the dictionary between them is not published",
    papers=(GUTMAN, GOPALAKRISHNAN),
    parameters=(
        *spin_parameters(*RANGES, *SCALED_BY),
        Parameter.positive("s", "entropy per thermal spin", "1", 1.0),
    ),
    variables=tuple(_variables()),
    evaluate=evaluate,
    seconds_per_cell=2e-6,
)
