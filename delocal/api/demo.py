"""The demonstration: a service on embedded defaults, a real sweep over REST, what came out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import xarray as xr
from rich.console import Console
from rich.table import Table

from delocal.api.client import connect
from delocal.api.serving import serving
from delocal.service import figures
from delocal.service.fits import fit
from delocal.service.settings import Settings

REQUEST: dict[str, Any] = {
    "models": ["scaling"],
    "name": "demo: the four channels over (d, alpha, beta, T, W)",
    "axes": {
        "d": [2, 3],
        "alpha": {"linspace": [2.2, 6.0, 20]},
        "beta": {"linspace": [2.2, 6.0, 20]},
        "T": {"geomspace": [1e-6, 1e-2, 41]},
        "W": {"geomspace": [1, 4, 9]},
    },
    "exclude": [{"alpha": {"lt": "beta"}}],
    "fixed": {"t": 0.02, "V": 0.02, "rho": 1},
}
# The same dipoles by Monte Carlo: R1(T) where resonances, counted one by one, suffice.
MEASURED: dict[str, Any] = {
    "models": ["network"],
    "name": "demo: R1(T) of dipoles in d = 2 by Monte Carlo",
    "axes": {"T": {"geomspace": [1e-6, 1e-4, 5]}},
    "fixed": {"d": 2, "alpha": 3, "beta": 3, "W": 1, "t": 0.02, "V": 0.02, "rho": 1},
    "sampling": {"replicas": 16},
}
# Gutman et al. (2016), Eqs. (S-B.9) and (S-B.10), and (27), (28): exponents of T and W.
PAPER = {
    (2, 3, 3): {
        "kappa_opt": ("7", "-18"),
        "kappa_ps": ("5", "-12"),
        "kappa_s": ("4", "-9"),
        "kappa_sd": ("3", "-6"),
    },
    (3, 3, 3): {
        "kappa_opt": ("4/3", "-20/3"),
        "kappa_ps": ("4/3", "-16/3"),
        "kappa_s": ("4/3", "-3"),
        "kappa_sd": ("4/3", "-8/3"),
    },
}


def show(output: Path, console: Console) -> None:
    """Run the demonstration, print its table, and write its page into `output`."""
    output.mkdir(parents=True, exist_ok=True)
    with serving(Settings(data=output / "data")) as (url, service):
        console.print(f"service at {url} ({service.executor.description})", highlight=False)
        with connect(url) as client:
            sweep, measured = client.submit(REQUEST), client.submit(MEASURED)
            status = sweep.wait().status()
            ds = sweep.open()["scaling"].to_dataset().load()
            network = measured.wait().open()["network"].to_dataset().load()
        counts = ", ".join(f"{n:,} {what}" for what, n in status["cells"].items())
        console.print(f"sweep {sweep.id} is {status['state']}: {counts}", highlight=False)
        store = service.sweeps.store(sweep.id).zarr_path.resolve()
    console.print(exponent_table(ds))
    page = output / "demo.html"
    page.write_text(figures.page("delocal: demonstration", _figures(ds, network)))
    console.print(
        f"dataset  {store}/scaling\nfigures  {page.resolve()}", soft_wrap=True, highlight=False
    )


def exponent_table(ds: xr.Dataset) -> Table:
    """Return the exponents of each channel: fitted to the sweep, exact, and as printed."""
    table = Table("(d, alpha, beta)", "channel", "over", "fit", "exact", "paper")
    for (d, alpha, beta), channels in PAPER.items():
        here = ds.sel(d=d).sel(alpha=alpha, beta=beta, method="nearest")
        for name, printed in channels.items():
            for over, fixed, paper in (("T", "W", printed[0]), ("W", "T", printed[1])):
                found = fit(here.isel({fixed: 0}), name, over)
                table.add_row(
                    f"({d}, {alpha}, {beta})",
                    name,
                    over,
                    f"{found.exponent.item():.6f}",
                    f"{found.exact.item():.6f}",
                    paper,
                )
    return table


def _figures(ds: xr.Dataset, network: xr.Dataset) -> list[go.Figure]:
    shown = [figures.phase_diagram(d, cells=ds.sel(d=d)) for d in (2, 3)]
    for d in (2, 3):
        here = ds.sel(d=d).sel(alpha=3, beta=3, method="nearest").isel(W=0)
        shown.append(figures.Plots(here).kappa())
    kappa = kappa_measured(network)
    shown[-2].add_scatter(
        x=kappa["T"],
        y=kappa.kappa,
        error_y={"array": kappa.kappa_stderr},
        mode="markers",
        name="kappa_sd: with R1(T) by Monte Carlo",
    )
    return shown


def kappa_measured(network: xr.Dataset) -> xr.Dataset:
    """Return kappa_sd = T (t rho / W)**2 R1(T)**(d - 2 alpha + 2) of a measured R1(T), with error.

    Gutman et al. (2016), Eq. (77).
    """
    p = network.delocal.with_errors("R1")
    kappa = p["T"] * (p.t * p.rho / p.W) ** 2 * p.R1 ** (p.d - 2 * p.alpha + 2)
    found: xr.Dataset = kappa.to_dataset(name="kappa").delocal.without_errors()
    return found
