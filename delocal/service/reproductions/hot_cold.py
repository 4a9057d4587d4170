"""Gornyi et al. (2017), Fig. 2: sigma(T) in a continuum, with and without the growth of xi."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from delocal.physics.model import Status
from delocal.service import figures
from delocal.service.reproduce import Drawn, Reproduction, Trees

GROWING = {
    "exponential": "1D, exponential correlator",
    "lorentz": "1D, Lorentz correlator",
    "plane": "2D, white noise",
    "field": "2D, white noise, magnetic field",
}
LOCALIZED = {"constant": "1D, Lorentz correlator, xi constant", "white": "1D, white noise"}
BOTTOM, TOP = 1e14, 1.0  # of the axis of -ln sigma


def draw(trees: Trees) -> Drawn:
    """Draw -ln sigma(T) and the activation energy from the sweeps."""
    cells = {label: tree["hot-cold"].to_dataset() for label, tree in trees.items()}
    done = {label: ds.where(ds.status == Status.DONE, drop=True) for label, ds in cells.items()}
    return Drawn(_caption(done), _figure(done))


def _figure(done: Mapping[str, xr.Dataset]) -> go.Figure:
    figure = make_subplots(
        rows=1,
        cols=2,
        horizontal_spacing=0.13,
        subplot_titles=("Conductivity", "Slope of its Arrhenius plot"),
    )
    for i, (label, name) in enumerate(GROWING.items()):
        ds, line = done[label], {"color": figures.PALETTE[i], "dash": "dash", "width": 2.5}
        x = (ds["T"] / ds.Delta_c).values
        figure.add_scatter(
            x=x, y=ds.suppression.values, name=name, line=line, mode="lines", row=1, col=1
        )
        y = (ds.activation_energy / ds.eF).values
        figure.add_scatter(x=x, y=y, line=line, mode="lines", showlegend=False, row=1, col=2)
    _add_constant_length(figure, done["constant"])
    log = {"type": "log", "exponentformat": "power", "dtick": 1}
    figure.update_xaxes(title="T / Delta_c", **log)
    figure.update_xaxes(range=[-3.1, 1], col=1)
    figure.update_xaxes(range=[-3.1, 0], col=2)
    figure.update_yaxes(
        title="-ln sigma, reversed (sigma over its prefactor)",
        range=[math.log10(BOTTOM), math.log10(TOP)],
        **{**log, "dtick": 2},
        col=1,
    )
    figure.update_yaxes(title="-d ln sigma/d(1/T), in units of eF", **{**log, "dtick": 2}, col=2)
    return figure.update_layout(
        title="Conductivity of a disordered interacting continuum (Gornyi et al. 2017, Fig. 2)",
        template="plotly_white",
        legend={"orientation": "h", "y": -0.2},
    )


def _add_constant_length(figure: go.Figure, ds: xr.Dataset) -> None:
    """Draw sigma = 0 on the bottom of the axis up to T_c, dotted where the theory has ended."""
    T, T_c = (ds["T"] / ds.Delta_c).values, float((ds.T_c / ds.Delta_c)[0])
    black = figures.PALETTE[-1]
    name = "1D, Lorentz correlator, xi constant"
    solid = {"color": black, "width": 6}
    figure.add_scatter(
        x=T, y=np.full(T.shape, BOTTOM), name=name, line=solid, mode="lines", row=1, col=1
    )
    figure.add_scatter(
        x=[T.max(), T_c, T_c],
        y=[BOTTOM, BOTTOM, TOP],
        name="up to the scale T_c, not computed",
        line={"color": black, "width": 2, "dash": "dot"},
        mode="lines",
        row=1,
        col=1,
    )
    text = {"text": "sigma = 0", "showarrow": False, "yshift": 12, "font": {"color": black}}
    figure.add_annotation(x=-1.5, y=math.log10(BOTTOM), row=1, col=1, **text)


def _caption(done: Mapping[str, xr.Dataset]) -> str:
    growth = "; ".join(f"{name} {_slopes(done[label])}" for label, name in GROWING.items())
    steep = done["exponential"]
    ratio = (steep.activation_energy / (steep.eps_th - steep.eF)).values
    localized = " and ".join(
        f"{name} ({int(done[label].localized.sum())} of {done[label].sizes['T']} cells of the "
        "domain)"
        for label, name in LOCALIZED.items()
    )
    T_c = float((done["constant"].T_c / done["constant"].Delta_c)[0])
    return (
        "Coupling alpha = 0.2 at the Fermi level, prefactors one. Agrees with the paper: with a "
        "growing localization length (dashed) sigma is finite at every T, and falls faster than "
        "any Arrhenius law, whose slope would be flat on the right. From the highest to the "
        f"lowest temperature the slope grows, in units of eF: {growth}. With the exponential "
        f"correlator it is {ratio[-1]:.2f} to {ratio[0]:.2f} times eps_th - eF, and 4 times in "
        "the limit. Localized, sigma = 0, to lowest order in the interaction: "
        f"{localized}; the paper says so too. Differs: the figure of the paper is a sketch of "
        "one curve without units; here the disorder decides how fast sigma vanishes, by many "
        "decades of ln sigma. Not here: the crossover around T_c, since the theory holds for "
        "T << Delta_c and curves end at T = Delta_c exp(-D/3). The dotted line stands at T_c = "
        f"Delta_c/(alpha ln(1/alpha)) = {T_c:.3g} Delta_c, a scale from the papers that Fig. 2 "
        "refers to; its prefactor is not known."
    )


def _slopes(ds: xr.Dataset) -> str:
    slope = (ds.activation_energy / ds.eF).values
    return f"{slope[-1]:.3g} to {slope[0]:.3g}"


def _request(T: tuple[float, float], w: float, **options: str) -> dict[str, Any]:
    return {
        "models": ["hot-cold"],
        "axes": {"T": {"geomspace": [*T, 121]}},
        "fixed": {"w": w, "u": 0.4 * math.pi},
        "options": {"hot-cold": options},
    }


reproductions = (
    Reproduction(
        name="gornyi-fig2",
        title="Superactivated conductivity of a continuum",
        source="Gornyi et al. (2017), Fig. 2",
        # Delta_c is 0.157, 0.106, 0.0643 and 3.2e-5; with u = 0.4 pi, alpha = 0.2 throughout.
        requests={
            "exponential": _request((1.6e-4, 0.12), 0.5, disorder="exponential"),
            "lorentz": _request((1.1e-4, 0.08), 0.5, disorder="lorentz"),
            "plane": _request((6.5e-5, 0.035), 2.5, disorder="white", geometry="2d"),
            "field": _request((3.3e-8, 1.7e-5), 2.5, disorder="white", geometry="2d-field"),
            "constant": _request((1.1e-4, 0.08), 0.5, disorder="lorentz", xi_growth="no"),
            "white": _request((8e-4, 0.55), 0.5, disorder="white"),
        },
        draw=draw,
    ),
)
