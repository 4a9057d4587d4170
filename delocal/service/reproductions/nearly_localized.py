"""Gopalakrishnan and Nandkishore (2014), Figs. 2 and 5 to 8, drawn from sweeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from numpy.typing import NDArray

from delocal.physics.coupled_dots import eps_of_x
from delocal.physics.critical_law import CriticalLaw, fit_critical_law, local_exponent
from delocal.physics.powers import LogArray
from delocal.service.figures import PALETTE
from delocal.service.reproduce import Drawn, Reproduction, Trees

PAPER = "Gopalakrishnan and Nandkishore (2014)"
MODEL = "nearly-localized"
WINDOW = (1e-9, 1e-5)
"""Gamma between N K**-N of Fig. 7 and where its growth slows down."""
EPS_C = 0.0476280498529
"""Where the linewidth of Fig. 7 vanishes: eps_c of (E3) for K = 10, N = 10, gamma = 1e-3."""
LN10 = float(np.log(10.0))


def draw_lineshape(trees: Trees) -> Drawn:
    """Draw the transform of the echo, its approximation and a Lorentzian, Fig. 2."""
    ds = trees["line"]["lineshape"].to_dataset()
    omega, S, J = ds.omega.values, ds.S.values, float(ds.J)
    figure = go.Figure()
    below = (omega < J) & (S > 0)
    figure.add_scatter(
        x=omega[below][::2],
        y=S[below][::2],
        mode="markers",
        marker={"color": PALETTE[0], "size": 5},
        name="transform of the echo, (10)",
    )
    for name, label, style in (
        ("S_12", "approximation (12)", {"color": PALETTE[3], "simplify": False}),
        ("S_lorentzian", "Lorentzian of the central width", {"color": PALETTE[7], "dash": "dash"}),
    ):
        figure.add_scatter(x=omega, y=ds[name].values, name=label, line=style)
    width = float(ds.width)
    for x, text in ((width, "width (13)"), (J, "J")):
        figure.add_vline(x=x, line_dash="dot", line_width=1)
        _label(figure, 1.15 * x, 0.15, text, xanchor="left")
    power = {"type": "log", "exponentformat": "power", "dtick": 1}
    figure.update_xaxes(title="frequency omega / Gamma_b", range=[-1, 4], **power)
    figure.update_yaxes(title="spectral function S Gamma_b", range=[-8, -0.6], **power)
    ratio = (ds.S_12 / ds.S).sel(omega=[1, 10, 100, 900], method="nearest").values
    simple = (ds.S_lorentzian / ds.S).sel(omega=[1, 100, 900], method="nearest").values
    caption = (
        "Spectral line for Gamma_b = 1, J = 1000, s xi = 4. The approximation (12) over the "
        f"transform is {ratio[0]:.2f}, {ratio[1]:.2f}, {ratio[2]:.2f}, {ratio[3]:.2f} at omega = "
        "1, 10, 100, 900: as in the paper it follows the line, within a factor of 1.6 up to six "
        f"widths. A Lorentzian of the width {width:.2f} is better in the middle "
        f"({simple[0]:.2f} at 1) and overestimates the tail ({simple[1]:.2f} at 100, "
        f"{simple[2]:.0f} at 900). Beyond J the transform is made by the kinks of n_fast, changes "
        "its sign, and is not shown. Its integral over all frequencies is pi, not 1."
    )
    return Drawn(caption, _finished(figure, "Line of a level with slow neighbours"))


def draw_boundary(trees: Trees) -> Drawn:
    """Draw the coupling at the transition for three numbers of levels, Fig. 5."""
    ds = trees["boundary"][MODEL].to_dataset()
    figure = go.Figure()
    for i, N in enumerate(ds.N.values):
        of_N = ds.sel(N=N)
        figure.add_scatter(
            x=of_N.x.values,
            y=of_N.gamma_c.values,
            name=f"N = {N:g}",
            line={"color": PALETTE[i], "simplify": False},
        )
    ten = ds.sel(N=10)
    distance = 1 / ten.Xi - np.log(float(ten.K))
    left = (ten.x > -0.41) & (ten.x < -0.09)
    ratio = (ten.gamma_c / distance).where(left)
    line = distance.where(distance > 0) * float(ratio.median())
    figure.add_scatter(
        x=ten.x.values,
        y=line.values,
        name="proportional to 1/Xi - ln K",
        line={"color": PALETTE[7], "dash": "dash"},
    )
    figure.add_vline(x=0, line_dash="dot", annotation_text="transition of one dot")
    _label(figure, 0.4, 0.1, "metal", size=16)
    _label(figure, -0.3, 1e-4, "localized", size=16)
    figure.update_xaxes(title="Xi ln K - 1")
    figure.update_yaxes(
        type="log",
        title="coupling at the transition gamma_c / delta_m",
        exponentformat="power",
        range=[-9, 1],
    )
    right = ten.where(ten.x > 0.09, drop=True)
    slope = np.polyfit(np.log(float(ten.K)) - 1 / right.Xi.values, np.log(right.gamma_c.values), 1)[
        0
    ]
    caption = (
        "Where the linewidth vanishes by Eq. (E1), K = 3, s N = 5, d = 1; N = 10 as in the paper. "
        "Its two regimes are there, its laws are not. For x = Xi ln K - 1 < 0 the boundary is not "
        f"linear: gamma_c/(1/Xi - ln K) runs from {float(ratio.min()):.2f} to "
        f"{float(ratio.max()):.2f} between x = -0.4 and -0.1. For x > 0 ln gamma_c falls with "
        f"ln K - 1/Xi (slope {slope:.0f}); the printed caption has the other sign. This branch "
        "is made by the finite number of levels and goes down without limit as N grows."
    )
    return Drawn(caption, _finished(figure, "Phase boundary of coupled dots"))


def draw_two_couplings(trees: Trees) -> Drawn:
    """Draw -1/ln Gamma over Xi ln K - 1 for two couplings, Fig. 6."""
    ds = trees["couplings"][MODEL].to_dataset()
    figure = go.Figure()
    for i, (gamma, symbol) in enumerate(((1e-2, "circle-open"), (1e-4, "x"))):
        of = ds.sel(gamma=gamma)
        metal = of.phase.values == 1
        x, y = of.x.values, _inverse_log(of.log10_Gamma)
        inside = metal & (of.in_linewidth_window.values == 1)
        figure.add_scatter(
            x=x[metal][::3],
            y=y[metal][::3],
            mode="markers",
            marker={"color": PALETTE[i], "symbol": symbol, "size": 7},
            name=f"gamma = {gamma:g}, solved",
        )
        figure.add_scatter(
            x=x[inside],
            y=y[inside],
            line={"color": PALETTE[i], "width": 3},
            name=f"gamma = {gamma:g}, within (27)",
            showlegend=bool(inside.any()),
        )
        figure.add_scatter(
            x=x,
            y=_inverse_log(of.log10_Gamma_C5),
            line={"color": PALETTE[i], "dash": "dash"},
            name=f"gamma = {gamma:g}, saddle point (C5)",
        )
    weak, strong = ds.sel(gamma=1e-4), ds.sel(gamma=1e-2)
    spacing = 10 * 3.0**-10
    caption = (
        "-1/ln Gamma by Eq. (E3), N = 10, K = 3. The paper gives neither s nor d for this figure; "
        "s = 0.5, d = 1 here. As in the paper the saddle point vanishes linearly at x = Xi ln K "
        "- 1 = 0, and the solution deviates. The transition is not at x = 0 but, by the finite "
        f"number of levels, at x = {_x_c(weak):.3f} for gamma = 1e-4 and {_x_c(strong):.4f} for "
        f"1e-2. For gamma = 1e-4 the window of validity (27) is empty: N K^-N = {spacing:.2e} "
        f"exceeds gamma, and {int(weak.in_linewidth_window.sum())} of {weak.sizes['eps']} points "
        f"lie within; for 1e-2 {int(strong.in_linewidth_window.sum())} do. The paper finds the "
        "saddle point more accurate for the weaker coupling; relative to the solution it is "
        f"not: of what is drawn at x = 1 it is {_over(weak):.2f} for 1e-4 and {_over(strong):.2f} "
        "for 1e-2."
    )
    figure.update_xaxes(title="Xi ln K - 1", range=[-0.05, 2.0])
    figure.update_yaxes(title="-1/ln(Gamma/delta_m)", range=[0, 0.2])
    return Drawn(caption, _finished(figure, "How the linewidth vanishes for two couplings"))


def draw_critical(trees: Trees) -> Drawn:
    """Draw -1/ln Gamma near the transition, the law with 1/3, and its local exponent, Fig. 7."""
    wide = trees["wide"][MODEL].to_dataset()
    Xi, Gamma = wide.Xi.values, LogArray(wide.log10_Gamma.values * LN10)
    Xi_c = 1 / ((1 - float(wide.eps_c)) * np.log(float(wide.K)))
    ln_low, ln_high = np.log(WINDOW)
    chosen = (ln_low < Gamma.ln) & (Gamma.ln < ln_high)
    of_window = Xi[chosen], LogArray(Gamma.ln[chosen])
    free, third = fit_critical_law(*of_window), fit_critical_law(*of_window, exponent=1 / 3)
    figure = go.Figure()
    _draw_law(figure, Xi, _inverse_log(wide.log10_Gamma), third, chosen)
    figure.add_vline(
        x=Xi_c, line_dash="dot", annotation_text="Xi_c", annotation_position="top left"
    )
    distance, exponents = _exponents(trees["near"][MODEL].to_dataset(), Xi_c)
    figure.add_scatter(
        x=distance,
        y=exponents,
        xaxis="x2",
        yaxis="y2",
        line={"color": PALETTE[2]},
        name="local exponent (right)",
    )
    figure.add_hline(y=1 / 3, line_dash="dash", xref="x2", yref="y2", line_color=PALETTE[7])
    figure.update_layout(
        xaxis={"title": "Xi", "domain": [0, 0.55]},
        yaxis={"title": "-1/ln(Gamma/delta_m)"},
        xaxis2={
            "title": "Xi - Xi_c",
            "domain": [0.67, 1],
            "type": "log",
            "anchor": "y2",
            "exponentformat": "power",
            "dtick": 2,
        },
        yaxis2={"title": "exponent of -1/ln Gamma", "anchor": "x2", "range": [0, 0.5]},
    )
    caption = _critical_caption(free, third, Xi_c, distance, exponents)
    return Drawn(caption, _finished(figure, "How the linewidth vanishes at the transition"))


def draw_saddle_point(trees: Trees) -> Drawn:
    """Draw sum, integral and closed forms over eps, Fig. 8."""
    ds, integral = (trees[label][MODEL].to_dataset() for label in ("sum", "integral"))
    eps = ds.eps.values
    holds = (eps >= 1 / (2 * np.log(3))) & (eps <= 0.8)
    figure = _saddle_point_figure(ds, integral, holds)
    caption = _saddle_point_caption(ds, integral, holds)
    return Drawn(caption, _finished(figure, "Linewidth and its saddle point"))


def _saddle_point_figure(
    ds: xr.Dataset, integral: xr.Dataset, holds: NDArray[np.bool_]
) -> go.Figure:
    eps, C5, black, red = ds.eps.values, _in_dots(ds.log10_Gamma_C5), PALETTE[7], PALETTE[3]
    styles: tuple[dict[str, Any], ...] = (
        {
            "y": _in_dots(ds.log10_Gamma),
            "name": "sum (E3)",
            "mode": "markers",
            "marker": {"color": black, "size": 6},
        },
        {
            "y": _in_dots(integral.log10_Gamma),
            "name": "integral",
            "mode": "markers",
            "marker": {"color": black, "symbol": "circle-open", "size": 10},
        },
        {"y": C5, "name": "(C5)", "line": {"color": red, "dash": "dash"}, "showlegend": False},
        {
            "x": eps[holds],
            "y": C5[holds],
            "name": "saddle point (C5)",
            "line": {"color": red, "width": 3},
        },
        {
            "y": _in_dots(ds.log10_Gamma_C4),
            "name": "saddle point (C4), with its 1/2",
            "line": {"color": PALETTE[0], "dash": "dot"},
        },
    )
    figure = go.Figure()
    for style in styles:
        figure.add_scatter(**{"x": eps, **style})
    figure.update_xaxes(title="eps = 1 - 1/(Xi ln K)")
    return figure.update_yaxes(title="-1/ln(n_c Gamma/delta_m)", range=[0, 1.0])


def _saddle_point_caption(ds: xr.Dataset, integral: xr.Dataset, holds: NDArray[np.bool_]) -> str:
    low = (ds.Gamma_C5 / ds.Gamma).values[holds]
    low_y = (_in_dots(ds.log10_Gamma_C5) / _in_dots(ds.log10_Gamma))[holds]
    printed = (ds.Gamma_C4_printed / ds.Gamma).sel(eps=[0.3, 0.8], method="nearest").values
    apart = (integral.Gamma / ds.Gamma).sel(eps=[0.45, 0.6, 0.85], method="nearest").values - 1
    return (
        "gamma = 0.1, s = 0.5, N = 10, d = 1, K = 3 (n_c = 5), as in the paper. Solid where "
        f"(C7) holds, 0.455 < eps < 0.8: there (C5) is low by {1 - low.max():.0%} to "
        f"{1 - low.min():.0%} in Gamma, {1 - low_y.max():.0%} to {1 - low_y.min():.0%} in what is "
        "drawn, and below it fails as the paper says. Sum and integral are not quite the same: "
        f"the integral is larger by {apart[0]:.1%} at eps = 0.45, {apart[1]:.0%} at 0.6 and "
        f"{apart[2]:.0%} at 0.85. (C4) with (C2) does better than (C5), once the "
        "denominator 1 + 1 that it leaves out is put back; as printed it is "
        f"{printed[0]:.2f} to {printed[1]:.2f} times the sum. Between eps = 0.3 and 0.6 the "
        "condition (26), (Gamma/gamma) ln^2(gamma/Gamma) << 1, reads 0.4 to 0.54."
    )


def _in_dots(log10_Gamma: xr.DataArray) -> NDArray[np.float64]:
    """Return -1/ln(n_c Gamma) for the n_c = 5 of Fig. 8."""
    return _inverse_log(log10_Gamma + np.log10(5.0))


def _draw_law(
    figure: go.Figure,
    Xi: NDArray[np.float64],
    y: NDArray[np.float64],
    law: CriticalLaw,
    window: NDArray[np.bool_],
) -> None:
    """Draw the solution, the window in which it is fitted, and the fit."""
    ends = Xi[window][[0, -1]]
    figure.add_vrect(x0=ends[0], x1=ends[1], fillcolor=PALETTE[5], opacity=0.2, line_width=0)
    figure.add_scatter(
        x=Xi[::12],
        y=y[::12],
        mode="markers",
        marker={"color": PALETTE[0], "size": 5},
        name="solution (E3)",
    )
    fine = np.linspace(law.Xi_c, ends[1] + 0.1, 400)[1:]
    figure.add_scatter(
        x=fine,
        y=-1 / law.linewidth(fine).ln,
        line={"color": PALETTE[3], "dash": "dash"},
        name="power 1/3, fitted in the band",
    )


def _exponents(ds: xr.Dataset, Xi_c: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the distance from the transition and the local exponent of -1/ln Gamma."""
    Xi = ds.Xi.values
    exponents = local_exponent(Xi, LogArray(ds.log10_Gamma.values * LN10), Xi_c)
    return np.sqrt((Xi[1:] - Xi_c) * (Xi[:-1] - Xi_c)), exponents


def _critical_caption(
    free: CriticalLaw,
    third: CriticalLaw,
    Xi_c: float,
    distance: NDArray[np.float64],
    exponents: NDArray[np.float64],
) -> str:
    last = f"{exponents[0]:.3f} at Xi - Xi_c = {distance[0]:.0e}"
    return (
        "-1/ln Gamma by Eq. (E3), N = 10, K = 10, gamma = 1e-3; s = 0.5, d = 1, which the paper "
        "does not give. The 1/3 of the paper is an effective exponent: for Gamma from N K^-N = "
        f"1e-9 to 1e-5, the shaded band, a free fit gives {free.exponent:.3f} with Xi_c = "
        f"{free.Xi_c:.3f}, and 1/3 fits within {third.rms:.1%}; other bands give other exponents. "
        f"It is not asymptotic: the linewidth vanishes at Xi_c = {Xi_c:.3f}, below the band and "
        "below what the fit says, as (Xi - Xi_c)^(1/2), and the local exponent of -1/ln Gamma "
        f"goes to zero ({last}). That part lies outside the theory's own window, Gamma > N K^-N."
    )


def _inverse_log(log10_Gamma: xr.DataArray) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.asarray(-1 / (log10_Gamma.values * LN10))


def _over(ds: xr.Dataset) -> float:
    """Return -1/ln Gamma of (C5) over that of the solution at Xi ln K - 1 = 1."""
    at = ds.sel(eps=0.5, method="nearest")
    return float(at.log10_Gamma / at.log10_Gamma_C5)


def _x_c(ds: xr.Dataset) -> float:
    eps_c = float(ds.eps_c)
    return eps_c / (1 - eps_c)


def _label(
    figure: go.Figure, x: float, y: float, text: str, *, size: int = 12, xanchor: str = "center"
) -> None:
    """Write at (x, y), of which y, and for an axis of frequencies x, is on a logarithmic axis."""
    at = np.log10(x) if xanchor == "left" else x
    style = {"showarrow": False, "xanchor": xanchor, "font": {"size": size}}
    figure.add_annotation(x=at, y=np.log10(y), text=text, **style)


def _finished(figure: go.Figure, title: str) -> go.Figure:
    return figure.update_layout(
        title=title, template="plotly_white", legend={"orientation": "h", "y": -0.2}
    )


def _request(
    axes: Mapping[str, Any], fixed: Mapping[str, Any], variant: str = "E3"
) -> dict[str, Any]:
    return {
        "models": [MODEL],
        "axes": axes,
        "fixed": fixed,
        "options": {MODEL: {"variant": variant}},
    }


def _eps(start: float, stop: float, number: int) -> list[float]:
    """Return eps at even steps of x = Xi ln K - 1."""
    values: list[float] = eps_of_x(np.linspace(start, stop, number)).tolist()
    return values


LIKE_FIG8 = {"K": 3, "N": 10, "s": 0.5, "d": 1}
LIKE_FIG7 = {"K": 10, "N": 10, "s": 0.5, "d": 1, "gamma": 1e-3}

reproductions = (
    Reproduction(
        name="gopalakrishnan-fig2",
        title="Lineshape of a localized level with slow neighbours",
        source=f"{PAPER}, Fig. 2",
        requests={
            "line": {
                "models": ["lineshape"],
                "axes": {"omega": {"geomspace": [0.1, 1e4, 251]}},
                "fixed": {"Gamma_b": 1, "J": 1000, "s": 1, "xi": 4, "d": 1},
            }
        },
        draw=draw_lineshape,
    ),
    Reproduction(
        name="gopalakrishnan-fig5",
        title="Phase boundary of coupled quantum dots",
        source=f"{PAPER}, Fig. 5",
        requests={
            "boundary": _request(
                {
                    "eps": _eps(-0.45, 0.8, 126),
                    "N": [10, 20, 40],
                    "s": {"list": [0.5, 0.25, 0.125], "along": "N"},
                },
                {"K": 3, "d": 1, "gamma": 0.1},
                "E1",
            )
        },
        draw=draw_boundary,
    ),
    Reproduction(
        name="gopalakrishnan-fig6",
        title="Linewidth near the transition for two couplings",
        source=f"{PAPER}, Fig. 6",
        requests={
            "couplings": _request({"eps": _eps(-0.04, 2.0, 205), "gamma": [1e-4, 1e-2]}, LIKE_FIG8)
        },
        draw=draw_two_couplings,
    ),
    Reproduction(
        name="gopalakrishnan-fig7",
        title="How the linewidth vanishes at the transition",
        source=f"{PAPER}, Fig. 7",
        requests={
            "wide": _request({"eps": {"linspace": [0.0485, 0.65, 1204]}}, LIKE_FIG7),
            "near": _request(
                {"eps": [EPS_C + by for by in np.geomspace(1e-8, 0.3, 61).tolist()]}, LIKE_FIG7
            ),
        },
        draw=draw_critical,
    ),
    Reproduction(
        name="gopalakrishnan-fig8",
        title="Linewidth of the nearly localized metal and its saddle point",
        source=f"{PAPER}, Fig. 8",
        requests={
            label: _request({"eps": {"linspace": [0.01, 0.85, 85]}}, {**LIKE_FIG8, "gamma": 0.1}, v)
            for label, v in (("sum", "E3"), ("integral", "integral"))
        },
        draw=draw_saddle_point,
    ),
)
