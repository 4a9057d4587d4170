"""One plot definition for notebook, command line and page: plotly figures of datasets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from delocal.physics.model import Status
from delocal.service.errors import NotReady
from delocal.workers.dataset import evaluate

# Okabe and Ito: told apart by every kind of colour vision.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid")
CHANNELS = ("sd", "s", "ps", "opt", "sd2", "ps2", "opt2")


def phase_diagram(d: int, *, points: int = 240, cells: xr.Dataset | None = None) -> go.Figure:
    """Return the regions of the power-law spin model over (alpha, beta), after Fig. 3.

    Parameters
    ----------
    d
        Dimension.
    points
        Pixels along each axis; a multiple of 8 keeps them off the borders.
    cells
        A dataset of a sweep, whose (alpha, beta) are marked.
    """
    middles = (np.arange(points) + 0.5) / points
    alpha, beta = d * (0.5 + 4 * middles), d * (0.5 + 2 * middles)
    figure = region_map(evaluate("scaling", d=d, alpha=alpha, beta=beta, T=1e-3, W=1.0))
    if cells is None:
        return figure
    wanted = (cells.status != Status.EXCLUDED).any(set(cells.status.dims) - {"alpha", "beta"})
    a, b, wanted = xr.broadcast(cells.alpha, cells.beta, wanted)
    a, b = a.where(wanted), b.where(wanted)
    marks = {"color": "black", "size": 3}
    figure.add_scatter(
        x=a.values.ravel(), y=b.values.ravel(), mode="markers", marker=marks, name="cells"
    )
    return figure.update_layout(showlegend=True)


def region_map(ds: xr.Dataset) -> go.Figure:
    """Return the map of `region` of a `scaling` dataset that varies along alpha and beta alone."""
    region = ds.region.squeeze().transpose("beta", "alpha")
    alpha, beta = ds.alpha.values, ds.beta.values
    names = _flags(region)
    present = sorted({int(code) for code in region.values.ravel()})
    rank = np.searchsorted(present, region.values)
    colours = ["#DDDDDD", *PALETTE]
    figure = go.Figure()
    figure.add_heatmap(
        x=alpha,
        y=beta,
        z=rank,
        zmin=-0.5,
        zmax=len(present) - 0.5,
        opacity=0.75,
        showscale=False,
        colorscale=[
            [(i + edge) / len(present), colours[i % len(colours)]]
            for i in range(len(present))
            for edge in (0, 1)
        ],
        text=np.array([names[code] for code in present])[rank],
        hovertemplate="alpha %{x:.3g}, beta %{y:.3g}: %{text}<extra></extra>",
    )
    for code in present:
        _label_region(figure, alpha, beta, region.values == code, names[code])
    return figure.update_layout(
        title=f"Regions of the power-law spin model, d = {float(ds.d):g} "
        "(Gutman et al. 2016, Fig. 3)",
        xaxis_title="alpha, range of the hopping t/r^alpha",
        yaxis_title="beta, range of the interaction V/r^beta",
        template="plotly_white",
        showlegend=False,
    )


def kappa_over_temperature(ds: xr.Dataset) -> go.Figure:
    """Return kappa(T) channel by channel for a dataset that varies along T alone."""
    figure = go.Figure()
    for i, channel in enumerate(CHANNELS):
        kappa, logarithm = ds[f"kappa_{channel}"], ds[f"log10_kappa_{channel}"].squeeze()
        if not np.isfinite(logarithm).any():
            continue
        figure.add_scatter(
            x=np.log10(ds["T"].values),
            y=logarithm.values,
            name=f"{kappa.long_name.removeprefix('thermal conductivity ')}, {kappa.equation}",
            line={"color": PALETTE[i], "dash": DASHES[i]},
        )
    where = ", ".join(f"{name} = {ds[name].item():g}" for name in ("d", "alpha", "beta", "W"))
    return figure.update_layout(
        title=f"Thermal conductivity by channel, {where}",
        xaxis_title="log10 T (energy; hbar = k_B = 1)",
        yaxis_title="log10 kappa (prefactors 1)",
        template="plotly_white",
        legend={"orientation": "h", "y": -0.25},
    )


def page(title: str, figures: list[go.Figure]) -> str:
    """Return one HTML page that holds the figures and needs no network."""
    bodies = [
        figure.to_html(full_html=False, include_plotlyjs=i == 0) for i, figure in enumerate(figures)
    ]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        '<body style="font-family: sans-serif; max-width: 60rem; margin: 2rem auto">'
        f"<h1>{title}</h1>{''.join(bodies)}</body></html>"
    )


def save(figure: go.Figure, path: Path) -> None:
    """Write a figure as its suffix says: .html, which needs no network, .png, .svg or .pdf.

    Raises
    ------
    NotReady
        A picture is wanted, and there is no Chrome or Chromium to draw it.
    """
    if path.suffix == ".html":
        figure.write_html(path, include_plotlyjs=True)
        return
    try:
        figure.write_image(path, width=900, height=600, scale=2)
    except RuntimeError as error:  # plotly's word for a browser that is not there
        raise NotReady(
            f"{path.name} is drawn by Chrome or Chromium, which is not on this machine; install "
            "it (`apt-get install chromium`), or write .html"
        ) from error


def _flags(array: xr.DataArray) -> Mapping[int, str]:
    meanings = str(array.attrs["flag_meanings"]).split()
    return dict(zip(array.attrs["flag_values"], meanings, strict=True))


def _label_region(figure: go.Figure, x: Any, y: Any, inside: Any, name: str) -> None:
    """Write the name where the region is widest."""
    rows, columns = np.nonzero(inside)
    middle = np.argsort(rows, kind="stable")[rows.size // 2]
    row = rows[middle]
    in_row = columns[rows == row]
    text = name.replace("_", " ").lower() if name.count("_") > 1 else name
    figure.add_annotation(x=x[int(np.median(in_row))], y=y[row], text=text, showarrow=False)
