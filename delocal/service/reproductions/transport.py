"""kappa(T) of the power-law model: every channel with prefactor 1, and with what was measured."""

from __future__ import annotations

from dataclasses import dataclass

import plotly.graph_objects as go
import xarray as xr
from plotly.colors import hex_to_rgb
from plotly.subplots import make_subplots

from delocal.physics.thresholds import Estimate
from delocal.service.figures import PALETTE
from delocal.service.fits import fit
from delocal.service.reproduce import Drawn, Reproduction, Trees
from delocal.service.universal_numbers import (
    BLOCK_SHARES,
    COLD,
    DIFFUSION,
    DISORDER,
    NETWORK,
    SHARE_AT_N2C,
    Datasets,
    Row,
    Span,
    load,
    mean_of,
    prefactors_over_c,
    prefactors_over_rules,
    requests,
    row,
    rows_of_C,
    rows_of_F,
    rows_of_N2c,
)

DIMENSIONS = (2, 3)


@dataclass(frozen=True)
class Channel:
    """How a channel of the theory is named and drawn.

    Parameters
    ----------
    name
        Its variable in the model `scaling`.
    what, equation
        What carries the heat, and the estimate with prefactor 1.
    colour, symbol
        Of its lines, and of its points if its prefactor is measured.
    """

    name: str
    what: str
    equation: str
    colour: str
    symbol: str = ""


OPTIMAL = Channel("kappa_opt", "optimal network", "(23)", PALETTE[0])
PSEUDO = Channel("kappa_ps", "pseudo-spins", "(36)", PALETTE[1], "square")
SINGLE = Channel("kappa_s", "spins", "(S-A.9)", PALETTE[2], "diamond")
SPECTRAL = Channel("kappa_sd", "spectral diffusion", "(77)", PALETTE[3], "circle")
CHANNELS = (SPECTRAL, SINGLE, PSEUDO, OPTIMAL)


def draw(trees: Trees) -> Drawn:
    """Draw kappa(T) at (2,3,3) and (3,3,3), and tabulate prefactors and universal numbers."""
    ds = load(trees)
    estimates = trees["estimates"]["scaling"].to_dataset().load()
    rows = [*_prefactors(ds), *rows_of_C(ds), *rows_of_F(ds), *rows_of_N2c(ds)]
    return Drawn(_caption(ds), _figure(estimates, ds), tuple(rows))


def _prefactors(ds: Datasets) -> list[Row]:
    """Return kappa of each channel over its estimate, in d = 2 and 3."""
    return [line for d in DIMENSIONS for line in _prefactors_in(d, ds)]


def _prefactors_in(d: int, ds: Datasets) -> list[Row]:
    here = ds["network"].sel(d=d)
    middle = here.isel(T=here.sizes["T"] // 2)
    power = f"lam^{'1' if d == 2 else '(1/3)'}"
    beyond = f"the kernel; {power} where E* is lam times (24)"
    T = f"T = {middle['T'].item():.2g} W"

    def of(channel: Channel) -> str:
        return f"{channel.name} over {channel.equation}, ({d}, 3, 3)"

    return [
        row(of(OPTIMAL), "1", "not measured", "", ""),
        row(
            of(PSEUDO),
            mean_of(middle, "prefactor_ps").rounded,
            beyond,
            f"{T}; it varies with ln T",
            NETWORK,
        ),
        row(of(SINGLE), mean_of(here, "prefactor_s").rounded, beyond, "any T", NETWORK),
        _spectral_in(d, ds, of(SPECTRAL)),
    ]


def _spectral_in(d: int, ds: Datasets, name: str) -> Row:
    if d == 2:
        span = f"{prefactors_over_c(ds)}"
        at = f"hops of R1/c and more, c = {BLOCK_SHARES[0]:g} to {BLOCK_SHARES[-1]:g}"
        return row(name, "none", f"{span}, by convention", at, DIFFUSION)
    found, beyond = mean_of(ds["diffusion"], "prefactor"), prefactors_over_rules(ds)
    return row(name, found.rounded, f"{beyond} over rules and cuts", "any T", DIFFUSION)


def _caption(ds: Datasets) -> str:
    return "\n\n".join([_shown(ds), _spectral(ds), _by_construction(ds), *_tested(ds), CITE])


def _shown(ds: Datasets) -> str:
    two, three = (ds["network"].sel(d=d) for d in DIMENSIONS)
    return (
        f"kappa(T) at alpha = beta = 3 in d = 2 and 3, for t = V = W/{DISORDER} and rho = 1. "
        "Dashed: the estimates of the paper, with prefactor 1, for every channel of the theory "
        "there. Points: with the prefactor that was measured, bars smaller than they are. Bands: "
        "what rules and conventions make of it, the systematic error. Resistor networks give "
        f"C = {mean_of(two, 'C_s').rounded} (d = 2) and {mean_of(three, 'C_s').rounded} (d = 3), "
        f"so that kappa_s is {mean_of(two, 'prefactor_s').rounded} and "
        f"{mean_of(three, 'prefactor_s').rounded} times (S-A.9); a Gaussian factor of energies in "
        "place of the box has 1.5 times that C in d = 2, and E* is itself an estimate, with the "
        "power of lam in the table if it is lam times that."
    )


def _spectral(ds: Datasets) -> str:
    found, beyond = mean_of(ds["diffusion"], "prefactor"), prefactors_over_rules(ds)
    alone = mean_of(ds["far hops alone"], "prefactor").rounded
    return (
        f"Spectral diffusion in d = 3 has kappa_sd = {found.rounded} {beyond.around(found.value)} "
        "x Eq. (77): the first error is statistical, by the default rule; the second says that the "
        f"rules and cuts of the table, none of them better founded, make it {beyond}. If hops "
        f"shorter than R1/{SHARE_AT_N2C:g} are forbidden, which is the size of the optimal network "
        f"at N2c, it is {alone}. In d = 2 T^3 W^-6 of Eq. (83) is not independently reproduced: F "
        "depends on how close pairs hop and has no limit; the band is F(c) of hops of R1/c and "
        f"more on a lattice, {prefactors_over_c(ds)} x Eq. (77) for c = {BLOCK_SHARES[0]:g} to "
        f"{BLOCK_SHARES[-1]:g}, a convention."
    )


def _by_construction(ds: Datasets) -> str:
    law = fit(ds["network"].sel(d=2), "kappa_s", "T")
    exponent = Estimate(law.exponent.item(), law.exponent_stderr.item()).rounded
    return (
        f"By construction: the exponents of kappa_s and kappa_ps (a fit gives T^{exponent} for "
        f"kappa_s in d = 2, where {law.exact.item():g} was put in); T^(4/3) in d = 3 for every "
        "channel, which is dimensional analysis; kappa_sd = F pi^2/3 4^(beta (2 alpha - d - 2)/D) "
        "x Eq. (77), an identity, with R1(T) of Eq. (21): another prefactor of R1 is one of F, "
        "and changes kappa by its cuts alone; the half of F that is the analytic tail; F(c) in "
        "d = 2 at any W."
    )


def _tested(ds: Datasets) -> tuple[str, str, str]:
    strip = ds["strip"]
    return (
        "Tested: one number C serves all energies and both channels, by networks of all "
        "excitations at one temperature; static samples of the process conduct as Kirchhoff says, "
        "and without shifts nothing is carried; D ~ W^(-1.28 +- 0.01 +- 0.03), where theory has "
        "-4/3, and 1/tau ~ W^(-1.99 +- 0.01 +- 0.08), -2, over a factor of 8 in W by `make slow`.",
        "Failed: an exponent of W in d = 2; a limit of rates of close pairs; the correction by "
        "the conserved number of pseudo-spins, which takes "
        f"{100 * strip.drag.item():.0f} % of the flow of heat away at T = "
        f"{strip.T_over_E_star.item():.0f} E* and depends on the lower end of energies, E*.",
        "Untested: quantum coherence, and the prefactor of the optimal network.",
    )


CITE = (
    "To cite a number: its name with all that the column of conditions has, both errors, "
    "model and version, and the entries of `ds.delocal.cite()`; the sweeps are in "
    "`transport.sweeps.json`. A number with 'convention' beside it is one of its convention only."
)


def _figure(estimates: xr.Dataset, ds: Datasets) -> go.Figure:
    titles = [f"({d}, 3, 3)" for d in DIMENSIONS]
    figure = make_subplots(1, 2, subplot_titles=titles, horizontal_spacing=0.1)
    for column, d in enumerate(DIMENSIONS, 1):
        where = {"row": 1, "col": column}
        here = estimates.sel(d=d)
        figure.add_trace(_band(here, _span(d, ds), shown=d == 3), **where)
        for channel in CHANNELS:
            figure.add_trace(_estimate(here, channel, shown=d == 2), **where)
        for channel, found, name in _measured(d, ds):
            figure.add_trace(_points(found, channel, name, shown=d == 3), **where)
    figure.update_xaxes(title="T / W", type="log", dtick=1, exponentformat="power")
    figure.update_yaxes(type="log", exponentformat="power", title_standoff=8)
    figure.update_yaxes(title="kappa / (W rho<sup>(d - 2)/d</sup>)", col=1)
    return figure.update_layout(
        title="Thermal conductivity by channel",
        template="plotly_white",
        width=1100,
        height=640,
        legend={"orientation": "h", "y": -0.15, "entrywidth": 250},
    )


def _span(d: int, ds: Datasets) -> Span:
    return prefactors_over_c(ds) if d == 2 else prefactors_over_rules(ds)


def _measured(d: int, ds: Datasets) -> list[tuple[Channel, xr.Dataset, str]]:
    """Return the channels with a measured prefactor, their dataset, and their variable in it."""
    network = ds["network"].sel(d=d)
    found = [(channel, network, channel.name) for channel in (SINGLE, PSEUDO)]
    return found if d == 2 else [(SPECTRAL, ds["diffusion"], "kappa"), *found]


def _band(estimates: xr.Dataset, span: Span, *, shown: bool) -> go.Scatter:
    """Return the span of kappa_sd as an area."""
    T, kappa = estimates["T"].values, estimates[SPECTRAL.name].values
    red, green, blue = hex_to_rgb(SPECTRAL.colour)
    return go.Scatter(
        x=[*T, *T[::-1]],
        y=[*(span.low * kappa), *(span.high * kappa)[::-1]],
        fill="toself",
        fillcolor=f"rgba({red}, {green}, {blue}, 0.3)",
        line={"width": 0},
        hoverinfo="skip",
        name="spectral diffusion, any rule",
        legendgroup="band",
        showlegend=shown,
    )


def _estimate(estimates: xr.Dataset, channel: Channel, *, shown: bool) -> go.Scatter:
    return go.Scatter(
        x=estimates["T"].values,
        y=estimates[channel.name].values,
        mode="lines",
        name=f"{channel.what}, {channel.equation}",
        line={"color": channel.colour, "dash": "dash"},
        legendgroup=channel.name,
        showlegend=shown,
    )


def _points(ds: xr.Dataset, channel: Channel, name: str, *, shown: bool) -> go.Scatter:
    return go.Scatter(
        x=ds["T"].values,
        y=ds[name].values,
        error_y={"array": ds[f"{name}_stderr"].values},
        mode="markers",
        name=f"{channel.what}, measured",
        marker={"color": channel.colour, "symbol": channel.symbol, "size": 10},
        legendgroup=f"{channel.name} measured",
        showlegend=shown,
    )


reproductions = (
    Reproduction(
        name="transport",
        title="Thermal conductivity by channel, with prefactors",
        source="Gutman et al. (2016), Eqs. (23), (36), (77), (S-A.9)",
        requests={
            "estimates": {
                "models": ["scaling"],
                "axes": {"d": list(DIMENSIONS), "T": {"geomspace": [1e-5, 1e-2, 31]}},
                "fixed": COLD,
            },
            **requests(),
        },
        draw=draw,
    ),
)
