"""Gutman et al. (2016): N2 against R2 (Fig. 2), and the phase diagram (Fig. 3)."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from delocal.service.figures import PALETTE, region_map
from delocal.service.reproduce import Drawn, Reproduction, Trees

POINTS = {"1": (1, 1.5, 1.5), "2": (2, 3, 3), "3": (3, 3, 3)}
W = {1: 20.0, 2: 20.0, 3: 100.0}


def draw_partners(trees: Trees) -> Drawn:
    """Draw N2(R1, R2) over R2/R2*, measured, exact and as Eq. (9) estimates it."""
    figure = go.Figure()
    peaks = []
    for i, (label, ranges) in enumerate(POINTS.items()):
        ds = trees[label]["network"].to_dataset().load()
        _add_partners(figure, ds, ranges, PALETTE[i])
        at = float(ds.R2[int(ds.N2_exact.values.argmax())])
        peaks.append(f"d = {ranges[0]}: largest in the octave from {at:g} R2*")
    figure.update_layout(
        title="Pseudo-spins in resonance with one, at the R1 where N2(R1, R2*) = 1",
        xaxis={"title": "R2 / R2*, octave from R2 to 2 R2", "type": "log"},
        yaxis={"title": "N2(R1, R2)", "type": "log"},
        template="plotly_white",
    )
    return Drawn(f"{PARTNERS} {'; '.join(peaks)}.", figure)


def _add_partners(
    figure: go.Figure, ds: xr.Dataset, ranges: tuple[float, float, float], colour: str
) -> None:
    d, _, beta = ranges
    name = "d = {:g}, alpha = {:g}, beta = {:g}".format(*ranges)
    x = ds.R2.values
    paper = x**d * np.minimum(1, x**-beta)
    lines = {"": (ds.N2_exact.values, "solid"), ", Eq. (9)": (paper, "dot")}
    for suffix, (y, dash) in lines.items():
        figure.add_scatter(
            x=x, y=y, name=f"{name}{suffix}", line={"color": colour, "dash": dash}, mode="lines"
        )
    figure.add_scatter(
        x=x,
        y=ds.N2.values,
        error_y={"array": ds.N2_stderr.values},
        mode="markers",
        marker={"color": colour, "size": 8},
        name=f"{name}, Monte Carlo",
        showlegend=False,
    )


PARTNERS = (
    "N2 grows as R2^d while all pseudo-spins in reach resonate, and beyond R2* goes as "
    "R2^(d - beta): as in the paper's sketch, it has a maximum at about R2* where beta > d. Points "
    "are Monte Carlo with dilute pseudo-spins, solid lines the exact mean, dotted lines Eq. (9) "
    "with prefactor 1. What the sketch does not show: for beta = d = 3 there is no maximum, N2 "
    "saturates."
)
REGIONS = (
    "Regions over (alpha, beta) in d = 2, from a sweep of the scaling theory. Every border is that "
    "of the paper: alpha = d, beta = d, alpha = 2d, D = (alpha + beta) d - alpha beta = 0 and "
    "beta = 2d; below alpha = beta the model is outside its domain."
)


def draw_regions(trees: Trees) -> Drawn:
    """Draw the phase diagram."""
    return Drawn(REGIONS, region_map(trees["scaling"]["scaling"].to_dataset().load()))


def _network(ranges: tuple[int, float, float]) -> dict[str, Any]:
    fixed = {**dict(zip(("d", "alpha", "beta"), ranges, strict=True)), "W": W[ranges[0]]}
    return {
        "models": ["network"],
        "fixed": {**fixed, "T": 1e-3, "t": 1, "V": 1},
        "options": {"network": {"box": {1: 4096, 2: 64, 3: 32}[ranges[0]]}},
        "sampling": {"replicas": 64},
    }


reproductions = (
    Reproduction(
        name="gutman-fig2",
        title="Resonant partners of a pseudo-spin against their distance",
        source="Gutman et al. (2016), Fig. 2",
        requests={label: _network(ranges) for label, ranges in POINTS.items()},
        draw=draw_partners,
    ),
    Reproduction(
        name="gutman-fig3",
        title="Phase diagram of the power-law spin model in two dimensions",
        source="Gutman et al. (2016), Fig. 3",
        requests={
            "scaling": {
                "models": ["scaling"],
                "axes": {
                    "alpha": {"linspace": [1.01, 8.99, 200]},
                    "beta": {"linspace": [1.01, 4.99, 200]},
                },
                "fixed": {"d": 2, "T": 1e-3, "W": 1},
            }
        },
        draw=draw_regions,
    ),
)
