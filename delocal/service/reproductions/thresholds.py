"""N2 at percolation by definition of the network: what "N2 ~ 1" of the theory stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from delocal.physics.thresholds import Estimate
from delocal.service.analysis import percolation_threshold
from delocal.service.reproduce import Drawn, Reproduction, Trees


@dataclass(frozen=True)
class Case:
    """One row: a network, the boxes whose curves cross, and where to look."""

    ranges: tuple[float, float, float]
    link: str
    curve: str
    boxes: tuple[float, ...]
    density: float
    width: float
    replicas: int

    @property
    def label(self) -> str:
        """Name of its sweep."""
        ranges = "-".join(f"{value:g}" for value in self.ranges)
        return "-".join([ranges, self.link, *(f"{box:g}" for box in self.boxes)])

    @property
    def request(self) -> dict[str, Any]:
        """The sweep that the row is made from."""
        return {
            "models": ["percolation"],
            "axes": {"box": list(self.boxes)},
            "fixed": {
                **dict(zip(("d", "alpha", "beta"), self.ranges, strict=True)),
                "density": self.density,
                "width": self.width,
            },
            "options": {"percolation": {"interaction": self.link}},
            "sampling": {"replicas": self.replicas},
        }

    def row(self, trees: Trees) -> dict[str, str]:
        """Return the threshold as it is printed."""
        found = percolation_threshold(trees[self.label], self.curve)
        numbers = (found.density.rounded, found.peak.rounded, found.degree.rounded)
        return self._row(self.boxes, numbers, f"{CURVES[self.curve]} {found.crossing.rounded}")

    def rows_by_box(self, trees: Trees) -> list[dict[str, str]]:
        """Return what there is at the middle of the window, box by box."""
        ds = trees[self.label]["percolation"].to_dataset().load()
        rows = []
        for box in self.boxes:
            here = ds.sel(box=box)
            degree, curve = (
                Estimate(float(value), float(error)).rounded
                for value, error in (
                    (here.degree, here.degree_stderr),
                    (here[self.curve].sel(x=0), here[f"{self.curve}_stderr"].sel(x=0)),
                )
            )
            numbers = (f"{self.density:g}, given", f"{float(here.N2_peak):.3f}", degree)
            rows.append(self._row((box,), numbers, f"none; {CURVES[self.curve]} {curve}"))
        return rows

    def _row(
        self, boxes: tuple[float, ...], numbers: tuple[str, str, str], crossing: str
    ) -> dict[str, str]:
        density, N2, degree = numbers
        return {
            "(d, alpha, beta)": "({:g}, {:g}, {:g})".format(*self.ranges),
            "link": self.link,
            "boxes": ", ".join(f"{box:g}" for box in boxes),
            "rho'": density,
            "N2": N2,
            "degree": degree,
            "crossing": crossing,
        }


CURVES = {"either": "wrapping", "second_to_first": "s2/s1"}
CASES = (
    Case((2, 3, 3), "cut", "either", (16, 64), 1.475, 0.04, 24_000),
    Case((3, 3, 3), "cut", "either", (12, 36), 0.676, 0.05, 5_000),
    Case((2, 3, 3), "as-printed", "either", (16, 64), 1.631, 0.06, 8_000),
    Case((3, 3, 3), "as-printed", "either", (12, 36), 0.747, 0.06, 3_000),
    Case((1, 1.5, 1.5), "tail", "second_to_first", (8192, 65536), 0.230, 0.2, 4_000),
    Case((2, 3, 3), "tail", "second_to_first", (128, 512), 0.153, 0.2, 4_000),
    Case((2, 2.5, 2.5), "tail", "second_to_first", (256, 1024), 0.056, 0.2, 4_000),
    Case((2, 3, 2.5), "tail", "second_to_first", (64, 256), 0.062, 0.3, 4_000),
    Case((2, 3, 3), "four-spin", "second_to_first", (32, 128), 0.221, 0.2, 4_000),
)
WITHOUT = Case((3, 3, 3), "tail", "second_to_first", (16, 32, 64, 128), 0.012, 0.2, 2_000)
"""beta = d: at one density, ever larger boxes come ever closer to percolation."""
CAPTION = (
    "Reduced density rho' = rho_ps R2*^d, largest N2(R1, R2) over R2, and mean number of resonant "
    "partners of a pseudo-spin at the percolation threshold of dilute pseudo-spins, with standard "
    "errors from a bootstrap over replicas. Gutman et al. set N2 = 1. Links: `cut` is V/r^beta "
    "within R2*, `as-printed` their Eq. (19), `tail` V/r^beta up to half the box, `four-spin` the "
    "four Sz Sz terms with random signs. The cut network in d = 2 has the degree of overlapping "
    "discs, 4.512, and the wrapping probability 0.6905 of ordinary percolation; in d = 3 the "
    "degree of overlapping spheres is 2.735. Where beta = d the tail leaves no threshold: at one "
    "density (the last rows) the degree grows by the plateau of N2 with each doubling of the box, "
    "until the largest cluster is all there is. Since a "
    "pseudo2-spin splits and couples as a pseudo-spin with alpha = beta, the rows with alpha = "
    "beta are the thresholds N3 of dilute pseudo2-spins as well. Cite as: delocal, `delocal "
    "reproduce thresholds`, with the version and the seed that the datasets carry."
)


def draw(trees: Trees) -> Drawn:
    """Tabulate the thresholds."""
    rows = [case.row(trees) for case in CASES]
    return Drawn(CAPTION, table=(*rows, *WITHOUT.rows_by_box(trees)))


def _requests() -> Mapping[str, Mapping[str, Any]]:
    return {case.label: case.request for case in (*CASES, WITHOUT)}


reproductions = (
    Reproduction(
        name="thresholds",
        title="N2 at percolation, by definition of the network",
        source="Gutman et al. (2016), Eqs. (10), (19) and (21), whose prefactors these are",
        requests=_requests(),
        draw=draw,
    ),
)
