"""Flip-flops per second of one core: in static energies, and where every hop shifts energies."""

from __future__ import annotations

import time

import numpy as np

from benchmarks.report import Row
from delocal.physics.disorder import Ensemble, stream
from delocal.physics.transport.flip_flop_kernels import Drive, attempt
from delocal.physics.transport.flip_flops import Rule, draw_sample

COMMAND = "python -m benchmarks"
MARKS = {5000: 8e5, 40_000: 3.3e5}
"""Hops per core-second of a public code in C++ for hopping between as many static states."""
NEIGHBOURS = 60
R0 = 2.0


def rows(sizes: tuple[int, ...] = (5000, 40_000), attempts: int = 10_000_000) -> list[Row]:
    """Return hops per second of one core.

    Static: energies so close that all pairs are in resonance, as every state can be reached in a
    hopping code. Shifting: W = 144 in d = 3, where one attempt in some hundred is a hop.
    """
    found = []
    for spins in sizes:
        hops, tried = _speed(spins, 1e-3, False, attempts)
        name = f"flip-flops, {spins} spins: "
        found.append(
            Row(f"{name}static, hops per core-s", hops, MARKS.get(spins), "higher", COMMAND)
        )
        hops, tried = _speed(spins, 144.0, True, attempts)
        found += [
            Row(f"{name}shifting, hops per core-s", hops, None, "higher", COMMAND),
            Row(f"{name}shifting, attempts per core-s", tried, None, "higher", COMMAND),
        ]
    return found


def _speed(spins: int, W: float, shifts: bool, attempts: int) -> tuple[float, float]:
    """Return hops and attempts per second."""
    rng = stream("benchmark", spins)
    ensemble = Ensemble(d=3, alpha=3, beta=3, T=W / 2, W=W)
    reach = 2 * R0 if shifts else (NEIGHBOURS / (4 * np.pi / 3)) ** (1 / 3)
    rule = Rule("resonant", R0, 3.0, reach)
    sample = draw_sample(ensemble, rule, spins ** (1 / 3), rng, shifts=shifts)
    spin = rng.choice(np.array([-1, 1], np.int8), sample.energies.size)
    field = sample.fields(spin)
    run = sample.pairs, spin, field, Drive(0.1)
    attempt(*run, 1000, rng)  # compiled
    began = time.perf_counter()
    _, hops = attempt(*run, attempts, rng)
    seconds = time.perf_counter() - began
    return hops / seconds, attempts / seconds
