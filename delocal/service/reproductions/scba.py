"""Figures of Basko, Aleiner and Altshuler: laws of the linewidths, sigma(T), the Lorenz number."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from delocal.service.figures import PALETTE
from delocal.service.reproduce import Drawn, Reproduction, Trees

GREY = "#888888"
LOG = {"type": "log", "dtick": 1, "exponentformat": "power"}


def draw_linewidths(trees: Trees) -> Drawn:
    """Draw P_n(Gamma) for three orders, below and above T_c."""
    ds = trees["linewidths"]["linewidths"].to_dataset()
    figure = go.Figure()
    for T, dash, phase in ((0.7, "solid", "insulator"), (1.3, "dash", "metal")):
        for i, n in enumerate(ds.n.values):
            law = ds.sel(T_over_Tc=T, n=n)
            figure.add_scatter(
                x=law.Gamma.values,
                y=law.P_n.values,
                name=f"n = {n}, T = {T} T<sub>c</sub>, {phase}",
                line={"color": PALETTE[i], "dash": dash},
            )
            peak = law.P_n.argmax("Gamma")
            figure.add_scatter(
                x=[law.Gamma[peak].item()],
                y=[law.P_n[peak].item()],
                mode="markers",
                marker={"color": PALETTE[i], "symbol": "circle-open" if T > 1 else "circle"},
                showlegend=False,
            )
    figure.update_layout(
        title="Linewidths in order n of the linearised equation",
        xaxis={"title": "linewidth Gamma / eta", "range": [-2, 3]},
        yaxis={"title": "probability density eta P<sub>n</sub>(Gamma)", "range": [-4, 0.7]},
        legend={"x": 0.98, "xanchor": "right", "y": 0.98},
        template="plotly_white",
    )
    figure.update_xaxes(LOG).update_yaxes(LOG)
    return Drawn(_caption_of_linewidths(ds), figure)


def _caption_of_linewidths(ds: xr.Dataset) -> str:
    peaks = ds.Gamma.values[ds.P_n.argmax("Gamma").values] / ds.gamma_n.values
    ends = ds.log10_P_n.isel(Gamma=[-2, -1]).diff("Gamma").squeeze("Gamma")
    tail = ends / np.diff(np.log10(ds.Gamma.values[-2:]))
    typical = {
        T: ", ".join(f"{g:.3g}" for g in ds.gamma_n.sel(T_over_Tc=T).values) for T in (0.7, 1.3)
    }
    return (
        f"Eq. (27) for n = 1, 2, 3 with C1 = 1. Typical widths gamma_n/eta are {typical[0.7]} at "
        f"0.7 T_c and {typical[1.3]} at 1.3 T_c: from order to order the law moves to smaller "
        "widths in the insulator and to larger ones in the metal, as the paper says. Read "
        f"off the data: the maxima (circles) lie at {peaks.min():.3f} to {peaks.max():.3f} gamma_n "
        f"(exact: 2/3), and at the right end the slope is {tail.min().item():.2f} to "
        f"{tail.max().item():.2f} (exact: -3/2, so that there is no mean). The curves "
        "follow from the equation up to eta and C1, which set the units; they were not compared "
        "with the printed ones point by point, and both axes are logarithmic here. In the metal "
        "the sum over n diverges: the law of the total width needs the nonlinear equations."
    )


def draw_conductivity(trees: Trees) -> Drawn:
    """Draw sigma(T): insulator, power law and saturation, and the review's scales beside them."""
    ds = trees["temperature"]["scba-temperature"].to_dataset()
    T, sigma, phase = ds["T"].values, ds.sigma_ratio.values, ds.phase.values
    figure = go.Figure()
    for chosen, name, dash in (
        (phase >= 2, "metal", "solid"),
        (phase == 1, "extrapolated: linewidths are broad", "dot"),
    ):
        figure.add_scatter(
            x=np.where(chosen, T, np.nan),
            y=np.where(chosen, sigma, np.nan),
            name=name,
            line={"color": PALETTE[0], "dash": dash, "width": 3},
        )
    metal = ds.sigma_ratio_review.values > 0
    figure.add_scatter(
        x=T[metal],
        y=ds.sigma_ratio_review.values[metal],
        name="as the review sketches it, ~ T up to delta/lam<sup>2</sup>",
        line={"color": PALETTE[3], "dash": "dash"},
    )
    _mark_scales(figure, ds)
    figure.update_layout(
        title="Conductivity of weakly interacting localized electrons, lam = 1e-4, M = 50",
        xaxis={"title": "temperature T / delta", "range": [0, 9]},
        yaxis={"title": "conductivity sigma / sigma<sub>inf</sub>", "range": [-8, 0.3]},
        legend={"x": 0.98, "xanchor": "right", "y": 0.05},
        template="plotly_white",
    )
    figure.update_xaxes(LOG).update_yaxes(LOG)
    return Drawn(_caption_of_conductivity(ds), figure)


def _mark_scales(figure: go.Figure, ds: xr.Dataset) -> None:
    """Shade the insulator, and mark the temperatures of the theory and those of the review."""
    lowest, T_c = ds["T"].values[0], ds.T_c_slides.values[0]
    figure.add_vrect(x0=lowest, x1=T_c, fillcolor=GREY, opacity=0.2, line_width=0)
    # Plotly wants the logarithm where it places text.
    middle = np.log10(lowest * T_c) / 2
    figure.add_annotation(
        x=middle, y=-4, text="insulator, sigma = 0", textangle=-90, showarrow=False
    )
    for name, label, colour in (
        ("T_c_slides", "T<sub>c</sub>", PALETTE[7]),
        ("T_in", "T<sub>in</sub>", PALETTE[0]),
        ("T_saturation", "(delta T<sub>el</sub>)<sup>1/2</sup>", PALETTE[0]),
        ("T_in_review", "delta/lam", PALETTE[3]),
        ("T_el_review", "delta/lam<sup>2</sup>", PALETTE[3]),
    ):
        at = ds[name].values[0]
        figure.add_vline(x=at, line={"color": colour, "width": 1, "dash": "dash"})
        figure.add_annotation(
            x=np.log10(at),
            y=1,
            yref="paper",
            yanchor="bottom",
            text=label,
            font={"color": colour},
            showarrow=False,
        )


def _caption_of_conductivity(ds: xr.Dataset) -> str:
    scale = {name: float(ds[name][0]) for name in ds if str(name).startswith("T_")}
    ln_T, ln_sigma = np.log(ds["T"].values), np.log(np.where(ds.phase > 0, ds.sigma_ratio, np.nan))
    slope = np.gradient(ln_sigma, ln_T)
    at = [np.argmin(np.abs(ln_T - np.log(scale[name]))) for name in ("T_in", "T_saturation")]
    half = np.exp(np.interp(np.log(0.5), ln_sigma[ds.phase.values > 0], ln_T[ds.phase.values > 0]))
    return (
        f"sigma(T) in d = 1 with I = 0.1 and M = 50. As in the paper, sigma vanishes below T_c "
        f"(here {scale['T_c_slides']:.3g} delta, from the slides' equation with c = 1), grows as a "
        "power of T and saturates. Read off the data: d ln sigma / d ln T is "
        f"{slope[at[0]]:.2f} at T_in = {scale['T_in']:.3g} delta and {slope[at[1]]:.2f} at "
        f"sqrt(delta T_el) = {scale['T_saturation']:.3g} delta, and sigma reaches half its limit "
        f"at {half:.3g} delta. What does not agree: the review's Fig. 5 and Eqs. (22), (23) put "
        f"the saturation at delta/lam**2 = {scale['T_el_review']:.3g} delta, which is "
        f"{scale['T_el_review'] / scale['T_saturation']:.2g} times higher; the slides' T**2 law, "
        "which follows from the model, meets its limit at sqrt(delta T_el), of the order "
        "delta/lam. The dashed curve is the review's sketch with the exponent 1, with which "
        "sigma ~ lam**2 T would reach the limit at delta/lam**2. T_in is delta/(sqrt(6) pi M lam); "
        f"the slides print {scale['T_in_slides']:.3g} delta, with 6, and the review delta/lam. "
        "Between T_c and T_in (dotted) linewidths are broadly distributed and the formula of the "
        "metal is extrapolated: neither paper says how sigma vanishes at T_c."
    )


def draw_lorenz(trees: Trees) -> Drawn:
    """Draw the Lorenz number over u, in a chain and in the effective medium."""
    ds = trees["crossover"]["scba"].to_dataset()
    figure = go.Figure()
    for i, d in enumerate(ds.d.values):
        name = "d = 1, exact" if d == 1 else f"d = {d}, effective medium"
        figure.add_scatter(
            x=1 / np.sqrt(ds.u.values),
            y=ds.lorenz_ratio.sel(d=d).values,
            name=name,
            line={"color": PALETTE[i], "dash": ("solid", "dash", "dot")[i]},
        )
    chain = ds.sel(d=1)
    hot = chain.sel(u=slice(None, 1.0))
    figure.add_scatter(
        x=1 / np.sqrt(hot.u.values),
        y=1 + (2 / 3 - 14 / 5 + 24 / np.pi**2) * hot.u.values,
        name="slides, 1 + 0.298 delta T<sub>el</sub>/T<sup>2</sup>",
        line={"color": PALETTE[3], "dash": "longdash"},
    )
    cold = chain.lorenz_ratio.values[-1]
    figure.add_hline(
        y=192 * 0.915965594177219**2 / np.pi**4,
        line={"color": GREY, "dash": "dot"},
        annotation={"text": "slides, 192 G<sup>2</sup>/pi<sup>4</sup>"},
        annotation_position="bottom right",
    )
    figure.update_layout(
        title="Lorenz number of the non-ergodic metal",
        xaxis={"title": "temperature T / (delta T<sub>el</sub>)<sup>1/2</sup>", **LOG},
        yaxis={"title": "Lorenz number 3 e<sup>2</sup> kappa / (pi<sup>2</sup> sigma T)"},
        legend={"x": 0.98, "xanchor": "right", "y": 0.9},
        template="plotly_white",
    )
    slope = (chain.lorenz_ratio.values[0] - 1) / chain.u.values[0]
    middle = ds.lorenz_ratio.sel(u=1, method="nearest").values
    caption = (
        "Lorenz number over that of Wiedemann and Franz. Both limits of the slides come out of "
        f"one function: at the hot end (L/L0 - 1) / u is {slope:.4f} (2/3 - 14/5 + 24/pi**2 = "
        f"0.2984; printed as 0.3), at the cold end L/L0 is {cold:.4f} (192 G**2/pi**4 = 1.6537). "
        f"Between them, which the slides leave out, it falls monotonically with T, with "
        f"{middle[0]:.4f} where T**2 = delta T_el. In d = 2 and 3 the limits are the same; the "
        f"effective medium crosses over at lower T, with {middle[1]:.4f} and {middle[2]:.4f}."
    )
    return Drawn(caption, figure)


reproductions = (
    Reproduction(
        name="basko-fig4",
        title="Laws of the linewidths on both sides of the metal-insulator transition",
        source="Basko, Aleiner, Altshuler (2006), Fig. 4",
        requests={
            "linewidths": {
                "models": ["linewidths"],
                "axes": {
                    "Gamma": {"geomspace": [1e-2, 1e4, 601]},
                    "T_over_Tc": [0.7, 1.3],
                    "n": [1, 2, 3],
                },
            }
        },
        draw=draw_linewidths,
    ),
    Reproduction(
        name="basko-fig5",
        title="Conductivity over temperature, from the insulator to the metal",
        source="Basko, Aleiner, Altshuler (2006), Fig. 5",
        requests={
            "temperature": {
                "models": ["scba-temperature"],
                "axes": {"T": {"geomspace": [1, 1e9, 721]}},
                "fixed": {"lam": 1e-4, "M": 50, "I": 0.1},
            }
        },
        draw=draw_conductivity,
    ),
    Reproduction(
        name="basko-lorenz",
        title="Violation of the Wiedemann-Franz law in the non-ergodic metal",
        source="Basko, Aleiner, Altshuler (2005), slide on the Lorentz number",
        requests={
            "crossover": {
                "models": ["scba"],
                "axes": {"u": {"geomspace": [1e-4, 1e4, 401]}, "d": [1, 2, 3]},
            }
        },
        draw=draw_lorenz,
    ),
)
