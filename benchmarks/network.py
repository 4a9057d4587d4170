"""How much faster pseudo-spins are drawn as they come than found among all active spins."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.report import Row
from delocal.physics.counting import pseudospin_density
from delocal.physics.disorder import Ensemble, sample_active_spins, stream
from delocal.physics.pseudospins import PseudoSpins, sample_dilute, sample_pseudospins
from delocal.physics.splittings import size_where

COMMAND = "python -m benchmarks"


def rows(spins: int = 2_000_000, pseudospins: int = 200_000, repeats: int = 3) -> list[Row]:
    """Return nanoseconds per pseudo-spin of size R1(T), and their ratio, both in this run.

    About `spins` active spins and `pseudospins` are drawn; the best of `repeats`, compiled
    before.
    """
    cases = [
        ("(2, 3, 3), W=20, T=0.01", Ensemble(2, 3, 3, T=0.01, W=20), 5000.0),
        ("(3, 3, 3), W=100, T=1", Ensemble(3, 3, 3, T=1, W=100), 15.0),
    ]
    found = []
    for name, ensemble, bar in cases:
        R1 = size_where(ensemble, 1.0)
        all_spins = _ns(lambda e, R, n: _found(e, R, n, spins), ensemble, R1, repeats)
        density = float(pseudospin_density(ensemble, R1))
        box = max((pseudospins / density) ** (1 / ensemble.d), 4 * R1)
        dilute = _ns(lambda e, R, n: _drawn(e, R, n, box), ensemble, R1, repeats)  # noqa: B023
        found += [
            Row(f"pseudo-spins {name}: ns each, found", all_spins, None, "lower", COMMAND),
            Row(f"pseudo-spins {name}: ns each, drawn", dilute, None, "lower", COMMAND),
            Row(f"pseudo-spins {name}: speed-up", all_spins / dilute, bar, "higher", COMMAND),
        ]
    return found


def _found(ensemble: Ensemble, R1: float, replica: int, spins: int) -> PseudoSpins:
    box = max((spins / ensemble.active_density) ** (1 / ensemble.d), 4 * R1)
    drawn = sample_active_spins(ensemble, box, stream("benchmark", replica))
    return sample_pseudospins(drawn, ensemble, R1)


def _drawn(ensemble: Ensemble, R1: float, replica: int, box: float) -> PseudoSpins:
    return sample_dilute(ensemble, R1, box, stream("benchmark", replica))


def _ns(
    draw: Callable[[Ensemble, float, int], PseudoSpins],
    ensemble: Ensemble,
    R1: float,
    repeats: int,
) -> float:
    """Return the least time per pseudo-spin: the time of a box over the mean number in a box."""
    draw(ensemble, R1, 0)
    best, count = float("inf"), 0
    for replica in range(repeats):
        began = time.perf_counter()
        drawn = draw(ensemble, R1, replica)
        best = min(best, time.perf_counter() - began)
        count += len(drawn)
    return best / max(count / repeats, 1) * 1e9
