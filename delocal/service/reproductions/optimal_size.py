"""R1(T) measured: its exponent by every sampler, and how shared spins move it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
import xarray as xr

from delocal.service.figures import PALETTE
from delocal.service.fits import fit
from delocal.service.reproduce import Drawn, Reproduction, Trees

NEGLIGIBLE = 0.03  # N1 up to which the bare power law is fitted


@dataclass(frozen=True)
class Case:
    """Some temperatures at one (d, alpha, beta), by one sampler."""

    ranges: tuple[float, float, float]
    W: float
    sampler: str
    box: int
    temperatures: tuple[float, float, int]
    replicas: int

    @property
    def label(self) -> str:
        """Name of its sweep."""
        return f"{self.sampler}-" + "-".join(f"{value:g}" for value in self.ranges)

    @property
    def request(self) -> dict[str, Any]:
        """The sweep that the case is made from."""
        ranges = dict(zip(("d", "alpha", "beta"), self.ranges, strict=True))
        return {
            "models": ["network"],
            "axes": {"T": {"geomspace": list(self.temperatures)}},
            "fixed": {**ranges, "W": self.W, "t": 1, "V": 1},
            "options": {"network": {"sampler": self.sampler, "box": self.box}},
            "sampling": {"replicas": self.replicas},
        }

    def rows(self, ds: xr.Dataset) -> list[dict[str, str]]:
        """Return the fits as they are printed: the bare law, and with the correction."""
        d, alpha, _ = self.ranges
        if self.sampler != "active" or alpha == d:  # no shared spins, or as many at every T
            return [self._row(ds, "", fit(ds, "R1", "T"))]
        few = ds.sel(T=ds["T"][ds.N1 < NEGLIGIBLE])
        return [
            self._row(few, "", fit(few, "R1", "T")),
            self._row(ds, "1 + c N1", fit(ds, "R1", "T", correction="N1")),
        ]

    def _row(self, here: xr.Dataset, correction: str, found: xr.Dataset) -> dict[str, str]:
        return {
            "(d, alpha, beta)": "({:g}, {:g}, {:g})".format(*self.ranges),
            "sampler": self.sampler,
            "T": f"{float(here['T'].max()):.0e} to {float(here['T'].min()):.0e}",
            "N1 up to": f"{float(here.N1.max()):.2g}",
            "law": f"T^zeta {f'({correction})' if correction else ''}".strip(),
            "zeta": f"{found.exponent:.5f} +- {found.exponent_stderr:.5f}",
            "exact": f"{found.exact:.5f}",
            "sigma": f"{found.sigmas:+.1f}",
            "c": self._coefficient(found) if correction else "",
            "chi2": f"{found.chi2 / found.dof:.2f}",
        }

    def _coefficient(self, found: xr.Dataset) -> str:
        c = found.isel(correction=0)
        return f"{c.coefficient:.2f} +- {c.coefficient_stderr:.2f}"


CASES = (
    Case((2, 2.5, 2.5), 20, "active", 32, (1.0, 1e-7, 15), 400),
    Case((2, 3, 3), 20, "active", 32, (1.0, 1e-2, 5), 200),
    Case((3, 3, 3), 100, "active", 16, (1.0, 1e-6, 7), 200),
    Case((1, 1.5, 1.5), 20, "dilute", 1024, (1.0, 1e-12, 13), 64),
    Case((2, 3, 3), 20, "dilute", 64, (1.0, 1e-12, 13), 64),
    Case((2, 2.5, 2.5), 20, "dilute", 64, (1.0, 1e-12, 13), 64),
    Case((2, 3, 2.5), 20, "dilute", 64, (1.0, 1e-12, 13), 64),
    Case((3, 3, 3), 100, "dilute", 16, (1.0, 1e-12, 13), 64),
)
CAPTION = (
    "Exponent of R1(T), where N2(R1, R2*) = 1, by weighted regression over temperature, beside the "
    "exact -beta/((alpha + beta) d - alpha beta). Dilute pseudo-spins have no scale but R2*: that "
    "their exponent is right is exact by scale invariance and tests the code, not the physics. "
    "What the sampler of all active spins adds are pairs that share a spin: more partners, and so "
    "smaller pseudo-spins, by a factor 1 + c N1 with c < 0. Where alpha > d they die out with "
    "temperature and the exponent is that of the theory; where alpha = d = 3, N1 does not depend "
    "on T, and they change the prefactor for good. The figure shows R1 over that of the dilute "
    "network."
)


def draw(trees: Trees) -> Drawn:
    """Tabulate the exponents, and draw what shared spins do to the prefactor."""
    datasets = {case: trees[case.label]["network"].to_dataset().load() for case in CASES}
    rows = [row for case, ds in datasets.items() for row in case.rows(ds)]
    active = {case: ds for case, ds in datasets.items() if case.sampler == "active"}
    return Drawn(CAPTION, _figure(active), tuple(rows))


def _figure(datasets: dict[Case, xr.Dataset]) -> go.Figure:
    figure = go.Figure()
    for i, (case, ds) in enumerate(datasets.items()):
        figure.add_scatter(
            x=ds["T"].values,
            y=(ds.R1 / ds.R1_exact).values,
            error_y={"array": (ds.R1_stderr / ds.R1_exact).values},
            name="d = {:g}, alpha = {:g}, beta = {:g}".format(*case.ranges) + f", W = {case.W:g}",
            mode="markers",
            marker={"color": PALETTE[i], "symbol": i, "size": 9},
        )
    figure.add_hline(y=1, line={"color": "grey", "dash": "dot"})
    return figure.update_layout(
        title="R1(T) of all active spins over that of dilute pseudo-spins",
        xaxis={"title": "T (energy; t = V = 1)", "type": "log", "exponentformat": "power"},
        yaxis_title="R1 / R1 without shared spins",
        template="plotly_white",
    )


reproductions = (
    Reproduction(
        name="optimal-size",
        title="Exponent of the size R1(T) of the optimal pseudo-spins",
        source="Gutman et al. (2016), Eq. (21)",
        requests={case.label: case.request for case in CASES},
        draw=draw,
    ),
)
