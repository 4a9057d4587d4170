"""The nearly localized metal, Gopalakrishnan and Nandkishore (2014), as a sweepable model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.physics import dot_windows as windows
from delocal.physics.coupled_dots import CoupledDots
from delocal.physics.decay_terms import VARIANTS
from delocal.physics.dot_temperature import temperature_of_eps
from delocal.physics.dot_transition import critical_eps, critical_gamma
from delocal.physics.model import STATUS, Arrays, Model, Option, Parameter, Variable
from delocal.physics.nearly_localized import Linewidth, linewidth
from delocal.physics.papers import GOPALAKRISHNAN
from delocal.physics.saddle_point import (
    leading_log_linewidth,
    saddle_point_linewidth,
    saddle_point_order,
    single_dot_linewidth,
)

PAPER = "Gopalakrishnan and Nandkishore (2014)"
DOTS = ("eps", "gamma", "K", "N", "s", "d")
PHASES = {"localized": 0, "metal": 1}
ROOTS = {"none": 0, "only": 1, "largest_of_several": 2}


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the linewidth, its closed forms, the phase boundary, and where all of it holds."""
    with np.errstate(all="ignore"):  # extreme parameters give 0 and inf, and NaN means absent
        dots = CoupledDots.of(**{name: parameters[name] for name in DOTS})
        found = linewidth(dots, options["variant"])
        return {
            **_solution(found),
            **_closed_forms(dots),
            **_transition(dots, options["variant"]),
            "N_c": saddle_point_order(dots, found.Gamma.value),
            "self_averaging": windows.self_averaging(dots, found.Gamma),
            **_flags(dots, found, parameters["z"]),
        }


def _solution(found: Linewidth) -> dict[str, NDArray[Any]]:
    return {
        "status": found.status,
        "Gamma": found.Gamma.value,
        "log10_Gamma": found.Gamma.log10,
        "phase": found.metal.astype(np.int8),
        "n_roots": found.roots.astype(np.int8),
        "root": np.minimum(found.roots, 2).astype(np.int8),
        "gain": found.gain,
        "residual": found.residual,
    }


def _closed_forms(dots: CoupledDots) -> dict[str, NDArray[Any]]:
    forms = {
        "Gamma_C5": leading_log_linewidth(dots),
        "Gamma_C4": saddle_point_linewidth(dots),
        "Gamma_C4_printed": saddle_point_linewidth(dots, as_printed=True),
        "Gamma_21": single_dot_linewidth(dots),
    }
    values = {name: Gamma.value for name, Gamma in forms.items()}
    return {**values, **{f"log10_{name}": Gamma.log10 for name, Gamma in forms.items()}}


def _transition(dots: CoupledDots, variant: str) -> dict[str, NDArray[Any]]:
    gamma_c = critical_gamma(dots, variant)
    return {
        "gamma_c": gamma_c.value,
        "log10_gamma_c": gamma_c.log10,
        "eps_c": critical_eps(dots, variant),
        "x": dots.x,
        "Xi": dots.Xi,
        "T_over_T0": temperature_of_eps(dots.eps, dots.K),
    }


def _flags(dots: CoupledDots, found: Linewidth, z: NDArray[Any]) -> dict[str, NDArray[np.int8]]:
    flags = {
        "weakly_coupled": windows.weakly_coupled(dots, z),
        "golden_rule_holds": windows.golden_rule_holds(dots, z),
        "in_linewidth_window": windows.in_linewidth_window(dots, found.Gamma),
        "saddle_point_consistent": windows.saddle_point_consistent(dots),
        "saddle_point_holds": windows.saddle_point_holds(dots),
    }
    valid = windows.in_coupling_window(dots, z) & flags["in_linewidth_window"]
    valid = valid & (windows.self_averaging(dots, found.Gamma) < 1) & (found.roots <= 1)
    valid = valid & (found.Gamma.ln < dots.ln_gamma - dots.d)  # else (26) holds for Gamma ~ gamma
    return {name: np.asarray(flag, np.int8) for name, flag in {**flags, "valid": valid}.items()}


def _variables() -> Iterator[Variable]:
    yield STATUS
    yield from _with_log10(
        "Gamma",
        "typical width of a local spectral line",
        "Eqs. (19), (20)",
        DOTS,
        "0 where localized, which solves the equation as well; see phase, n_roots and valid",
    )
    yield Variable.flag(
        "phase", "whether a line has a width", f"{PAPER}, Eq. (19)", PHASES, depends=DOTS
    )
    yield Variable("n_roots", "number of nontrivial roots Gamma", depends=DOTS, dtype="int8")
    yield Variable.flag("root", "which of the roots Gamma is", "", ROOTS, depends=DOTS)
    yield Variable(
        "gain",
        "factor by which an infinitesimal Gamma is multiplied",
        equation=f"{PAPER}, Eq. (19) for Gamma -> 0",
        depends=DOTS,
        comment="a metal is where it exceeds 1",
    )
    yield Variable(
        "residual", "logarithm of the right side over the left side of Eq. (19)", depends=DOTS
    )
    yield from _closed_form_variables()
    yield from _transition_variables()
    yield from _window_variables()


def _closed_form_variables() -> Iterator[Variable]:
    only = "exists for eps > 0; see saddle_point_holds"
    yield from _with_log10(
        "Gamma_C5", "linewidth at the saddle point to leading log", "Eq. (C5)", DOTS, only
    )
    yield from _with_log10(
        "Gamma_C4",
        "linewidth at the saddle point",
        "Eqs. (C4), (C2)",
        DOTS,
        f"with the factor 1/2 that (C4) leaves out; {only}",
    )
    yield from _with_log10(
        "Gamma_C4_printed", "linewidth by Eq. (C4) as printed", "Eqs. (C4), (C2)", DOTS, only
    )
    yield from _with_log10(
        "Gamma_21", "linewidth of a single dot", "Eq. (21)", ("eps", "gamma"), "exists for eps > 0"
    )
    yield Variable(
        "N_c",
        "levels that are rearranged together in a typical decay",
        equation=f"{PAPER}, Eq. (C2)",
        depends=DOTS,
        comment="at Gamma; infinite where localized",
    )


def _transition_variables() -> Iterator[Variable]:
    boundary, others = "Eq. (19) for Gamma -> 0", ("K", "N", "s", "d")
    yield from _with_log10("gamma_c", "coupling at the transition", boundary, ("eps", *others))
    yield Variable(
        "eps_c",
        "eps at the transition",
        equation=f"{PAPER}, {boundary}",
        depends=("gamma", *others),
        comment="1 or more, or infinite, where no eps gives a metal",
    )
    yield Variable("x", "Xi ln K - 1", equation=f"{PAPER}, Figs. 5 and 6", depends=("eps",))
    yield Variable("Xi", "localization length in Fock space", depends=("eps", "K"))
    yield Variable(
        "T_over_T0",
        "temperature over that at which a single dot delocalizes",
        equation=f"{PAPER}, Sec. V C",
        depends=("eps", "K"),
    )


STRICT = "with < for the << of the paper"
ASSUMPTIONS = (
    ("weakly_coupled", "whether gamma < min(exp(-1/Xi), 1/z)", "Eq. (23)", STRICT),
    ("golden_rule_holds", "whether gamma > z**(1/2) N K**-N", "Eq. (24)", STRICT),
    ("in_linewidth_window", "whether N K**-N < Gamma < gamma", "Eq. (27)", STRICT),
    (
        "saddle_point_consistent",
        "whether Gamma_C5 is larger than the level spacing of a dot",
        "Eqs. (C6), corrected",
        "",
    ),
    ("saddle_point_holds", "whether 1/(2 ln K) < eps < 1", "Eq. (C7)", ""),
    ("valid", "whether all assumptions hold", "Eqs. (23) to (27)", STRICT),
)


def _window_variables() -> Iterator[Variable]:
    yield Variable(
        "self_averaging",
        "range over which a line of the bath wanders while a level decays",
        equation=f"{PAPER}, Eq. (26)",
        depends=DOTS,
        comment="in units of gamma, to be much below 1",
    )
    for name, long_name, equation, comment in ASSUMPTIONS:
        yield Variable.flag(name, long_name, f"{PAPER}, {equation}", comment=comment)


def _with_log10(
    name: str, long_name: str, equation: str, depends: tuple[str, ...], comment: str = ""
) -> Iterator[Variable]:
    equation = f"{PAPER}, {equation}"
    number = Variable(name, long_name, "delta_m", equation, depends, comment=comment)
    yield number
    yield number.log10


model = Model(
    name="nearly-localized",
    version="1",
    kind="self-consistent",
    title="Linewidth of a nearly localized metal of coupled quantum dots",
    reference="S. Gopalakrishnan and R. Nandkishore, A mean-field theory of nearly many-body "
    "localized metals (2014)",
    papers=(GOPALAKRISHNAN,),
    parameters=(
        Parameter(
            "eps",
            "distance of a single dot from its transition, 1 - 1/(Xi ln K)",
            "1",
            maximum=1,
            open_bounds=True,
        ),
        Parameter.positive("gamma", "coupling of neighbouring dots", "delta_m"),
        Parameter("K", "branching number of a dot", "1", minimum=1, open_bounds=True, default=3.0),
        Parameter("N", "levels of a dot", "1", minimum=1, maximum=1000, integer=True, default=10),
        Parameter.positive("s", "entropy per level", "1", 0.5),
        Parameter(
            "d", "dimension of the array", "1", minimum=1, maximum=3, integer=True, default=1
        ),
        Parameter("z", "neighbours of a dot", "1", minimum=1, default=4.0),
    ),
    variables=tuple(_variables()),
    evaluate=evaluate,
    options=(
        Option(
            "variant",
            tuple(VARIANTS),
            "E3, E2, E1: Eqs. (E3), (E2), (E1); full: Eq. (19) with (20); integral: (E3) with an "
            "integral for the sum",
        ),
    ),
    seconds_per_cell=3e-5,
)
