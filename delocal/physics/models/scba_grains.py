"""Widths of the levels of one grain in the self-consistent Born approximation, level by level."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from delocal.physics.decay_tree import golden_width, mean_field_width
from delocal.physics.grains import TOLERANCE, draw_grain, solve_widths
from delocal.physics.model import STATUS, Arrays, Model, Option, Parameter, Status, Variable

REVIEW = "Basko, Aleiner, Altshuler (2006)"
LEVELS_PER_T = 10
MOST_TRIPLES = 3e6
NUMBERS = ("Gamma_mean", "mean_ratio", "log10_Gamma_typ")


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return what the mean width would be without fluctuations."""
    point = [np.asarray(parameters[name], dtype=np.float64) for name in ("lam", "M", "T")]
    return {"Gamma_golden": golden_width(*point), "Gamma_mean_field": mean_field_width(*point)}


def replicate(
    point: Mapping[str, float],
    options: Mapping[str, Any],
    rng: Generator,
    cancelled: Callable[[], bool],
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


def _estimate(
    name: str, long_name: str, units: str = "1", equation: str = "", comment: str = ""
) -> Variable:
    return Variable(name, long_name, units, equation, comment=comment, estimated=True)


model = Model(
    name="scba-grains",
    version="1",
    kind="monte-carlo",
    title="Widths of the levels of one grain in the self-consistent Born approximation",
    reference="D. M. Basko, I. L. Aleiner, B. L. Altshuler, slides (2005) and review (2006)",
    parameters=(
        Parameter("lam", "interaction", "delta", minimum=1e-100, maximum=1, open_bounds=True),
        Parameter(
            "M", "levels within reach of the interaction", "1", minimum=1, maximum=1e5, default=4.0
        ),
        Parameter("T", "temperature", "delta", minimum=1e-6, maximum=1e5, default=8.0),
        Parameter(
            "eta",
            "width due to a bath",
            "delta",
            minimum=1e-300,
            maximum=1,
            open_bounds=True,
            default=1e-10,
        ),
    ),
    variables=(
        STATUS,
        _estimate(
            "Gamma_mean", "mean half width of a level", "delta", f"{REVIEW}, Eqs. (18), (19)"
        ),
        _estimate("mean_ratio", "mean half width over Gamma_golden"),
        _estimate(
            "log10_Gamma_typ",
            "decimal logarithm of the typical half width exp(<ln Gamma>) in delta",
        ),
        _estimate("triples", "triples of the grain"),
        _estimate("iterations", "iterations to the solution"),
        _estimate(
            "residual",
            "largest change of ln Gamma by a further iteration",
            comment=f"more than {TOLERANCE:g} is not converged, and enters no mean",
        ),
        Variable(
            "Gamma_golden",
            "half width pi lam**2 M T of the golden rule",
            "delta",
            f"{REVIEW}, Eq. (20)",
            ("lam", "M", "T"),
        ),
        Variable(
            "Gamma_mean_field",
            "half width that equal levels would have",
            "delta",
            "",
            ("lam", "M", "T"),
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
