"""Linewidths of the nearly localized metal for many dots at once, against one solve for each."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from benchmarks.report import Row
from delocal.physics.coupled_dots import CoupledDots
from delocal.physics.nearly_localized import linewidth

COMMAND = "python -m benchmarks"


def rows(cells: int = 100_000, peer: int = 300, repeats: int = 5) -> list[Row]:
    """Return cells per second of one core for Gamma(E3), and the ratio to scipy's brentq.

    The peer solves the same equation for the same unknown, ln Gamma, cell by cell, with the sum
    over m in numpy and Gamma between exp(-60) and 10. Both are timed in seconds of the processor,
    alternating, the best of `repeats`; compiled before.
    """
    eps, gamma = _points(cells)
    dots = CoupledDots.of(eps, gamma)
    linewidth(dots)
    mine, theirs = float("inf"), float("inf")
    some = slice(None, None, max(cells // peer, 1))
    for _ in range(repeats):
        mine = min(mine, _seconds(lambda: linewidth(dots)) / cells)
        of_peer = _seconds(lambda: one_by_one(eps[some], gamma[some]))
        theirs = min(theirs, of_peer / eps[some].size)
    return [
        Row("Gamma(E3), cells per second and core", 1 / mine, 2e5, "higher", COMMAND),
        Row("Gamma(E3), speed-up over scipy brentq", theirs / mine, 30.0, "higher", COMMAND),
    ]


def one_by_one(eps: NDArray[np.float64], gamma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ln Gamma of Eq. (E3) for K = 3, N = 10, s = 0.5, d = 1, as one writes it first."""
    m = np.arange(2.0, 21.0)
    K_m = 3.0**m

    def excess(ln: float, e: float, g: float) -> float:
        n = 5.0 * np.log(g * K_m)
        terms = (m - 1) * g**2 * K_m ** (2 * e) * n / (1 + (np.exp(ln) * n * K_m) ** 2)
        return float(terms.sum()) - 1

    roots = [
        brentq(excess, -60.0, np.log(10.0), args=(e, g), xtol=1e-14, rtol=4 * np.finfo(float).eps)
        for e, g in zip(eps.tolist(), gamma.tolist(), strict=True)
    ]
    return np.array(roots)


def _points(cells: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(1)
    return rng.uniform(0.02, 0.85, cells), rng.uniform(0.05, 0.2, cells)


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
