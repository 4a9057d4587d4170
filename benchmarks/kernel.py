"""What one cell of a model costs, without a sweep."""

from __future__ import annotations

import time

import numpy as np

from benchmarks.report import Row
from delocal.physics.models import load_models

COMMAND = "python -m benchmarks"


def rows(side: int = 4) -> list[Row]:
    """Return microseconds per cell for all variables of `scaling`, on one thread.

    On a product of axes, and where every cell has its own (alpha, beta) so that nothing can
    be shared.
    """
    axes = [
        np.array([2.0, 3.0]),
        np.linspace(3.1, 7, 2 * side),
        np.linspace(3.05, 5.9, 2 * side),
        np.geomspace(1e-6, 1e-2, 16 * side),
        np.geomspace(1, 4, 4 * side),
    ]
    product = dict(zip(("d", "alpha", "beta", "T", "W"), np.ix_(*axes), strict=True))
    cells = int(np.prod([axis.size for axis in axes]))
    rng = np.random.default_rng(1)
    beta = rng.uniform(2.1, 4.5, cells)
    distinct = {
        "d": np.array(2.0),
        "alpha": beta + rng.uniform(0, 4, cells),
        "beta": beta,
        "T": np.array(1e-3),
        "W": np.array(1.0),
    }
    fixed = {"t": np.array(0.02), "V": np.array(0.02), "rho": np.array(1.0)}
    return [
        Row("scaling, us per cell, product", _us(product | fixed, cells), 3.0, "lower", COMMAND),
        Row("scaling, us per cell, distinct", _us(distinct | fixed, cells), 3.0, "lower", COMMAND),
    ]


def _us(mesh: dict[str, np.ndarray], cells: int, repeats: int = 5) -> float:
    evaluate = load_models()["scaling"].evaluate
    best = np.inf
    for _ in range(repeats):
        began = time.perf_counter()
        evaluate(mesh, {})
        best = min(best, time.perf_counter() - began)
    return best / cells * 1e6
