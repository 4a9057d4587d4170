"""Thresholds of the hot-cold mixture: closed forms, and roots against one brentq for each cell."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import brentq

from benchmarks.report import Row
from delocal.physics.continuum_disorder import Continuum, level_spacing
from delocal.physics.hot_cold import HotCold, coordination_number, resonance_parameter
from delocal.physics.hot_cold_threshold import closed_height, find_threshold, root_height
from delocal.physics.hot_cold_transport import activation_energy, suppression
from delocal.physics.models import load_models
from delocal.physics.powers import Array, LogArray

COMMAND = "python -m benchmarks"
CLOSED = (("1d", "lorentz"), ("1d", "exponential"), ("2d", "white"), ("2d-field", "white"))
STRENGTH = {"1d": 0.5, "2d": 2.5, "2d-field": 3.5}
TOLERANCE = 4 * np.finfo(float).eps


def rows(cells: int = 20_000, peer_cells: int = 1_000, repeats: int = 5) -> list[Row]:
    """Return cells per second and core of closed forms and of the whole model, and speed-ups.

    Closed forms are eps_th, ln sigma and the activation energy; the model gives all its
    variables. The best of `repeats`. Roots, where there is no closed form, and brentq solve the
    same criterion to the same tolerance in the same bracket; brentq calls a function of plain
    floats that only keeps what depends on the unknown, root_height the functions of the theory.
    """
    found = []
    for geometry, disorder in CLOSED:
        p = _mixtures(geometry, disorder, cells)
        rate = cells / _seconds(lambda p=p: _conduct(p), repeats)
        name = f"hot-cold {geometry} {disorder}: closed forms, cells/s/core"
        found.append(Row(name, rate, 1e6, "higher", COMMAND))
    rate = cells / _seconds(_whole_model(cells), repeats)
    name = "hot-cold 1d lorentz: all variables of the model, cells/s/core"
    found.append(Row(name, rate, 1e6, "higher", COMMAND))
    for geometry, scalar in PEERS:
        p = _mixtures(geometry, "white", cells)
        vectorized = _seconds(lambda p=p: root_height(p, "bare", "bethe"), repeats) / cells
        p = _mixtures(geometry, "white", peer_cells)
        np.testing.assert_allclose(root_height(p, "bare", "bethe").value, scalar(p), rtol=1e-12)
        peer = _seconds(lambda p=p, scalar=scalar: scalar(p), repeats) / peer_cells
        name = f"hot-cold {geometry} white, Bethe:"
        found += [
            Row(f"{name} us per root", 1e6 * vectorized, None, "lower", COMMAND),
            Row(f"{name} us per root, brentq", 1e6 * peer, None, "lower", COMMAND),
            Row(f"{name} speed-up", peer / vectorized, 3.0, "higher", COMMAND),
        ]
    return found


def _mixtures(geometry: Any, disorder: Any, cells: int) -> HotCold:
    """Return cells with T from Delta_c/5 to Delta_c/1e4 and various Fermi energies."""
    eF = np.linspace(1.5, 2.5, cells)
    medium = Continuum.of(disorder, geometry, w=STRENGTH[geometry])
    Delta_c = level_spacing(medium, LogArray.of(eF)).value
    return HotCold.of(medium, T=Delta_c / np.geomspace(5, 1e4, cells), eF=eF)


def _conduct(p: HotCold) -> tuple[LogArray, LogArray]:
    fresh = HotCold(p.medium, p.eF, p.u, p.T)  # nothing remembered
    found = find_threshold(fresh)
    return suppression(fresh, found), activation_energy(fresh, found)


def _whole_model(cells: int) -> Callable[[], Any]:
    model = load_models()["hot-cold"]
    p = _mixtures("1d", "lorentz", cells)
    values = {"T": p.T.value, "eF": p.eF.value, "u": 0.3, "m": 1.0, "w": 0.5, "d": 0.5}
    parameters = {name: np.asarray(value) for name, value in values.items()}
    options = {option.name: option.choices[0] for option in model.options}
    return lambda: model.evaluate(parameters, options)


def _brent(p: HotCold, gain: Callable[..., float], sizes: Array) -> Array:
    """Return ln(eps_th/eF) of eta_hc ln N_eff = 1 by one brentq for each cell.

    `gain` is the growth of ln N_eff, which here is that of ln eta_hc, with the height h.
    """
    etas, counts = resonance_parameter(p, p.eF).ln, coordination_number(p, p.eF).ln
    highs = closed_height(p) * (1 + 1e-9)

    def root(eta: float, N: float, size: float, high: float) -> float:
        def excess(h: float) -> float:
            grown = gain(h, size)
            return eta + grown + math.log(max(1.0, N + grown))

        return float(brentq(excess, 0.0, high, xtol=1e-300, rtol=TOLERANCE))

    cells = zip(etas.tolist(), counts.tolist(), sizes.tolist(), highs.tolist(), strict=True)
    return np.array([root(*cell) for cell in cells])


def _brent_in_a_plane(p: HotCold) -> Array:
    """White noise in 2D: xi_h**2 grows as h + y_F (exp(h) - 1); m = 1, so that tau = 1/w."""
    return _brent(
        p, lambda h, y_F: h + y_F * math.expm1(h), 2 * math.pi * p.eF.value / STRENGTH["2d"]
    )


def _brent_in_a_field(p: HotCold) -> Array:
    """The same with a magnetic field: h + y_F (exp(2 h) - 1)/2."""
    y_F = (2 * math.pi * p.eF.value / STRENGTH["2d-field"]) ** 2
    return _brent(p, lambda h, y_F: h + y_F * math.expm1(2 * h) / 2, y_F)


def _seconds(work: Callable[[], Any], repeats: int) -> float:
    work()
    best = math.inf
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


PEERS = (("2d", _brent_in_a_plane), ("2d-field", _brent_in_a_field))
