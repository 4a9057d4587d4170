"""Search along one parameter for where a Monte Carlo estimate crosses a number.

An estimate is above or below the target only if it differs from it by more than `CLEAR` standard
errors. The bracket between two clear points is bisected until it is narrow enough, or until its
middle is not clear: then the noise, and no longer the bracket, says how well the crossing is known.
That middle chose itself by its own noise, so that it is left out: a line through two new points,
one on each side of it, has the slope and a first crossing. A third new point there is close enough
for the curve to be the line, and gives the crossing and its standard error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from delocal.workers.refinement import Outcome, Refinement

CLEAR = 3.0  # standard errors: a point is put on the wrong side once in 700 times
STEEP = 4.0  # a line is too long if its ends differ by more than this times what is clear

Side = Literal[-1, 0, 1] | None
Estimate = Callable[[float], tuple[float, float]]
"""Mean and standard error at a point; NaN where there is none."""


@dataclass(frozen=True)
class Point:
    """A point at which the variable was estimated."""

    x: float
    y: float
    stderr: float

    def side(self, target: float) -> Side:
        """Return 1 above the target, -1 below, 0 where noise hides it, None without a value."""
        if not (math.isfinite(self.y) and math.isfinite(self.stderr)):
            return None
        if abs(self.y - target) < CLEAR * self.stderr:
            return 0
        return 1 if self.y >= target else -1


@dataclass
class NoisySearch:
    """The search in one cell; every point is estimated once."""

    estimate: Estimate
    refinement: Refinement
    integer: bool
    seen: dict[float, Point] = field(default_factory=dict)

    @property
    def target(self) -> float:
        """The number that is to be crossed."""
        assert not isinstance(self.refinement.target, str)
        return self.refinement.target

    def run(self) -> dict[str, float]:
        """Refine the first crossing; see `search_exact` for the names."""
        points = [self._at(x) for x in self.refinement.points]
        brackets = self._brackets(points)
        if not brackets:
            return self._found(self._why_none(points), points[0], points[-1], None, 0)
        a, b, outcome, line = self._bisect(*brackets[0])
        crossing = None if line is None else self._crossing(*line)
        return self._found(outcome, a, b, crossing, len(brackets))

    def _at(self, x: float) -> Point:
        if x not in self.seen:
            self.seen[x] = Point(x, *self.estimate(x))
        return self.seen[x]

    def _brackets(self, points: list[Point]) -> list[tuple[Point, Point]]:
        """Return each pair of clear points, one above and one below, with no clear one between."""
        found: list[tuple[Point, Point]] = []
        last: Point | None = None
        for point in points:
            side = point.side(self.target)
            if side is None:
                last = None
            elif side != 0:
                if last is not None and last.side(self.target) != side:
                    found.append((last, point))
                last = point
        return found

    def _why_none(self, points: list[Point]) -> Outcome:
        sides = {point.side(self.target) for point in points}
        if None in sides:
            return Outcome.UNDEFINED
        return Outcome.UNRESOLVED if 0 in sides else Outcome.NO_CROSSING

    def _bisect(
        self, a: Point, b: Point
    ) -> tuple[Point, Point, Outcome, tuple[Point, Point] | None]:
        """Return the last bracket, how it ended, and the two points of the line."""
        while True:
            if self._narrow(a, b):
                return a, b, Outcome.FOUND, (a, b)
            if len(self.seen) >= self.refinement.max_points:
                return a, b, Outcome.MAX_POINTS, (a, b)
            middle = self._at(self._before(b, a, b))
            if middle.side(self.target) is None and len(self.seen) < self.refinement.max_points:
                middle = self._at(self._before(middle, a, b))  # it may be one point only
            side = middle.side(self.target)
            if side is None:
                return a, b, Outcome.UNDEFINED, None
            if side == 0:
                return a, b, *self._line(middle, a, b)
            if side == a.side(self.target):
                a = middle
            else:
                b = middle

    def _line(
        self, middle: Point, a: Point, b: Point
    ) -> tuple[Outcome, tuple[Point, Point] | None]:
        """Set two points around one that is not clear, so far apart that their slope is clear."""
        u_a, u, u_b = (self._on_scale(point.x) for point in (a, middle, b))
        half = CLEAR * middle.stderr * abs((u_b - u_a) / (b.y - a.y))
        best: tuple[Point, Point] | None = None
        while len(self.seen) + 2 <= self.refinement.max_points:
            p = self._at(self._nearest(u - half, math.floor))
            q = self._at(self._nearest(u + half, math.ceil))
            if p.side(self.target) is None or q.side(self.target) is None:
                return Outcome.UNDEFINED, None
            rise, noise = abs(q.y - p.y), math.hypot(p.stderr, q.stderr)
            if rise < CLEAR * noise or rise == 0.0:
                if best is not None or self._is_all(p, q):
                    return (Outcome.WITHIN_ERROR if best else Outcome.UNRESOLVED), best
                half *= 2
            elif rise > STEEP * CLEAR * noise and not self._narrow(p, q):
                best, half = (p, q), half / 2
            else:
                return Outcome.WITHIN_ERROR, (p, q)
        return Outcome.MAX_POINTS, best or (a, b)

    def _nearest(self, u: float, whole: Callable[[float], float] = round) -> float:
        """Return a value of the parameter, within those given, and a whole one if need be."""
        x = float(self.refinement.off_scale(np.asarray(u)))
        if self.integer:
            x = whole(x)
        return float(np.clip(x, self.refinement.points[0], self.refinement.points[-1]))

    def _is_all(self, p: Point, q: Point) -> bool:
        return (p.x, q.x) == (self.refinement.points[0], self.refinement.points[-1])

    def _narrow(self, a: Point, b: Point) -> bool:
        return bool(self.refinement.narrow(*self._ends(a, b), self.integer))

    def _before(self, point: Point, a: Point, b: Point) -> float:
        """Return the middle of a and a point, strictly between a and b."""
        middle = self.refinement.middle(*self._ends(a, point))
        return float(self.refinement.inside(middle, *self._ends(a, b), self.integer))

    @staticmethod
    def _ends(a: Point, b: Point) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(a.x), np.asarray(b.x)

    def _on_scale(self, x: float) -> float:
        return float(self.refinement.on_scale(np.asarray(x)))

    def _crossing(self, p: Point, q: Point) -> tuple[float, float]:
        """Return where the curve crosses the target by the line p q, and the standard error."""
        u_p, u_q = self._on_scale(p.x), self._on_scale(q.x)
        slope = (q.y - p.y) / (u_q - u_p)
        share = (self.target - p.y) / (q.y - p.y)
        u, stderr = u_p + share * (u_q - u_p), math.hypot((1 - share) * p.stderr, share * q.stderr)
        if len(self.seen) < self.refinement.max_points:
            third = self._at(self._nearest(u))
            if third.side(self.target) is not None:
                u = self._on_scale(third.x) - (third.y - self.target) / slope
                stderr = max(stderr, third.stderr)
        if stderr == 0.0:  # equal replicas say nothing of their error; those elsewhere do
            stderr = max(point.stderr for point in self.seen.values())
        x = float(self.refinement.off_scale(np.asarray(u)))
        return x, stderr / abs(slope) * (x if self.refinement.scale == "log" else 1.0)

    def _found(
        self,
        outcome: Outcome,
        a: Point,
        b: Point,
        crossing: tuple[float, float] | None,
        crossings: int,
    ) -> dict[str, float]:
        refined, stderr = crossing or (math.nan, math.nan)
        return {
            "outcome": outcome,
            "refined": refined,
            "refined_stderr": stderr,
            "lower": a.x,
            "upper": b.x,
            "at_lower": a.y,
            "at_upper": b.y,
            "at_lower_stderr": a.stderr,
            "at_upper_stderr": b.stderr,
            "n_evaluations": len(self.seen),
            "n_crossings": crossings,
        }
