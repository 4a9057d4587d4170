"""How fast stored sweeps of 10^6 and 10^7 cells answer over REST."""

from __future__ import annotations

import time

import numpy as np

from benchmarks.report import Row
from benchmarks.served import Served, scratch, served
from benchmarks.sweep import request

COMMAND = "python -m benchmarks"
QUERIES = {
    "point": ("variables=kappa_sd&d=2&alpha=3&beta=3&T=1e-4&W=2&nearest=true", 10.0),
    "slice over T": ("variables=kappa_sd&d=2&alpha=3&beta=3&W=2&nearest=true", 20.0),
    "plane (alpha, beta)": ("variables=kappa_sd&d=2&T=1e-4&W=2&nearest=true", 60.0),
}


def rows(
    points: tuple[int, int, int, int] = (20, 25, 50, 20),
    huge: tuple[int, int, int, int] = (20, 25, 200, 50),
    repeats: int = 30,
) -> list[Row]:
    """Return the median time of each query in milliseconds, of a client on this machine."""
    with scratch() as folder, served(folder / "service") as service:
        return [row for size in (points, huge) for row in _rows(service, size, repeats)]


def _rows(service: Served, points: tuple[int, int, int, int], repeats: int) -> list[Row]:
    sweep = service.client.submit(request(points)).wait()
    cells = sweep.status()["cells"]["total"]
    found = []
    for name, (query, bar) in QUERIES.items():
        times = []
        for _ in range(repeats):
            began = time.perf_counter()
            service.client.get(f"/v1/sweeps/{sweep.id}/data?{query}")
            times.append(time.perf_counter() - began)
        what = f"{name} of {cells:,} cells over REST, median ms"
        found.append(Row(what, 1e3 * float(np.median(times)), bar, "lower", COMMAND))
    return found
