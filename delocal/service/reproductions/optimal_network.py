"""The random banded matrix of the optimal network: where it conducts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from delocal.physics.level_flow import NU_ORTHOGONAL, critical_point
from delocal.physics.levels import GOE, POISSON
from delocal.physics.thresholds import Estimate
from delocal.service.figures import PALETTE
from delocal.service.reproduce import Drawn, Reproduction, Trees

DENSITIES = {1: [4, 6, 8], 2: [2, 3, 5], 3: [0.9, 1.0, 1.1, 1.2, 1.3]}
BOXES = {1: {50: 200, 200: 60}, 2: {8: 200, 16: 60}, 3: {8: 600, 12: 90}}


def label_of(d: int, L: int) -> str:
    """Return the name of the sweep of one box."""
    return f"{d}d-{L}"


def request_of(d: int, L: int, replicas: int) -> dict[str, Any]:
    """Return the sweep of one box over the density of pseudo-spins."""
    return {
        "models": ["optimal-network"],
        "axes": {"N2": DENSITIES[d]},
        "fixed": {"d": d, "L": L},
        "sampling": {"replicas": replicas},
    }


def requests_of(d: int) -> dict[str, dict[str, Any]]:
    """Return the sweeps of all boxes in one dimension, by label."""
    return {label_of(d, L): request_of(d, L, replicas) for L, replicas in BOXES[d].items()}


def draw(trees: Trees) -> Drawn:
    """Draw <r> over N2 for two boxes in each dimension, and find where they cross in d = 3."""
    ds = {
        (d, L): trees[label_of(d, L)]["optimal-network"].to_dataset().load()
        for d, boxes in BOXES.items()
        for L in boxes
    }
    critical, chi2 = critical_density({L: here for (d, L), here in ds.items() if d == 3})
    rows = tuple(_row(d, L, here.sel(N2=N2)) for (d, L), here in ds.items() for N2 in here.N2)
    return Drawn(_caption(critical, chi2), _figure(ds, critical), rows)


def critical_density(boxes: Mapping[int, xr.Dataset]) -> tuple[Estimate, float]:
    """Return N2c in d = 3, where boxes of several L meet, and chi2 per degree of freedom."""
    points = np.array(
        [
            (N2, L, here.r.sel(N2=N2).item(), here.r_stderr.sel(N2=N2).item())
            for L, here in boxes.items()
            for N2 in here.N2.values
        ]
    )
    return critical_point(*points.T)


def _caption(critical: Estimate, chi2: float) -> str:
    small, large = BOXES[3]
    return (
        "Mean ratio of successive level spacings in the middle third of the spectrum of the "
        "paper's random banded matrix: pseudo-spins at random, N2 in a volume R2*^d, energies "
        "sqrt(Ex^2 + Ez^2) with Ex and Ez uniform in (-E*, E*), hopping uniform in (-E*, E*) "
        "within R2*, largest cluster of a periodic box. As the paper says there is a transition "
        f"in d = 3: boxes of {small} and {large} R2* collapse, <r> = F((N2 - N2c) L^(1/nu)) with "
        f"nu = {NU_ORTHOGONAL:g} and a cubic F, at N2c = {critical.rounded}, chi2 = {chi2:.1f} "
        "per degree of freedom. It is above classical percolation of the same "
        "points, 0.65. In d = 1 and 2 <r> falls with the size of the box: localized, with a "
        "length that grows so fast that in d = 2 at N2 = 5 both boxes have that of a random "
        "matrix. Fig. 4 is a sketch of the matrix; the paper gives no numbers and says N2 ~ 1. The "
        "critical N2 depends on the laws of energies and hopping, which are a convention: cite it "
        "with them."
    )


def _row(d: int, L: int, at: xr.Dataset) -> dict[str, str]:
    def rounded(name: str) -> str:
        return Estimate(float(at[name]), float(at[f"{name}_stderr"])).rounded

    return {
        "d": str(d),
        "L": f"{L}",
        "N2": f"{float(at.N2):g}",
        "r": rounded("r"),
        "pseudo-spins in the cluster": f"{float(at.sites):.0f}",
        "a state occupies": rounded("participation"),
        "part of the cluster": rounded("fraction"),
    }


def _figure(ds: dict[tuple[int, int], xr.Dataset], critical: Estimate) -> go.Figure:
    figure = make_subplots(
        1, len(BOXES), shared_yaxes=True, subplot_titles=[f"d = {d}" for d in BOXES]
    )
    for i, ((d, L), here) in enumerate(ds.items()):
        figure.add_scatter(
            x=here.N2.values,
            y=here.r.values,
            error_y={"array": here.r_stderr.values},
            name=f"d = {d}, L = {L} R2*",
            mode="lines+markers",
            marker={"color": PALETTE[i], "symbol": i, "size": 8},
            row=1,
            col=d,
        )
    for level, name in ((GOE, "GOE"), (POISSON, "Poisson")):
        figure.add_hline(y=level, line={"color": "grey", "dash": "dot"}, annotation_text=name)
    if math.isfinite(critical.value):
        figure.add_vline(x=critical.value, line={"color": "grey", "dash": "dash"}, row=1, col=3)
    figure.update_xaxes(title="N2, pseudo-spins in R2*^d")
    return figure.update_layout(
        title="Level statistics of the optimal network",
        yaxis_title="mean ratio of spacings <r>",
        template="plotly_white",
        legend={"orientation": "h", "y": -0.2},
    )


reproductions = (
    Reproduction(
        name="gutman-fig4",
        title="The optimal network as a random banded matrix",
        source="Gutman et al. (2016), Fig. 4",
        requests={label: request for d in BOXES for label, request in requests_of(d).items()},
        draw=draw,
    ),
)
