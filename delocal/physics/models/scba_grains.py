"""Widths of the levels of one grain in the self-consistent Born approximation, level by level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from delocal.physics.decay_tree import golden_width
from delocal.physics.grain_models import POINT, REVIEW, estimate, grain_parameters, known_widths
from delocal.physics.grains import TOLERANCE, draw_grain, solve_widths
from delocal.physics.model import STATUS, Arrays, CancelToken, Model, Option, Status, Variable
from delocal.physics.papers import BASKO, BASKO_REVIEW

LEVELS_PER_T = 10
MOST_TRIPLES = 3e6
NUMBERS = ("Gamma_mean", "mean_ratio", "log10_Gamma_typ")


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return what the mean width would be without fluctuations."""
    return known_widths(parameters)


def replicate(
    point: Mapping[str, float],
    options: Mapping[str, Any],
    rng: Generator,
    cancelled: CancelToken,
) -> dict[str, Any]:
    """Draw one grain and solve it."""
    lam, M, T, eta = (float(point[name]) for name in ("lam", "M", "T", "eta"))
    number = round(LEVELS_PER_T * T)
    nothing: dict[str, Any] = dict.fromkeys((*NUMBERS, "triples", "iterations", "residual"), np.nan)
    if number < 2 * M or number * T * M**2 > MOST_TRIPLES:
        return {**nothing, "status": Status.OUTSIDE_DOMAIN}
    grain = draw_grain(T, M, number, rng, options["exchange"] == "random-signs")
    golden = float(golden_width(lam, M, T))
    found = solve_widths(grain, lam, eta, golden, options["max_iterations"], cancelled)
    how = {
        "triples": grain.mismatch.size,
        "iterations": found.iterations,
        "residual": found.residual,
    }
    inner = np.abs(grain.levels) < (number - M) / 2  # others lack half of their daughters
    if not found.converged or not inner.any():
        return {**nothing, **how, "status": Status.NOT_CONVERGED}
    Gamma = found.Gamma[inner]
    return {
        **how,
        "Gamma_mean": Gamma.mean(),
        "mean_ratio": Gamma.mean() / golden,
        "log10_Gamma_typ": np.log10(Gamma).mean(),
    }


model = Model(
    name="scba-grains",
    version="1",
    kind="monte-carlo",
    title="Widths of the levels of one grain in the self-consistent Born approximation",
    reference="D. M. Basko, I. L. Aleiner, B. L. Altshuler, slides (2005) and review (2006)",
    papers=(BASKO, BASKO_REVIEW),
    parameters=grain_parameters(T=8.0, eta=1e-10),
    variables=(
        STATUS,
        estimate("Gamma_mean", "mean half width of a level", "delta", f"{REVIEW}, Eqs. (18), (19)"),
        estimate("mean_ratio", "mean half width over Gamma_golden"),
        estimate(
            "log10_Gamma_typ",
            "decimal logarithm of the typical half width exp(<ln Gamma>) in delta",
        ),
        estimate("triples", "triples of the grain"),
        estimate("iterations", "iterations to the solution"),
        estimate(
            "residual",
            "largest change of ln Gamma by a further iteration",
            comment=f"more than {TOLERANCE:g} is not converged, and enters no mean",
        ),
        Variable(
            "Gamma_golden",
            "half width pi lam**2 M T of the golden rule",
            "delta",
            f"{REVIEW}, Eq. (20)",
            POINT,
        ),
        Variable(
            "Gamma_mean_field",
            "half width that equal levels would have",
            "delta",
            "",
            POINT,
        ),
    ),
    evaluate=evaluate,
    options=(
        Option(
            "exchange",
            ("random-signs", "as-printed"),
            "where both pairings are within reach: amplitudes with random signs, or, as the "
            "slides print Y, always opposite",
        ),
        Option("max_iterations", (20_000, 2000, 200), "after which a grain is not converged"),
    ),
    replicate=replicate,
    target="log10_Gamma_typ",
    seconds_per_cell=0.005,
)
