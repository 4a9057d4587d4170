"""From which energy on hot electrons are delocalized: eps_th(T), in closed form and as a root.

Gornyi, Mirlin, Mueller, Polyakov (2017), Eqs. (13) to (16) and (26) to (30). Two criteria:

* ``resonance``: eta_hc = 1, to lowest order in the interaction, which is the paper's choice;
* ``bethe``: eta_hc ln N_eff = 1, the criterion of a Bethe lattice of N_eff neighbours, which the
  paper names below Eq. (12). Where ln N_eff < 1 it is the first one.

A threshold is sought by its height ln(eps_th/eF) above the Fermi level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import wrightomega

from delocal.physics.continuum_disorder import Continuum, transport_time
from delocal.physics.hot_cold import (
    HotCold,
    Prefactors,
    coordination_number,
    resonance_parameter,
    threshold_ratio,
)
from delocal.physics.model import Status
from delocal.physics.powers import Array, LogArray
from delocal.physics.solve import Solution, find_root

Criterion = Literal["resonance", "bethe"]

FINITE = 1e300


@dataclass(frozen=True)
class MobilityEdge:
    """The effective mobility edge, cell by cell.

    Parameters
    ----------
    height
        ln(eps_th/eF); inf where localized, NaN where there is no threshold.
    status
        `Status.DONE`; `OUTSIDE_DOMAIN` where T is too high, or where electrons at the Fermi
        level already are delocalized; `NOT_CONVERGED`.
    localized
        Whether electrons of every energy are localized.
    eF
        The Fermi energy.
    """

    height: Array
    status: NDArray[np.int8]
    localized: NDArray[np.bool_]
    eF: LogArray

    @property
    def eps(self) -> LogArray:
        """eps_th."""
        return self.eF * LogArray(self.height)

    @property
    def above(self) -> LogArray:
        """eps_th - eF, without cancellation."""
        return self.eF * LogArray(self.height).minus_one()


def find_threshold(
    p: HotCold, prefactors: Prefactors = "bare", criterion: Criterion = "resonance"
) -> MobilityEdge:
    """Return eps_th(T), by the closed form where there is one, and else by a root.

    The domain ends at T = Delta_c exp(-D/3): from there on, ln(Delta_c/T)**D makes eta_hc fall
    with rising T, which the theory, written for T << Delta_c, does not mean. Where eta_hc > 1
    already at the Fermi level there are no cold localized electrons. Where eta_hc < 1 at every
    energy (white noise in 1D, or a constant xi), all electrons are localized.

    Examples
    --------
    >>> p = HotCold.of(Continuum.of("exponential"), T=[0.01, 0.02, 0.2])
    >>> found = find_threshold(p)
    >>> resonance_parameter(p, found.eps).value.round(9)
    array([ 1.,  1., nan])
    """
    with np.errstate(all="ignore"):
        delocalized = _strength(p, p.eF, prefactors, criterion) >= 0
        asked = in_domain(p) & ~delocalized
        never = _never_grows(p, criterion)
        if never:
            height = np.full(asked.shape, np.inf)
        elif criterion == "bethe" and _is_white_wire(p.medium):
            height = white_bethe_height(p, prefactors)
        elif criterion == "resonance" and has_closed_threshold(p.medium):
            height = closed_height(p, prefactors)
        else:
            height = root_height(p, prefactors, criterion).value
        return _judged(height, asked, never, p.eF)


def _judged(height: Array, asked: NDArray[np.bool_], never: bool, eF: LogArray) -> MobilityEdge:
    """Return the threshold with what became of each cell."""
    localized = asked & never
    found = asked & (never | (np.isfinite(height) & (height > 0)))
    lost = asked & ~found
    status = np.select([found, lost], [Status.DONE, Status.NOT_CONVERGED], Status.OUTSIDE_DOMAIN)
    return MobilityEdge(np.where(found, height, np.nan), status.astype(np.int8), localized, eF)


def in_domain(p: HotCold) -> NDArray[np.bool_]:
    """Whether T < Delta_c exp(-D/3), where the threshold rises as T falls."""
    return np.asarray(-p.cold.ln > p.medium.D / 3)


def has_closed_threshold(medium: Continuum) -> bool:
    """Whether eta_hc = 1 is solved by a formula: not for smooth disorder in two dimensions."""
    return medium.D == 1 or medium.disorder == "white"


def closed_height(p: HotCold, prefactors: Prefactors = "bare") -> Array:
    """Return ln(eps_th/eF) of eta_hc = 1 in closed form; xi grows, white noise in 2D alone.

    ::

        lorentz      eps_th = eps_0 ln(X)**2               the exact form of Eq. (14)
        exponential  eps_th = eps_0 (X - 1)                the exact form of Eq. (15)
        2d           y exp(y) = y_F exp(y_F) X,       y = 2 pi tau eps             of Eq. (28)
        2d-field     y exp(y) = y_F exp(y_F) X**2,    y = (2 pi tau eps)**2        of Eq. (30)

    with X of `threshold_ratio`. White noise in 1D has none: inf.
    """
    X = threshold_ratio(p, prefactors)
    medium = p.medium
    if medium.D == 2:
        return _wright_height(p, X)
    if medium.disorder == "white":
        return np.full(X.ln.shape, np.inf)
    if medium.disorder == "lorentz":
        return medium.eps_0.ln + 2 * LogArray.where_positive(X.ln).ln - p.eF.ln
    return (medium.eps_0 * X.minus_one() / p.eF).ln


def white_bethe_height(p: HotCold, prefactors: Prefactors = "bare") -> Array:
    """Return ln(eps_th/eF) of eta_hc = 1/ln N_eff for white noise in one dimension.

    eta_hc does not depend on eps and N_eff ~ eps, so that eps_th ~ exp(1/eta_hc): at
    T = 0.38 Delta_c it is 1e170 already.
    """
    eta = resonance_parameter(p, p.eF, prefactors)
    return np.asarray((eta**-1).value - coordination_number(p, p.eF).ln)


def root_height(
    p: HotCold, prefactors: Prefactors = "bare", criterion: Criterion = "resonance"
) -> Solution:
    """Return ln(eps_th/eF) as a root found numerically, for every disorder that has one."""
    kind = p.medium.disorder, p.medium.geometry
    named = (p.medium.m, p.medium.w, p.medium.d, p.eF, p.u, p.T)

    def excess(height: Array, *logarithms: Array) -> Array:
        m, w, d, eF, u, T = (LogArray(ln) for ln in logarithms)
        cells = HotCold(Continuum(*kind, m, w, d), eF, u, T, p.xi_growth)
        strength = _strength(cells, eF * LogArray(height), prefactors, criterion)
        return np.clip(strength, -FINITE, FINITE)  # beyond the root of one cell, xi may overflow

    high = _upper_height(p, prefactors) * (1 + 1e-9)
    return find_root(excess, 0.0, high, *(quantity.ln for quantity in named))


def _never_grows(p: HotCold, criterion: Criterion) -> bool:
    """Whether no electron is easier to delocalize than one at the Fermi level."""
    return not p.xi_growth or (_is_white_wire(p.medium) and criterion == "resonance")


def _is_white_wire(medium: Continuum) -> bool:
    return medium.D == 1 and medium.disorder == "white"


def _strength(p: HotCold, eps: LogArray, prefactors: Prefactors, criterion: Criterion) -> Array:
    """Return ln eta_hc, or ln(eta_hc max{1, ln N_eff}): delocalized where positive."""
    eta = resonance_parameter(p, eps, prefactors).ln
    if criterion == "resonance":
        return eta
    return np.asarray(eta + np.log(np.maximum(1, coordination_number(p, eps).ln)))


def _upper_height(p: HotCold, prefactors: Prefactors) -> Array:
    """Return a height at which either criterion is met.

    In 2D tau does not fall with eps, so ln(Delta_c/Delta_h) is at least what white noise gives,
    h + y_F (exp(power h) - 1)/power with h the height.
    """
    eta = resonance_parameter(p, p.eF, prefactors)
    if _is_white_wire(p.medium):
        return np.asarray((eta**-1).value + np.abs(coordination_number(p, p.eF).ln))
    if has_closed_threshold(p.medium):
        return closed_height(p, prefactors)
    power, y_F = _exponent(p)
    ln_X = np.maximum(-eta.ln, 0)
    return np.minimum(ln_X, np.log1p(power * ln_X / y_F.value) / power)


def _wright_height(p: HotCold, X: LogArray) -> Array:
    """Return h of y_F (exp(power h) - 1) + power h = power ln X, with y = y_F exp(power h).

    Wright's function of the logarithms starts it, and a Newton step restores the digits that the
    difference of y and y_F has lost.
    """
    power, y_F = _exponent(p)
    target = power * X.ln
    z = y_F.value + y_F.ln + target
    omega = wrightomega(z)
    g = np.where(omega > 1, np.log(omega), z - omega) - y_F.ln
    for _ in range(2):
        y = np.exp(y_F.ln + g)
        g = g - (-y * np.expm1(-g) + g - target) / (y + 1)
    return np.asarray(g / power)


def _exponent(p: HotCold) -> tuple[int, LogArray]:
    """Return power and y_F: xi_h**2/xi_c**2 ~ (eps/eF) exp[(y - y_F)/power], y ~ eps**power."""
    tau = transport_time(p.medium, p.eF)
    power = 1 if p.medium.geometry == "2d" else 2
    return power, LogArray.of(2 * math.pi) ** power * (p.eF * tau) ** power
