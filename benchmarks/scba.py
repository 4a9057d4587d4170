"""The crossover of the non-ergodic metal: cells per second, and scipy.integrate.quad beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.integrate import quad
from scipy.interpolate import CubicSpline
from scipy.special import i0e, i1e

from benchmarks.report import Row
from delocal.physics.crossover import bond_exponent
from delocal.physics.models import load_models

COMMAND = "python -m benchmarks"


def rows(cells: int = 200_000, peers: int = 5) -> list[Row]:
    """Return cells per second on one thread: sigma, kappa and Lorenz number are one cell.

    `cells` values of u from 1e-6 to 1e6. The peers compute sigma alone, to 1e-10, for `peers`
    values of u; the rate of a peer is halved, for sigma and kappa.
    """
    u = np.geomspace(1e-6, 1e6, cells)
    rates = {
        f"{method}, d = {d}": _rate(u, d, method)
        for method, d in (("pade", 1), ("quadrature", 1), ("quadrature", 3))
    }
    bars = {"pade, d = 1": 1e5, "quadrature, d = 1": 2e3}
    found = [
        Row(f"scba {name}: cells per s", rate, bars.get(name), "higher", COMMAND)
        for name, rate in rates.items()
    ]
    some = np.geomspace(1e-2, 1e2, peers)
    for name, peer in (("nested quad", nested_quad), ("quad over a spline", _of_spline())):
        rate = 1 / (2 * _seconds(lambda peer=peer: [peer(x) for x in some]) / peers)
        ratio = rates["quadrature, d = 1"] / rate
        found += [
            Row(f"scba {name}: cells per s", rate, None, "higher", COMMAND),
            Row(f"scba quadrature over {name}", ratio, 100.0, "higher", COMMAND),
        ]
    return found


def nested_quad(u: float) -> float:
    """Return sigma / sigma_inf as the formula reads, an integral of an integral."""

    def exponent(s: float) -> float:
        def integrand(x: float) -> float:
            h = np.cosh(x) ** -2.0
            return float(s * h * (i0e(u * s * h) + i1e(u * s * h)))

        return quad(integrand, 0, 60, epsabs=0, epsrel=1e-11, limit=200)[0]

    return float(1 / quad(lambda s: np.exp(-exponent(s)), 0, np.inf, epsrel=1e-10)[0])


def _of_spline() -> Callable[[float], float]:
    """Return the same with the inner integral once and for all: a spline of ln F over ln y."""
    ln_y = np.linspace(-40, 40, 4001)
    ln_F = CubicSpline(ln_y, np.log(bond_exponent("sigma", np.exp(ln_y))[0]))

    def ratio(u: float) -> float:
        def integrand(v: float) -> float:
            return float(np.exp(v - np.exp(ln_F(v)) / u))

        low, high = np.log(u) - 25, max(np.log(u), 2 * np.log(u)) + 8
        points = [np.log(u), np.log(u) + 3]
        return float(u / quad(integrand, low, high, points=points, epsrel=1e-10, limit=200)[0])

    return ratio


def _rate(u: np.ndarray, d: int, method: str) -> float:
    evaluate = load_models()["scba"].evaluate
    parameters = {"u": u, "d": np.array(float(d))}
    evaluate({"u": u[:2], "d": np.array(1.0)}, {"method": method})  # compiled, tabulated
    return len(u) / min(_seconds(lambda: evaluate(parameters, {"method": method})) for _ in "123")


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
