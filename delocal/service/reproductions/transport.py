"""kappa(T) of the power-law model: every channel with prefactor 1, and with what was measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from delocal.service.figures import PALETTE
from delocal.service.fits import fit
from delocal.service.reproduce import Drawn, Reproduction, Trees

MODEL = "golden-rule-network"
COLD = {"alpha": 3, "beta": 3, "W": 1.0, "t": 0.02, "V": 0.02, "rho": 1.0}
TEMPERATURES = {"geomspace": [1e-5, 1e-2, 3]}
ESTIMATED = {
    "kappa_opt": "optimal network, (23)",
    "kappa_ps": "pseudo-spins, (36)",
    "kappa_s": "spins, (S-A.9)",
    "kappa_sd": "spectral diffusion, (77)",
}
MEASURED = ("kappa_ps", "kappa_s")


@dataclass(frozen=True)
class Network:
    """Where a universal number is measured."""

    d: tuple[int, ...]
    rmax: float = 3.0
    kernel: str = "box"
    nodes: int = 4000
    temperatures: Any = field(default_factory=lambda: [1e-4])
    replicas: int = 16

    @property
    def request(self) -> dict[str, Any]:
        """The sweep that it is measured by."""
        return {
            "models": [MODEL],
            "axes": {"d": list(self.d), "T": self.temperatures},
            "fixed": {**COLD, "rmax": self.rmax, "nodes": self.nodes},
            "options": {MODEL: {"kernel": self.kernel}},
            "sampling": {"replicas": self.replicas},
        }

    def rows(self, ds: xr.Dataset) -> list[dict[str, str]]:
        """Return C by dimension, as it is printed."""
        return [
            {
                "number": f"C({d}, 6, {self.kernel})",
                "hops up to": f"{self.rmax:g} r12",
                "simulated": _with_error(*_mean(ds.sel(d=d), "C_s_inside")),
                "tail": f"{ds.tail_s.sel(d=d).item():.3f}",
                "C": _with_error(*_mean(ds.sel(d=d), "C_s")),
            }
            for d in self.d
        ]


NETWORKS = {
    "network": Network((2, 3), temperatures=TEMPERATURES),
    "far": Network((3,), rmax=4.0, nodes=6000),
    "gaussian": Network((2,), kernel="gaussian"),
}


def draw(trees: Trees) -> Drawn:
    """Draw kappa(T) at (2,3,3) and (3,3,3), and tabulate the universal numbers."""
    estimates = trees["estimates"]["scaling"].to_dataset().load()
    networks = {label: trees[label][MODEL].to_dataset().load() for label in NETWORKS}
    strip = trees["strip"]["golden-rule-strip"].to_dataset().load()
    rows = [row for label, ds in networks.items() for row in NETWORKS[label].rows(ds)]
    rows += [_end_to_end(strip)]
    return Drawn(_caption(networks["network"], strip), _figure(estimates, networks), tuple(rows))


def _end_to_end(ds: xr.Dataset) -> dict[str, str]:
    return {
        "number": "C(2, 6, box) from all energies at T = "
        f"{ds.T_over_E_star.item():.3g} E*, pseudo-spins",
        "hops up to": "3 r12",
        "simulated": "",
        "tail": f"{ds.tail_C.item():.3f}",
        "C": _with_error(ds.C_energy.item(), ds.C_energy_stderr.item()),
    }


def _mean(ds: xr.Dataset, name: str) -> tuple[float, float]:
    """Return the mean over temperatures, which C does not depend on, and its error."""
    value, error = ds[name], ds[f"{name}_stderr"]
    return float(value.mean()), float(((error**2).sum()) ** 0.5 / value.size)


def _with_error(value: float, error: float) -> str:
    return f"{value:.3f} +- {error:.3f}"


def _caption(ds: xr.Dataset, strip: xr.Dataset) -> str:
    two, three = (_with_error(*_mean(ds.sel(d=d), "C_s")) for d in (2, 3))
    law = fit(ds.sel(d=2), "kappa_s", "T")
    exponent = _with_error(law.exponent.item(), law.exponent_stderr.item())
    factors = [float(ds.prefactor_s.sel(d=d).mean()) for d in (2, 3)]
    return (
        "kappa(T) at alpha = beta = 3 in d = 2 and 3, for t = V = 0.02 W and rho = 1. Lines: the "
        "estimates of the paper, with prefactor 1; points: with the prefactor of the resistor "
        f"network. It is C = {two} (d = 2) and {three} (d = 3), hops beyond rmax added; so kappa_s "
        f"is {factors[0]:.1f} and {factors[1]:.1f} times (S-A.9). The statistical error is that "
        "of replicas. Systematic errors are larger: a Gaussian factor of energies in place of the "
        "box has C 1.5 times as large in d = 2; E* itself is an estimate, and kappa_s goes as its "
        "factor to the power 1 (d = 2) and 1/3 (d = 3). By construction: every exponent (a fit "
        f"gives T^({exponent}) for kappa_s in d = 2, where {law.exact.item():g} was put in), and "
        "T^(4/3) in d = 3, which is dimensional analysis. Tested: "
        "that one number C serves all energies and both channels, by networks of all excitations "
        "at one temperature (last row). There pseudo-spins conserve their number, which takes "
        f"{100 * strip.drag.item():.0f} % of the flow of heat away at T = "
        f"{strip.T_over_E_star.item():.0f} E*. Failed: that correction depends on the lower end "
        "of energies, E*, and is not local there. The channel of spectral diffusion, which "
        "dominates, has prefactor 1 here. Cite C with d, the exponent of the rate (2 alpha), the "
        "kernel, and the version of the model."
    )


def _figure(estimates: xr.Dataset, networks: dict[str, xr.Dataset]) -> go.Figure:
    figure = make_subplots(1, 2, subplot_titles=("(2, 3, 3)", "(3, 3, 3)"))
    for column, d in enumerate((2, 3), 1):
        for colour, (name, label) in zip(PALETTE, ESTIMATED.items(), strict=False):
            here = estimates.sel(d=d)
            figure.add_scatter(
                x=here["T"].values,
                y=here[name].values,
                name=f"{label}, prefactor 1",
                line={"color": colour, "dash": "dash"},
                legendgroup=name,
                showlegend=column == 1,
                row=1,
                col=column,
            )
            if name in MEASURED:
                found = networks["network"].sel(d=d)
                figure.add_scatter(
                    x=found["T"].values,
                    y=found[name].values,
                    error_y={"array": found[f"{name}_stderr"].values},
                    name=f"{label}, with C",
                    mode="markers",
                    marker={"color": colour, "size": 9},
                    legendgroup=name,
                    showlegend=column == 1,
                    row=1,
                    col=column,
                )
    figure.update_xaxes(title="T / W", type="log", exponentformat="power")
    figure.update_yaxes(title="kappa (W, rho**(-1/d) = 1)", type="log", exponentformat="power")
    return figure.update_layout(
        title="Thermal conductivity by channel", template="plotly_white", width=1100, height=520
    )


reproductions = (
    Reproduction(
        name="transport",
        title="Thermal conductivity by channel, with prefactors",
        source="Gutman et al. (2016), Eqs. (23), (36), (77), (S-A.9)",
        requests={
            "estimates": {
                "models": ["scaling"],
                "axes": {"d": [2, 3], "T": {"geomspace": [1e-5, 1e-2, 31]}},
                "fixed": COLD,
            },
            **{label: network.request for label, network in NETWORKS.items()},
            "strip": {
                "models": ["golden-rule-strip"],
                "fixed": {"d": 2, "alpha": 3, "beta": 3, "W": 0.8, "t": 1, "V": 1, "T": 0.16},
                "options": {"golden-rule-strip": {"channel": "pseudo-spins"}},
                "sampling": {"replicas": 8},
            },
        },
        draw=draw,
    ),
)
