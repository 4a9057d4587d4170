"""Widths of levels by the tree of decays: metal, insulator and their growth, in a pool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from delocal.physics.decay_tree import (
    golden_width,
    grow_tree,
    growth_rate,
    relative_variance,
    transition_temperature,
)
from delocal.physics.grain_models import (
    POINT,
    REVIEW,
    SLIDES,
    estimate,
    grain_parameters,
    known_widths,
    point_of,
)
from delocal.physics.model import STATUS, Arrays, CancelToken, Model, Option, Status, Variable
from delocal.physics.papers import BASKO, BASKO_REVIEW

MOST_TRIPLES = 1e5
"""Of one level; beyond, a generation takes minutes."""
STEADY = 0.5
"""Largest drift of ln Gamma_typ for convergence."""
NUMBERS = ("Gamma_mean", "mean_ratio", "variance_ratio", "log10_Gamma_typ", "growth", "metal")


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return what is known without sampling."""
    point = point_of(parameters)
    return {
        **known_widths(parameters),
        "variance_ratio_metal": relative_variance(*point),
        "growth_infinite": growth_rate(*point),
        "T_c": transition_temperature(*point[:2]),
    }


def replicate(
    point: Mapping[str, float],
    options: Mapping[str, Any],
    rng: Generator,
    cancelled: CancelToken,
) -> dict[str, Any]:
    """Grow one pool of widths."""
    lam, M, T, eta = (float(point[name]) for name in ("lam", "M", "T", "eta"))
    if not 1 < T * M**2 < MOST_TRIPLES:
        nothing = dict.fromkeys((*NUMBERS, "drift"), np.nan)
        return {**nothing, "status": Status.OUTSIDE_DOMAIN}
    tree = grow_tree(lam, M, T, eta, options["pool"], options["generations"], rng, cancelled)
    if not abs(tree.drift) < STEADY:
        nothing = dict.fromkeys(NUMBERS, np.nan)
        return {**nothing, "drift": tree.drift, "status": Status.NOT_CONVERGED}
    golden = float(golden_width(lam, M, T))
    return {
        "Gamma_mean": tree.mean,
        "mean_ratio": tree.mean / golden,
        "variance_ratio": tree.relative_variance,
        "log10_Gamma_typ": np.log10(tree.typical),
        "growth": tree.growth,
        "metal": float(tree.typical**2 > eta * golden),
        "drift": tree.drift,
    }


def _exact(
    name: str,
    long_name: str,
    units: str,
    equation: str,
    depends: tuple[str, ...] = POINT,
) -> Variable:
    return Variable(name, long_name, units, equation, depends)


model = Model(
    name="scba-tree",
    version="1",
    kind="monte-carlo",
    title="Widths of levels on the tree of decays into three",
    reference="D. M. Basko, I. L. Aleiner, B. L. Altshuler, slides (2005) and review (2006)",
    papers=(BASKO, BASKO_REVIEW),
    parameters=grain_parameters(T=None, eta=1e-15),
    variables=(
        STATUS,
        estimate("Gamma_mean", "mean half width of a level", "delta", f"{REVIEW}, Eq. (20)"),
        estimate("mean_ratio", "mean half width over Gamma_golden"),
        estimate(
            "variance_ratio",
            "variance of the half width over its mean squared",
            "1",
            f"{SLIDES}, slide of T(in)",
        ),
        estimate(
            "log10_Gamma_typ",
            "decimal logarithm of the typical half width exp(<ln Gamma>) in delta",
            comment="of the order of eta in an insulator",
        ),
        estimate(
            "growth",
            "growth of ln(typical width) per generation in the linearised equation",
            "1",
            f"{REVIEW}, Eqs. (25) to (27)",
            "too low in a finite pool, by about 1 at 1e4: see growth_infinite",
        ),
        estimate(
            "metal",
            "share of the pools that stay metallic: Gamma_typ**2 > eta Gamma_golden",
            comment="a finite pool becomes an insulator above T_c already",
        ),
        estimate(
            "drift",
            "change of ln Gamma_typ from the third to the last quarter of the generations",
            comment=f"{STEADY:g} or more is not converged",
        ),
        _exact("Gamma_golden", "half width pi lam**2 M T of the golden rule", "delta", ""),
        _exact("Gamma_mean_field", "half width that equal levels would have", "delta", ""),
        _exact("variance_ratio_metal", "variance_ratio at T >> T_in", "1", ""),
        _exact("growth_infinite", "growth in an infinite pool", "1", ""),
        _exact("T_c", "temperature at which growth_infinite is 0", "delta", "", ("lam", "M")),
    ),
    evaluate=evaluate,
    options=(
        Option("pool", (1000, 300, 3000, 10_000, 30_000, 100_000), "widths in the pool"),
        Option("generations", (40, 20, 80, 200, 1000), "the second half of them is measured"),
    ),
    replicate=replicate,
    target="Gamma_mean",
    seconds_per_cell=0.3,
)
