"""The threshold of the Bethe lattice: what it takes to know W_c to 0.02."""

from __future__ import annotations

import time

import numpy as np

from benchmarks.report import Row
from delocal.physics import bethe
from delocal.physics.disorder import stream
from delocal.physics.pools import SETTLING, pool_threshold

COMMAND = "python -m benchmarks"
WANTED = 0.02


def rows(
    size: int = 10_000, generations: int = 1000, replicas: int = 4, repeats: int = 3
) -> list[Row]:
    """Return seconds for W_c at K = 2, by the eigenvalue and by population dynamics.

    Pools of `size` are run until their error can be told; it falls as the square root of time,
    which gives the time to an error of 0.02. Their bias, which no time removes, is not counted.
    """
    bethe.critical_disorder(3)  # compiled
    pool_threshold(2, 100, 10, stream("benchmark", replicas))
    exact = min(_exact()[0] for _ in range(repeats))
    W_c, error = _exact()[1:]
    began = time.perf_counter()
    found = [pool_threshold(2, size, generations, stream("benchmark", i)) for i in range(replicas)]
    each = (time.perf_counter() - began) / replicas
    pool = each * (float(np.std(found, ddof=1)) / WANTED) ** 2
    rate = size * (SETTLING + generations) / each
    bias = W_c - float(np.mean(found))
    return [
        Row("Bethe lattice: s for W_c(K=2), first time", exact, 5.0, "lower", COMMAND),
        Row("Bethe lattice: numerical error of W_c", error, WANTED, "lower", COMMAND),
        Row("Bethe lattice: s by a pool for the same error", pool, None, "lower", COMMAND),
        Row("Bethe lattice: speed-up over a pool", pool / exact, 3.0, "higher", COMMAND),
        Row(f"Bethe lattice: bias of a pool of {size}", bias, None, "lower", COMMAND),
        Row("Bethe lattice: pool, site updates per s", rate, 1e7, "higher", COMMAND),
    ]


def _exact() -> tuple[float, float, float]:
    """Return seconds without any cache, W_c and its error."""
    bethe.critical_disorder.cache_clear()
    bethe._rule.cache_clear()
    began = time.perf_counter()
    found = bethe.critical_disorder(2)
    return time.perf_counter() - began, found.W_c, found.error
