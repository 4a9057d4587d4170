"""The scaling theory over random points of the phase diagram.

Each share has its binomial standard error beside it. The points are rational, drawn uniformly
over the box d <= beta <= 2d, beta <= alpha <= 6d, so that exponents are exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from benchmarks.report import Row
from delocal.physics.channels import Channel, exact_dominant_channel
from delocal.physics.parameters import spin_model
from delocal.physics.phase_diagram import Region, region
from delocal.physics.powers import LogArray
from delocal.physics.quantities import QUANTITIES, exponents

COMMAND = "python -m validation"
SEED = 20161
STEP = 1e-3

Point = tuple[int, Fraction, Fraction]


def rows(samples: int = 4000, slopes: int = 400) -> list[Row]:
    """Return the shares of region IIb and IIc that each channel wins, and the largest errors."""
    found: list[Row] = []
    for d in (2, 3):
        iib, iic = _points(d, Region.IIb, samples), _points(d, Region.IIc, samples)
        wins = [exact_dominant_channel(*p, Region.IIb) is Channel.ps for p in iib]
        wrong = sum(won is paper_claim(p) for won, p in zip(wins, iib, strict=True))
        ps2 = [_T("kappa_ps2", p) < _T("kappa_ps", p) for p in iic]
        sd2 = [exact_dominant_channel(*p, Region.IIc) is Channel.sd2 for p in iic]
        found += [
            *_share(f"d = {d}, IIb: share where kappa_ps beats kappa_sd as T -> 0", wins),
            Row(f"d = {d}, IIb: winners against the closed condition", wrong, 0, "lower", COMMAND),
            *_share(f"d = {d}, IIc: share where kappa_ps2 beats kappa_ps as T -> 0", ps2),
            Row(
                f"d = {d}, IIc: share where kappa_sd2 dominates as T -> 0",
                float(np.mean(sd2)),
                1.0,
                "higher",
                COMMAND,
            ),
        ]
    worst = max(_slope_errors(slopes))
    name = "largest |measured slope - declared exponent| / (1 + |exponent|)"
    return [*found, Row(name, worst, 1e-8, "lower", COMMAND)]


def paper_claim(point: Point) -> bool:
    """Whether spectral diffusion beats assisted pseudo-spins as T -> 0, in closed form.

    X (2 beta + d - 2 - alpha) > 2 alpha (alpha - beta), with X = 2 alpha beta - d (alpha + beta).
    """
    d, a, b = point
    X = 2 * a * b - d * (a + b)
    return X * (2 * b + d - 2 - a) > 2 * a * (a - b)


def _share(name: str, events: list[bool]) -> list[Row]:
    share = float(np.mean(events))
    error = math.sqrt(share * (1 - share) / len(events))
    return [
        Row(
            f"{name} (the paper says 0)" if "sd as" in name else name, share, None, "lower", COMMAND
        ),
        Row(
            f"{name}: standard error", error, 0.02 * math.sqrt(4000 / len(events)), "lower", COMMAND
        ),
    ]


def _points(d: int, wanted: Region, number: int) -> list[Point]:
    """Return random rational points of one region, the same for the same seed."""
    rng = np.random.default_rng([SEED, d, wanted])
    points: list[Point] = []
    while len(points) < number:
        beta = Fraction(int(rng.integers(1000 * d + 1, 2000 * d)), 1000)
        alpha = beta + Fraction(int(rng.integers(0, 6000 * d)), 1000)
        if alpha <= 6 * d and region(d, float(alpha), float(beta)) == wanted:
            points.append((d, alpha, beta))
    return points


def _T(name: str, point: Point) -> Fraction:
    return exponents(name, *point)["T"]


def _slope_errors(number: int) -> Iterator[float]:
    """Yield how far each measured logarithmic slope is from the declared exponent."""
    rng = np.random.default_rng([SEED, 1])
    for d, wanted in ((2, Region.IIb), (3, Region.IIb), (2, Region.IIc), (3, Region.IIc)):
        for point in _points(d, wanted, number):
            at = dict(zip("TWtV", 10 ** rng.uniform(-4, 0, 4), strict=True))
            at |= {"rho": 1.3, "L": 40.0}
            for quantity in QUANTITIES.values():
                for letter, declared in exponents(quantity.name, *point).items():
                    measured = _slope(quantity, point, at, letter)
                    yield abs(measured - float(declared)) / (1 + abs(float(declared)))


def _slope(quantity: Any, point: Point, at: dict[str, float], letter: str) -> float:
    logs = []
    for shift in (-STEP, STEP):
        moved = {**at, letter: at[letter] * math.exp(shift)}
        L = LogArray.of(moved.pop("L"))
        logs.append(float(quantity.at(spin_model(*map(float, point), **moved), L).ln))
    return (logs[1] - logs[0]) / (2 * STEP)
