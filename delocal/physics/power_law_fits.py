"""Power laws fitted to many curves at once: weighted regression in logarithms, with corrections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

TOLERANCE = 0.01
"""The relative deviation up to which a point without an error lies on a power law."""
SPARE = 2
"""Degrees of freedom that a window has at least."""
STEPS = 60
HALVINGS = 30
PLACES = ("first", "last")
ROUNDING = 1e-9  # of chi2, which must not rise by more
STEP_ENDS = 1e-9  # of 1 + sum c s: the step after it would change nothing


@dataclass(frozen=True)
class Curves:
    """Curves y(x) on common points x, in logarithms; a NaN anywhere takes its point out.

    Parameters
    ----------
    ln_x : shape (n,)
        In increasing order, as far as finite.
    ln_y : shape (m, n)
        One row for each curve.
    sigma : shape (m, n), optional
        Standard errors of `ln_y`, that is relative errors of y; only points with one above 0 count.
    terms : shape (m, n, k)
        What vanishes where the power law is exact, one for each coefficient.
    """

    ln_x: Array
    ln_y: Array
    sigma: Array | None
    terms: Array

    @property
    def parameters(self) -> int:
        """How many numbers are fitted to each curve."""
        return 2 + int(self.terms.shape[-1])

    @property
    def usable(self) -> Mask:
        """Which points can be fitted; shape (m, n)."""
        good = np.isfinite(self.ln_x) & np.isfinite(self.ln_y)
        good &= np.isfinite(self.terms).all(axis=-1)
        if self.sigma is not None:
            good &= np.isfinite(self.sigma) & (self.sigma > 0)
        return np.asarray(good)

    def part(self, rows: Any, points: slice) -> Curves:
        """Return some rows, at some points."""
        sigma = None if self.sigma is None else self.sigma[rows, points]
        return Curves(self.ln_x[points], self.ln_y[rows, points], sigma, self.terms[rows, points])


@dataclass(frozen=True)
class PowerLaws:
    """What was fitted; NaN for a curve with no more points than parameters.

    Parameters
    ----------
    exponent, exponent_stderr, ln_a, ln_a_stderr, chi2, deviation : shape (m,)
        `chi2` is the sum of squared residuals over their errors, NaN without errors; `deviation`
        the largest residual of ln y.
    points, first, last : shape (m,)
        How many points were fitted, and the places of the first and the last of them.
    coefficients, coefficients_stderr : shape (m, k)
        Those of the corrections.
    """

    exponent: Array
    exponent_stderr: Array
    ln_a: Array
    ln_a_stderr: Array
    coefficients: Array
    coefficients_stderr: Array
    chi2: Array
    deviation: Array
    points: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]

    @property
    def dof(self) -> NDArray[np.int64]:
        """Degrees of freedom: points less parameters, and 0 where there is no fit."""
        return np.asarray(np.maximum(self.points - 2 - self.coefficients.shape[-1], 0))

    @property
    def p_value(self) -> Array:
        """How likely a `chi2` as large as this is, if law and errors are right."""
        return np.asarray(chdtrc(self.dof, self.chi2))


def fit_power_laws(curves: Curves) -> PowerLaws:
    """Fit ``ln y = ln a + exponent ln x + ln(1 + sum_k c_k s_k)`` to each of the `curves`.

    Least squares, weighted with the errors of the points where they have them: the errors of the
    parameters then follow from theirs alone, else from the scatter of the points. Without
    corrections the problem is linear; with them it is solved by steps of Gauss and Newton from
    c = 0, halved where chi2 would rise or a factor 1 + sum c s would not be positive.

    Examples
    --------
    >>> ln_x = np.log([1.0, 2.0, 4.0])
    >>> curves = Curves(ln_x, 3 * ln_x[np.newaxis], None, np.zeros((1, 3, 0)))
    >>> fit_power_laws(curves).exponent.round(12)
    array([3.])
    """
    usable = curves.usable
    points = usable.sum(axis=1)
    rows = np.flatnonzero(points > curves.parameters)
    found = _blank(curves, points)
    if not rows.size:
        return found
    return _put(found, rows, _fit_rows(curves.part(rows, slice(None)), usable[rows]))


def fit_towards(curves: Curves, end: Literal["low", "high"]) -> PowerLaws:
    """Fit the law that each curve tends to at small x, or at large x: the window is averaged over.

    All windows count that begin at that end and have `SPARE` degrees of freedom, each with the
    weight ``exp(-chi2 / 2 - cut)``, where ``cut`` points are left out: one more point is worth
    having if it adds less than 2 to chi2. Parameters are the weighted means. To the weighted mean
    of their variances comes the variance between windows. `chi2`, `points`, `first` and `last`
    are those of the window with the largest weight. Curves without errors have no chi2: there it
    is the longest window in which no point is further from the law than `TOLERANCE`.

    No rule sees a correction that fades so slowly that it is straight within the errors: then the
    correction must be fitted, as one of the `terms`.

    References
    ----------
    W. I. Jay and E. T. Neil, Phys. Rev. D 103, 114502 (2021), Sec. III, on the choice of points.
    """
    n, least = len(curves.ln_x), curves.parameters + SPARE
    ends = [slice(0, k) if end == "low" else slice(n - k, n) for k in range(least, n + 1)]
    windows = [_shifted(fit_power_laws(curves.part(slice(None), e)), e.start) for e in ends]
    if not windows:
        return _blank(curves, curves.usable.sum(axis=1))
    all_of = {
        field.name: np.stack([getattr(window, field.name) for window in windows])
        for field in fields(PowerLaws)
    }
    known = (all_of["points"] >= least) & np.isfinite(all_of["exponent"])
    if curves.sigma is None:
        fine = known & (all_of["deviation"] <= np.log1p(TOLERANCE))
        weights = fine & (np.cumsum(fine[::-1], axis=0)[::-1] == 1)  # the last that is fine
    else:
        cut = curves.usable.sum(axis=1) - all_of["points"]
        cost = np.where(known, all_of["chi2"] / 2 + cut, np.inf)
        with np.errstate(invalid="ignore"):
            weights = np.where(known, np.exp(cost.min(axis=0) - cost), 0.0)
    return _averaged(all_of, np.asarray(weights, dtype=np.float64))


def _averaged(windows: Mapping[str, NDArray[Any]], weights: Array) -> PowerLaws:
    """Return the mean over windows, along the first axis, and what the heaviest one is like."""
    total = weights.sum(axis=0)
    none = total == 0
    weights = weights / np.where(none, np.nan, total)
    best = weights.argmax(axis=0), np.arange(weights.shape[1])
    found = {name: values[best] for name, values in windows.items()}
    found["points"] = np.where(none, 0, found["points"])
    found |= {name: np.where(none, -1, found[name]) for name in PLACES}
    found |= {name: np.where(none, np.nan, found[name]) for name in ("chi2", "deviation")}
    for name in ("exponent", "ln_a", "coefficients"):
        values, errors = windows[name], windows[f"{name}_stderr"]
        share = weights.reshape(weights.shape + (1,) * (values.ndim - 2))
        mean = np.where(share > 0, share * values, 0 * share).sum(axis=0)
        spread = np.where(share > 0, share * (errors**2 + (values - mean) ** 2), 0 * share)
        found[name], found[f"{name}_stderr"] = mean, np.sqrt(spread.sum(axis=0))
    return PowerLaws(**found)


def _shifted(laws: PowerLaws, start: int) -> PowerLaws:
    """Return laws of a window that begins at the point `start` with places among all points."""
    places = {n: np.where(getattr(laws, n) < 0, -1, getattr(laws, n) + start) for n in PLACES}
    return replace(laws, **places)


def local_slopes(curves: Curves) -> tuple[Array, Array]:
    """Return ``d ln y / d ln x`` between neighbouring points and its error, shape (m, n - 1).

    Neighbouring slopes share a point, and their errors are correlated. The error is NaN for points
    without one.
    """
    usable = curves.usable
    ln_y = np.where(usable, curves.ln_y, np.nan)
    step = np.diff(np.where(np.isfinite(curves.ln_x), curves.ln_x, np.nan))
    step = np.where(step > 0, step, np.nan)  # two points at one x have no slope
    slopes = np.diff(ln_y, axis=1) / step
    if curves.sigma is None:
        return slopes, np.full_like(slopes, np.nan)
    sigma = np.where(usable, curves.sigma, np.nan)
    return slopes, np.hypot(sigma[:, 1:], sigma[:, :-1]) / step


def _fit_rows(curves: Curves, usable: Mask) -> PowerLaws:
    """Fit rows that have points enough."""
    weight = usable / (1.0 if curves.sigma is None else np.where(usable, curves.sigma, 1.0) ** 2)
    ln_x = np.where(np.isfinite(curves.ln_x), curves.ln_x, 0.0)
    centre = (weight * ln_x).sum(axis=1) / weight.sum(axis=1)
    lines = np.stack([np.ones_like(weight), ln_x - centre[:, np.newaxis]], axis=-1)
    problem = _Problem(
        lines,
        np.where(usable[..., np.newaxis], curves.terms, 0.0),
        np.where(usable, curves.ln_y, 0.0),
        weight,
    )
    found = _minimise(problem)
    covariance, rest = problem.covariance(found), problem.residuals(found)
    points = usable.sum(axis=1)
    chi2 = (weight * rest**2).sum(axis=1)
    if curves.sigma is None:
        covariance *= (chi2 / (points - curves.parameters))[:, np.newaxis, np.newaxis]
        chi2 = np.full_like(chi2, np.nan)
    ln_a_variance = (
        covariance[:, 0, 0] - 2 * centre * covariance[:, 0, 1] + centre**2 * covariance[:, 1, 1]
    )
    errors = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    return PowerLaws(
        exponent=found[:, 1],
        exponent_stderr=errors[:, 1],
        ln_a=found[:, 0] - found[:, 1] * centre,
        ln_a_stderr=np.sqrt(ln_a_variance),
        coefficients=found[:, 2:],
        coefficients_stderr=errors[:, 2:],
        chi2=chi2,
        deviation=np.abs(rest * usable).max(axis=1),
        points=points,
        first=usable.argmax(axis=1),
        last=usable.shape[1] - 1 - usable[:, ::-1].argmax(axis=1),
    )


@dataclass(frozen=True)
class _Problem:
    """Least squares for parameters (ln a at the centre, exponent, c_1, ...), a row for each curve.

    `lines` (m, n, 2) and `terms` (m, n, k) have 0 where a point does not count; so has `weight`.
    """

    lines: Array
    terms: Array
    ln_y: Array
    weight: Array

    def rows(self, rows: NDArray[np.int64]) -> _Problem:
        """Return the problem of some curves."""
        return _Problem(self.lines[rows], self.terms[rows], self.ln_y[rows], self.weight[rows])

    def factors(self, found: Array) -> Array:
        """Return 1 + sum c s."""
        return np.asarray(1 + np.einsum("mnk,mk->mn", self.terms, found[:, 2:]))

    def residuals(self, found: Array) -> Array:
        """Return ln y less the law; infinite where a factor is not positive."""
        factors = self.factors(found)
        law = np.einsum("mnk,mk->mn", self.lines, found[:, :2])
        law += np.log(factors, out=np.full_like(factors, -np.inf), where=factors > 0)
        return np.asarray(self.ln_y - law)

    def chi2(self, found: Array) -> Array:
        """Return the sum that is minimised; infinite where the law has no logarithm."""
        return np.asarray((self.weight * self.residuals(found) ** 2).sum(axis=1))

    def design(self, found: Array) -> Array:
        """Return the derivatives of the law, shape (m, n, 2 + k)."""
        return np.concatenate(
            [self.lines, self.terms / self.factors(found)[..., np.newaxis]], axis=-1
        )

    def covariance(self, found: Array) -> Array:
        """Return the inverse of the normal matrix; NaN where parameters cannot be told apart."""
        design = self.design(found)
        normal = np.einsum("mni,mn,mnj->mij", design, self.weight, design)
        scale = np.sqrt(np.diagonal(normal, axis1=1, axis2=2))
        with np.errstate(invalid="ignore", divide="ignore"):
            scaled = normal / scale[:, :, np.newaxis] / scale[:, np.newaxis, :]
        size = normal.shape[-1]
        tellable = np.isfinite(scaled).all(axis=(1, 2))
        scaled[~tellable] = np.eye(size)
        tellable &= np.linalg.cond(scaled) < 1 / (size * np.finfo(float).eps)
        scaled[~tellable] = np.eye(size)
        inverse = np.linalg.inv(scaled)
        inverse[~tellable] = np.nan
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(inverse / scale[:, :, np.newaxis] / scale[:, np.newaxis, :])

    def step(self, found: Array) -> Array:
        """Return the step of Gauss and Newton."""
        gradient = np.einsum(
            "mni,mn,mn->mi", self.design(found), self.weight, self.residuals(found)
        )
        return np.asarray(np.einsum("mij,mj->mi", self.covariance(found), gradient))


def _minimise(problem: _Problem) -> Array:
    """Return the parameters of least squares; NaN where they are not found."""
    m, _, k = problem.terms.shape
    found = np.zeros((m, 2 + k))
    if not k:
        found += problem.step(found)
        return found + problem.step(found)  # once more, for the rounding of the first
    moving = np.arange(m)
    for _ in range(STEPS):
        part = problem.rows(moving)
        step = _halved(part, found[moving], part.step(found[moving]))
        found[moving] += step
        moved = np.abs(np.einsum("mnk,mk->mn", part.terms, step[:, 2:])).max(axis=1)
        moving = moving[moved > STEP_ENDS]
        if not moving.size:
            break
    found[moving] = np.nan
    return found


def _halved(problem: _Problem, found: Array, step: Array) -> Array:
    """Return each step, halved until chi2 does not rise."""
    most = problem.chi2(found) * (1 + ROUNDING)
    step = step.copy()
    rising = np.arange(len(step))
    for _ in range(HALVINGS):
        there = found[rising] + step[rising]
        rising = rising[problem.rows(rising).chi2(there) > most[rising]]
        if not rising.size:
            break
        step[rising] /= 2
    return step


def _blank(curves: Curves, points: NDArray[np.int64]) -> PowerLaws:
    m, k = len(curves.ln_y), curves.terms.shape[-1]
    one, each, nowhere = np.full(m, np.nan), np.full((m, k), np.nan), np.full(m, -1)
    return PowerLaws(one, one, one, one, each, each, one, one, points, nowhere, nowhere)


def _put(laws: PowerLaws, rows: Any, found: PowerLaws) -> PowerLaws:
    """Return `laws` with some rows replaced."""
    merged = {}
    for field in fields(laws):
        merged[field.name] = getattr(laws, field.name).copy()
        merged[field.name][rows] = getattr(found, field.name)
    return PowerLaws(**merged)
