"""Universal numbers of energy transport: the sweeps that measure them, and how they are printed.

C is the diffusion coefficient of a resistor network of golden-rule rates, F that of spectral
diffusion in units of Eq. (77) at infinite temperature, N2c the density at which the optimal
network conducts. Each stands with its statistical error and with what moves it beyond that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import xarray as xr

from delocal.physics.level_flow import NU_ORTHOGONAL
from delocal.physics.models import load_models
from delocal.physics.thresholds import Estimate
from delocal.service.reproduce import Trees
from delocal.service.reproductions.optimal_network import (
    BOXES,
    critical_density,
    label_of,
    requests_of,
)

NETWORK, DIFFUSION, OPTIMAL = "golden-rule-network", "spectral-diffusion", "optimal-network"
STRIP = "golden-rule-strip"
DISORDER = 144
"""W over t rho and V rho: in d = 3 blocks have 8 spins there, and F is on its plateau."""
COLD = {"alpha": 3, "beta": 3, "W": 1.0, "t": 1 / DISORDER, "V": 1 / DISORDER, "rho": 1.0}
TEMPERATURES = {"geomspace": [1e-5, 1e-2, 3]}
BLOCK_SHARES = (1.5, 2, 3, 4, 5)
"""Of c in d = 2, where F is a function of it."""
SHARE_AT_N2C = 1.55
"""R1/R0 where there are N2c pseudo-spins between R0 and 2 R0 in R0**d, d = 3."""
FEWER_SPINS = 56
"""W over t rho and V rho where hops begin at R1/`SHARE_AT_N2C`: blocks have 15 spins there."""
Row = dict[str, str]
Datasets = Mapping[str, xr.Dataset]


@dataclass(frozen=True)
class Network:
    """Where C is measured."""

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
            "models": [NETWORK],
            "axes": {"d": list(self.d), "T": self.temperatures},
            "fixed": {**COLD, "rmax": self.rmax, "nodes": self.nodes},
            "options": {NETWORK: {"kernel": self.kernel}},
            "sampling": {"replicas": self.replicas},
        }

    def rows(self, ds: xr.Dataset) -> list[Row]:
        """Return C by dimension."""
        return [self._row(d, ds.sel(d=d)) for d in self.d]

    def _row(self, d: int, here: xr.Dataset) -> Row:
        inside, tail = mean_of(here, "C_s_inside").rounded, here.tail_s.item()
        return row(
            f"C({d}, 6), {self.kernel} kernel",
            mean_of(here, "C_s").rounded,
            "the kernel" if d == 2 else "the kernel; 1 to 2 % with the reach of hops",
            f"{self.nodes} nodes; {inside} by hops up to {self.rmax:g} r12, tail {tail:.3f}",
            NETWORK,
        )


NETWORKS = {
    "network": Network((2, 3), temperatures=TEMPERATURES),
    "far": Network((3,), rmax=4.0, nodes=6000),
    "gaussian kernel": Network((2,), kernel="gaussian"),
}


@dataclass(frozen=True)
class Variant:
    """Another rule or cut of the process in d = 3, no worse justified than the default."""

    label: str
    what: str
    fixed: Mapping[str, float] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def request(self) -> dict[str, Any]:
        """The sweep that F is measured by."""
        fixed = {**COLD, "d": 3, "T": 1e-3, **self.fixed}
        return _diffusion(20, fixed=fixed, options=self.options)


VARIANTS = (
    Variant("wide", "window E0 at least", options={"rule": "wide"}),
    Variant("golden-rule", "window E0, rate J**2/E0", options={"rule": "golden-rule"}),
    Variant("assisted", "close pairs as slow as Eq. (32)", options={"rule": "assisted"}),
    Variant("gaussian hopping", "Gaussian t_ij", options={"hopping": "gaussian"}),
    Variant("cap 1", "cap 1 E0", {"cap": 1.0}),
    Variant("cap 10", "cap 10 E0", {"cap": 10.0}),
    Variant("short", "hops beyond R0 by their mean", {"Rmax": 1.0}),
)


def _diffusion(replicas: int, **request: Any) -> dict[str, Any]:
    options = request.pop("options", {})
    return {
        "models": [DIFFUSION],
        **request,
        "options": {DIFFUSION: dict(options)},
        "sampling": {"replicas": replicas},
    }


def requests() -> dict[str, dict[str, Any]]:
    """Return the sweeps that the numbers are measured by, by label."""
    weak = {"t": 1 / FEWER_SPINS, "V": 1 / FEWER_SPINS, "c": SHARE_AT_N2C, "Rmin": 1.0}
    whole_band = {"d": 2, "alpha": 3, "beta": 3, "T": 0.25, "W": 1.0, "rho": 1.0}
    cases = [{"c": c, "t": 1 / (4 * c), "V": 1 / (4 * c)} for c in BLOCK_SHARES]
    return {
        **{label: network.request for label, network in NETWORKS.items()},
        "strip": {
            "models": [STRIP],
            "fixed": {"d": 2, "alpha": 3, "beta": 3, "W": 0.8, "t": 1, "V": 1, "T": 0.16},
            "options": {STRIP: {"channel": "pseudo-spins"}},
            "sampling": {"replicas": 8},
        },
        "diffusion": _diffusion(24, axes={"T": TEMPERATURES}, fixed={**COLD, "d": 3}),
        **{variant.label: variant.request for variant in VARIANTS},
        "far hops alone": _diffusion(12, fixed={**COLD, **weak, "d": 3, "T": 1e-3}),
        "plane": _diffusion(
            16,
            cases=cases,
            fixed={**whole_band, "Rmin": 1.0, "box": 5.0},
            options={"positions": "lattice"},
        ),
        **requests_of(3),
    }


def load(trees: Trees) -> dict[str, xr.Dataset]:
    """Return the dataset of each of the `requests`, by label."""
    return {
        label: trees[label][request["models"][0]].to_dataset().load()
        for label, request in requests().items()
    }


def mean_of(ds: xr.Dataset, name: str) -> Estimate:
    """Return the mean over all cells of what is the same in each, and its error."""
    value, error = ds[name], ds[f"{name}_stderr"]
    return Estimate(float(value.mean()), float(((error**2).sum()) ** 0.5 / value.size))


@dataclass(frozen=True)
class Span:
    """The smallest and the largest of several numbers, by which nothing else decides."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Span:
        """Return the span of `values`."""
        found = list(values)
        return cls(min(found), max(found))

    def __str__(self) -> str:
        low, high = (float(f"{end:.3g}") for end in (self.low, self.high))
        return f"{low:g} to {high:g}"

    def around(self, value: float) -> str:
        """Return how far the span reaches above and below a value in it, as (+a/-b)."""
        return f"(+{self.high - value:.2g}/-{value - self.low:.2g})"


def prefactors_over_rules(ds: Datasets) -> Span:
    """Return the systematic error of kappa_sd over Eq. (77), d = 3: what rules and cuts make it."""
    return _over_rules(ds, "prefactor")


def _over_rules(ds: Datasets, name: str) -> Span:
    labels = ("diffusion", *(variant.label for variant in VARIANTS))
    return Span.of(mean_of(ds[label], name).value for label in labels)


def prefactors_over_c(ds: Datasets) -> Span:
    """Return kappa_sd over Eq. (77) in d = 2 for the smallest and the largest c."""
    return Span.of(ds["plane"].prefactor.values.tolist())


def row(number: str, value: str, beyond: str, measured: str, model: str) -> Row:
    """Return one line of the table; a model is cited with its version."""
    version = f"{model} {load_models()[model].version}" if model else ""
    return {
        "number": number,
        "value": value,
        "systematic": beyond,
        "measured at": measured,
        "model, version": version,
    }


def rows_of_C(ds: Datasets) -> list[Row]:
    """Return C by dimension and kernel, and that of energies all together."""
    strip = ds["strip"]
    found = Estimate(strip.C_energy.item(), strip.C_energy_stderr.item())
    all_energies = row(
        "C(2, 6), box kernel, energies all together",
        found.rounded,
        "1 to 5 % with the box",
        f"pseudo-spins at T = {strip.T_over_E_star.item():.3g} E*",
        STRIP,
    )
    return [line for label, n in NETWORKS.items() for line in n.rows(ds[label])] + [all_energies]


def rows_of_F(ds: Datasets) -> list[Row]:
    """Return F in three dimensions by rule, and in two by its convention."""
    main = ds["diffusion"]
    F = _over_rules(ds, "F")
    tail = float((main.D_tail * main.F / main.D).mean())
    at = f"W = {DISORDER} V rho, c = 2.6"
    alone = ds["far hops alone"]
    return [
        row(
            "F(3, 3, 3)",
            mean_of(main, "F").rounded,
            f"{F} over the rules and cuts below",
            f"{at}, rate and window J, cap 3 E0; {tail:.2f} of it tail",
            DIFFUSION,
        ),
        *(
            row(f"F(3, 3, 3), {v.what}", mean_of(ds[v.label], "F").rounded, "", at, DIFFUSION)
            for v in VARIANTS
        ),
        row(
            f"F(3, 3, 3), hops of R1/{SHARE_AT_N2C:g} and more alone",
            mean_of(alone, "F").rounded,
            "a convention: E* of the optimal network at N2c",
            f"W = {FEWER_SPINS} V rho, c = {SHARE_AT_N2C:g}, cap 3 E0",
            DIFFUSION,
        ),
        *(_row_of_c(ds["plane"].isel(case=i)) for i in range(ds["plane"].sizes["case"])),
    ]


def _row_of_c(here: xr.Dataset) -> Row:
    c, M = here.c.item(), here.M.item()
    return row(
        f"F(2, 3, 3; c = {c:g})",
        mean_of(here, "F").rounded,
        "a convention: no limit in c",
        f"hops of R1/{c:g} and more, lattice, M = {M:.0f}, cap 3 E0",
        DIFFUSION,
    )


def rows_of_N2c(ds: Datasets) -> list[Row]:
    """Return the critical density of the optimal network."""
    critical, chi2 = critical_density({L: ds[label_of(3, L)] for L in BOXES[3]})
    return [
        row(
            "N2c(3)",
            critical.rounded,
            "the laws of energies and hopping",
            f"boxes of {' and '.join(map(str, BOXES[3]))} R2*, uniform laws of Fig. 4, collapse "
            f"with nu = {NU_ORTHOGONAL:g}, chi2 = {chi2:.1f} per degree of freedom",
            OPTIMAL,
        )
    ]
