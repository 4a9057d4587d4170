"""Thresholds of the Bethe lattice, exact and by pools, and the constant of Mott's law."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from delocal.physics.mott_percolation import extrapolate
from delocal.physics.pools import infinite_pool
from delocal.physics.thresholds import Estimate
from delocal.service.figures import PALETTE
from delocal.service.reproduce import Drawn, Reproduction, Trees

PUBLISHED = {("box", 2): "18.17 +- 0.01"}  # Tikhonov and Mirlin, arXiv:1903.07877
NEIGHBOURS = [2, 3, 4, 5, 7, 10, 30, 100]
SIZES = [1000, 3000, 10_000, 30_000, 100_000]


def draw_thresholds(trees: Trees) -> Drawn:
    """Tabulate W_c by law and K beside the estimates of Anderson."""
    rows = []
    for law, tree in trees.items():
        ds = tree["bethe"].to_dataset()
        for K in ds.K.values:
            at = ds.sel(K=K)
            rows.append(
                {
                    "law": law,
                    "K": str(int(K)),
                    "W_c": f"{at.W_c.item():.7g}",
                    "numerical error": f"{at.W_c_error.item():.1g}",
                    "published": PUBLISHED.get((law, int(K)), ""),
                    "large K": _number(at.asymptotic.item()),
                    "best estimate": _number(at.best_estimate.item()),
                    "upper limit": _number(at.upper_limit.item()),
                }
            )
    W_c = trees["box"]["bethe"].to_dataset().W_c.sel(K=2).item()
    caption = (
        f"Critical disorder at E = 0 and hopping 1. For the box and K = 2 it is {W_c:.6f}; "
        "published: 18.17 +- 0.01 (Tikhonov and Mirlin, arXiv:1903.07877). Anderson's best "
        "estimate is low by 5 % there and by 0.4 % at K = 100, his upper limit is 1.6 and 1.4 "
        "times too large. W is the full width of the box, the standard deviation of the "
        "Gaussian, the half width at half maximum of the Cauchy law."
    )
    return Drawn(caption, table=tuple(rows))


def draw_pools(trees: Trees) -> Drawn:
    """Draw W_c(N) of finite pools over 1/ln(N)**2, and where it leads."""
    ds = trees["pools"]["bethe-pool"].to_dataset()
    pools = _estimates(ds.W_c, ds.W_c_stderr)
    limit = infinite_pool(ds.N.values, pools)
    return Drawn(_pools_caption(ds, pools, limit), _pools_figure(ds, limit))


def _pools_caption(ds: xr.Dataset, pools: list[Estimate], limit: Estimate) -> str:
    values = ", ".join(
        f"{_with_error(pool)} (N = {n:.0f})" for n, pool in zip(ds.N.values, pools, strict=True)
    )
    return (
        f"Threshold of finite pools at K = 2: {values}. They lie below "
        f"{ds.W_c_infinite.item():.5f}, that of the "
        "transfer operator, as a front cut off at 1/N does. With the amplitude of the cutoff taken "
        f"from the operator they extrapolate to {_with_error(limit)}, an error "
        "that includes the form of the next correction. The leading order overestimates the "
        "bias at these sizes."
    )


def _pools_figure(ds: xr.Dataset, limit: Estimate) -> go.Figure:
    exact, x = ds.W_c_infinite.item(), 1 / np.log(ds.N.values) ** 2
    line = np.linspace(0, x.max(), 50)
    figure = go.Figure()
    figure.add_scatter(
        x=x,
        y=ds.W_c.values,
        error_y={"array": ds.W_c_stderr.values},
        mode="markers+text",
        text=[f"   N = {n:.0f}" for n in ds.N.values],
        textposition="middle right",
        marker={"color": PALETTE[0], "size": 9},
        name="pools of N",
    )
    figure.add_scatter(
        x=line,
        y=exact * np.exp(-ds.cutoff_amplitude.item() * line),
        line={"color": PALETTE[1], "dash": "dash"},
        name="cut-off front, leading order",
    )
    figure.add_scatter(
        x=[0.0],
        y=[limit.value],
        error_y={"array": [limit.stderr]},
        mode="markers",
        marker={"color": PALETTE[2], "size": 9, "symbol": "square"},
        name="extrapolated from the pools",
    )
    figure.add_scatter(
        x=[0.0],
        y=[exact],
        mode="markers",
        marker={"color": "black", "size": 14, "symbol": "x-thin", "line": {"width": 3}},
        name="eigenvalue of the transfer operator",
    )
    return figure.update_layout(
        xaxis_title="1 / ln(N)^2 of the size N of the pool",
        yaxis_title="critical disorder W_c(N) / hopping",
        xaxis_range=[-0.0012, 1.2 * float(x.max())],
        template="plotly_white",
        legend={"x": 0.02, "y": 0.02, "yanchor": "bottom"},
        margin={"t": 40},
    )


def draw_mott(trees: Trees) -> Drawn:
    """Tabulate the thresholds of each box, and beta of an infinite sample."""
    rows, found = [], {}
    for d, label in ((2, "two"), (3, "three")):
        ds = trees[label]["mott-percolation"].to_dataset()
        either = _estimates(ds.beta_either, ds.beta_either_stderr)
        every = _estimates(ds.beta_all, ds.beta_all_stderr)
        for box, a, b in zip(ds.box.values, either, every, strict=True):
            rows.append(_mott_row(str(d), f"{box:g}", _with_error(a), _with_error(b)))
        found[d] = extrapolate(d, ds.box.values, either, every)
        rows.append(_mott_row(str(d), "infinite", _with_error(found[d]), _with_error(found[d])))
    caption = (
        "Constant beta of Mott's law, T0 = beta / (g a**d) with resistances exp(2 r/a + eps/T), "
        f"by percolation of the links: {_with_error(found[2])} in two dimensions (textbooks: "
        f"13.8) and {_with_error(found[3])} in three. The textbook value 21.2 in three dimensions "
        "is not reproduced. Boxes are in units of the longest link; both definitions of the "
        "threshold are extrapolated together as box**(-1/nu)."
    )
    return Drawn(caption, table=tuple(rows))


def _mott_row(d: str, box: str, either: str, every: str) -> Mapping[str, str]:
    return {"d": d, "box": box, "beta, first winding": either, "beta, every direction": every}


def _estimates(values: xr.DataArray, errors: xr.DataArray) -> list[Estimate]:
    return [Estimate(float(v), float(e)) for v, e in zip(values.values, errors.values, strict=True)]


def _with_error(estimate: Estimate) -> str:
    return f"{estimate.value:.2f} +- {estimate.stderr:.2f}"


def _number(value: float) -> str:
    return f"{value:.4g}" if np.isfinite(value) else "none"


reproductions = (
    Reproduction(
        name="bethe-threshold",
        title="Critical disorder of the Bethe lattice by law and number of neighbours",
        source="Abou-Chacra, Anderson, Thouless (1973)",
        requests={
            law: {
                "models": ["bethe"],
                "axes": {"K": NEIGHBOURS},
                "options": {"bethe": {"law": law}},
            }
            for law in ("box", "gaussian", "cauchy")
        },
        draw=draw_thresholds,
    ),
    Reproduction(
        name="bethe-pools",
        title="Finite pools on the Bethe lattice, and the threshold they lead to",
        source="Abou-Chacra, Anderson, Thouless (1973), and Brunet and Derrida (1997)",
        requests={
            "pools": {
                "models": ["bethe-pool"],
                "axes": {"N": SIZES},
                "fixed": {"K": 2},
                "options": {"bethe-pool": {"generations": 300}},
                "sampling": {"replicas": 16},
            }
        },
        draw=draw_pools,
    ),
    Reproduction(
        name="mott-constant",
        title="The constant of Mott's law by percolation",
        source="Ambegaokar, Halperin, Langer (1971)",
        requests={
            label: {
                "models": ["mott-percolation"],
                "axes": {"box": boxes},
                "fixed": {"d": d},
                "sampling": {"replicas": 400},
            }
            for label, d, boxes in (("two", 2, [8, 16, 32]), ("three", 3, [6, 8, 12]))
        },
        draw=draw_mott,
    ),
)
