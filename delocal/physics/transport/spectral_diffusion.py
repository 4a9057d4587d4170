"""Spectral diffusion by kinetic Monte Carlo: every flip-flop shifts the energies of other spins.

Gutman et al. (2016), Sec. IX. Pairs of spins in resonance flip-flop, which brings others into
resonance and out of it, and so all spins move. The paper estimates D ~ R1**2 E*/Ns and
1/tau ~ E*/Ns, Eqs. (74), (77). Here both are measured, in units of these estimates, F and G.

**Infinite temperature.** A thermal spin of energy e takes part with the weight 4 n(1 - n), n of
Fermi. Their number is 4 rho T/W per volume, and their energies spread over an equivalent width of
4 T; so spins at infinite temperature with these two numbers as density and disorder have the same
R1, E* and Ns, and kappa is the heat capacity pi**2/3 rho T/W times their D.

**Time.** Pairs are drawn with their rates and accepted or not: attempts are a Poisson process, so
that their number within a time is all there is of a clock. hbar = k_B = 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.random import SFC64, Generator

from delocal.physics import scales
from delocal.physics.disorder import Ensemble
from delocal.physics.model import Cancelled, CancelToken, never
from delocal.physics.parameters import SpinModel, spin_model
from delocal.physics.powers import Array, LogArray
from delocal.physics.transport.flip_flop_kernels import Drive, Signs, attempt, relax
from delocal.physics.transport.flip_flops import Sample

STEPS = np.unique(np.rint(np.geomspace(1, 256, 33)).astype(int))
STEP = 0.02
LAGS = tuple((STEP * STEPS).round(2).tolist())
"""Times, in M/E0, over which the overlap is measured."""
WARM_UP = 2.0
"""Time before anything is measured, in M/E0: the current settles."""
SWEEPS = 200
"""Attempts to flip each spin alone, before flip-flops at a finite temperature."""
SEGMENT = 4_000_000
"""Attempts between two looks at `cancelled`, at most: some 0.1 s."""
HEAT = np.pi**2 / 3
"""Heat capacity per volume over rho T/W; also <e**2>/T**2 of thermal spins."""


@dataclass(frozen=True)
class Blocks:
    """Sizes of a system at infinite temperature, and blocks of R0 = R1/c.

    Parameters
    ----------
    spins
        Density, disorder and ranges; all spins take part.
    c
        R1 over R0.
    """

    spins: Ensemble
    c: float = 1.0

    @cached_property
    def _model(self) -> SpinModel[LogArray]:
        s = self.spins
        return spin_model(s.d, s.alpha, s.beta, s.W, s.W, s.t, s.V, s.rho)

    @cached_property
    def R1(self) -> float:
        """R1 of Eq. (21) at T = W, where t rho**2/W takes the place of T t rho**2/W**2."""
        return float(scales.optimal_pseudospin_size(self._model).value)

    @cached_property
    def E_star(self) -> float:
        """T / R1**alpha."""
        return float(scales.optimal_energy(self._model).value)

    @cached_property
    def N_s(self) -> float:
        """Number of spins in a volume Lc**d, Eq. (69)."""
        return float(scales.spins_per_pseudospin(self._model).value)

    @property
    def R0(self) -> float:
        """Size of a block."""
        return self.R1 / self.c

    @property
    def E0(self) -> float:
        """Hopping across a block."""
        return self.spins.pseudospin_energy(self.R0)

    @property
    def M(self) -> float:
        """Number of spins in a block."""
        return float(self.spins.rho * self.R0**self.spins.d)

    @property
    def D(self) -> float:
        """The estimate R1**2 E*/Ns of the paper; F is in units of it."""
        return self.R1**2 * self.E_star / self.N_s

    @property
    def rate(self) -> float:
        """The estimate E*/Ns of 1/tau, Eq. (74)."""
        return self.E_star / self.N_s


def hot_twin(spins: Ensemble) -> Ensemble:
    """Return the system at infinite temperature that stands for `spins` at ``spins.T``.

    Its density is 4 rho T/W and its disorder 4 T. Only T <= W/4 has one.

    Examples
    --------
    >>> cold = Ensemble(d=3, alpha=3, beta=3, T=1, W=100)
    >>> twin = hot_twin(cold)
    >>> twin.rho, twin.W, round(Blocks(twin).R1 * 4 ** (1 / 3), 6)
    (0.04, 4, 21.544347)
    """
    return _with_band(spins, 4 * spins.T)


def strip(spins: Ensemble, width: float) -> Ensemble:
    """Return the spins within a strip of energies of `width` times ``spins.T``."""
    return _with_band(spins, width * spins.T)


def _with_band(spins: Ensemble, band: float) -> Ensemble:
    if band > spins.W:
        raise ValueError(f"T = {spins.T:g} needs a band of {band:g}, wider than W = {spins.W:g}")
    return replace(spins, rho=spins.rho * band / spins.W, W=band, T=band / 2)


@dataclass(frozen=True)
class Course:
    """What was measured on one sample.

    Parameters
    ----------
    current
        Charge times length per time, over the force X.
    overlap
        Correlation of the configuration with itself after each of `STEPS` steps.
    hops
        Flip-flops per spin.
    attempts
        Attempts for one flip-flop; infinite if there was none.
    """

    current: float
    overlap: Array
    hops: float
    attempts: float


def run_course(
    sample: Sample,
    drive: Drive,
    step: float,
    steps: int,
    warm_up: int,
    rng: Generator,
    cancelled: CancelToken = never,
) -> Course:
    """Run one sample from equilibrium on, and measure current and overlap.

    Parameters
    ----------
    drive
        Force, not 0; temperature of the bath; charge.
    step, steps
        Time between two looks at the configuration, and their number, ``max(STEPS)`` or more.
    warm_up
        Steps before, in which the current settles.

    Raises
    ------
    Cancelled
        If ``cancelled()`` was true.
    """
    rng = Generator(SFC64(rng.integers(2**63, size=4).tolist()))  # the fastest of numpy
    spin = np.where(rng.random(sample.energies.size) < 0.5, 1, -1).astype(np.int8)
    field = sample.fields(spin)
    if drive.inverse_T > 0:
        relax(sample.pairs, spin, field, drive.inverse_T, SWEEPS * spin.size, rng)
    run = partial(_attempt, sample, spin, field, drive, rng=rng, cancelled=cancelled)
    run(warm_up * step)
    expected = -np.tanh(field * drive.inverse_T / 2)
    looks = np.empty((steps + 1, spin.size), np.float32)
    looks[0] = spin - expected
    totals = np.zeros(3)
    for look in range(1, steps + 1):
        totals += run(step)
        looks[look] = spin - expected
    carried, hops, attempts = totals.tolist()
    return Course(
        carried / (drive.X * steps * step),
        np.array([(looks[lag:] * looks[:-lag]).mean() for lag in STEPS]) / (1 - expected**2).mean(),
        hops / spin.size,
        attempts / hops if hops else np.inf,
    )


def _attempt(
    sample: Sample,
    spin: Signs,
    field: Array,
    drive: Drive,
    duration: float,
    rng: Generator,
    cancelled: CancelToken,
) -> tuple[float, int, int]:
    """Run for a time; return charge times length carried, flip-flops and attempts."""
    number = int(rng.poisson(sample.attempt_rate * duration))
    carried, hops = 0.0, 0
    for first in range(0, number, SEGMENT):
        if cancelled():
            raise Cancelled("the run of flip-flops was cancelled")
        part = min(SEGMENT, number - first)
        moved, hopped = attempt(sample.pairs, spin, field, drive, part, rng)
        carried, hops = carried + moved, hops + hopped
    return carried, hops, number


def decay_time(overlap: Array, lags: Array) -> Array:
    """Return the time at which an overlap is down to 1/e; NaN if it never is.

    Parameters
    ----------
    overlap
        Shape (..., lags).
    lags
        Increasing; in between, ln(overlap) is linear. The overlap at time 0 is 1.

    Examples
    --------
    >>> lags = np.array([0.5, 1.5, 4.0])
    >>> decay_time(np.exp(-lags / [[1.0], [3.0], [9.0]]), lags).round(12).tolist()
    [1.0, 3.0, nan]
    """
    start = np.ones((*overlap.shape[:-1], 1))
    ln = np.log(np.maximum(np.concatenate([start, overlap], axis=-1), 1e-300))
    times = np.append(0.0, lags)
    after = np.argmax(ln < -1, axis=-1)[..., np.newaxis]  # 0 if it never is
    before = np.maximum(after - 1, 0)
    high, low = (np.take_along_axis(ln, k, axis=-1) for k in (before, after))
    share = (high + 1) / np.where(after > 0, high - low, np.nan)
    return np.asarray(times[before] + share * (times[after] - times[before]))[..., 0]
