"""Which channel carries the energy: at a given temperature, and as T -> 0.

Gutman et al. (2016) say that spectral diffusion, Eq. (77), always wins in IIb and IIc. Their
own formulas say otherwise: against assisted pseudo-spins, Eq. (36), it wins as T -> 0 only where
X (2 beta + d - 2 - alpha) > 2 alpha (alpha - beta), which always holds at alpha = beta > d, the
one case that their Supplement compares. Hence the winner is found here from the channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.physics import conductivity
from delocal.physics.parameters import exact, power_laws
from delocal.physics.phase_diagram import (
    WITH_OPTIMAL_PSEUDOSPINS,
    WITH_PSEUDO2SPIN_NETWORK,
    Region,
    belongs,
)
from delocal.physics.powers import Array, LogArray

Codes = NDArray[np.int8]


class Channel(IntEnum):
    """The channels of thermal conduction; ``kappa_<name>`` is the conductivity of each."""

    none = 0
    opt = 1
    ps = 2
    s = 3
    sd = 4
    opt2 = 5
    ps2 = 6
    sd2 = 7


CHANNELS: Mapping[Channel, Callable[[Any], Any]] = {
    Channel.sd: conductivity.kappa_spectral_diffusion,
    Channel.s: conductivity.kappa_spins,
    Channel.ps: conductivity.kappa_assisted,
    Channel.opt: conductivity.kappa_optimal,
    Channel.sd2: conductivity.kappa_spectral_diffusion_pseudo2,
    Channel.ps2: conductivity.kappa_assisted_pseudo2,
    Channel.opt2: conductivity.kappa_optimal_pseudo2,
}
"""The formula of each channel. Of channels that are equal, the first in this order wins."""

OF_PSEUDO2SPINS = frozenset({Channel.opt2, Channel.ps2, Channel.sd2})
EQUAL = 1e-9


def dominant_channel(kappas: Mapping[Channel, LogArray]) -> Codes:
    """Return the `Channel` with the largest kappa at each point; none where all are NaN or 0.

    Channels within a relative 1e-9 count as equal: on 2 alpha = d + 2, for instance,
    kappa_s = kappa_sd identically.

    Examples
    --------
    >>> kappas = {Channel.sd: LogArray.of([1.0, 5.0]), Channel.ps: LogArray.of([2.0, 4.0])}
    >>> [Channel(code).name for code in dominant_channel(kappas)]
    ['ps', 'sd']
    """
    shape = np.broadcast_shapes(*(kappa.ln.shape for kappa in kappas.values()))
    largest, winner = np.full(shape, -np.inf), np.zeros(shape, dtype=np.int8)
    for channel in CHANNELS:
        wins = kappas[channel].ln > largest + EQUAL if channel in kappas else np.False_
        np.copyto(winner, np.int8(channel), where=wins)
        if channel in kappas:
            np.copyto(largest, kappas[channel].ln, where=wins)
    return winner


def dominant_channel_asymptotic(
    d: Array, alpha: Array, beta: Array, regions: NDArray[Any], exponents: Mapping[Channel, Array]
) -> Codes:
    """Return the `Channel` with the largest kappa as T -> 0.

    The smallest exponent of T wins; at equal ones the largest of W, as W grows; then the
    order of `CHANNELS`. Where two exponents are close in float64 the exact ones decide.

    Parameters
    ----------
    d, alpha, beta, regions
        The points and their `Region`; arrays broadcast.
    exponents
        By channel, an array with a last dimension that starts with the exponents of T and W.
        NaN where the channel does not exist.

    Returns
    -------
    Array of int8, shape = broadcast of d, alpha, beta
        Values of `Channel`.
    """
    in_T = [np.nan_to_num(exponents[channel][..., 0], nan=np.inf) for channel in CHANNELS]
    codes = np.array([0, *CHANNELS], dtype=np.int8)
    smallest, runner_up = np.partition(np.stack(in_T), 1, axis=0)[:2]
    first = np.where(np.isinf(smallest), 0, 1 + np.argmin(np.stack(in_T), axis=0))
    winner = np.asarray(codes[first])
    with np.errstate(invalid="ignore"):
        undecided = runner_up - smallest <= EQUAL * (1 + np.abs(smallest))
    if undecided.any():
        points = [np.broadcast_to(x, winner.shape)[undecided] for x in (d, alpha, beta, regions)]
        unique, inverse = np.unique(np.stack(points), axis=1, return_inverse=True)
        winner[undecided] = np.array([_winner(*point) for point in unique.T], np.int8)[inverse]
    return winner


def exact_dominant_channel(d: Any, alpha: Any, beta: Any, region: Region) -> Channel:
    """Return the `Channel` that wins as T -> 0 in a `region`, from exact exponents.

    Examples
    --------
    >>> exact_dominant_channel(3, 3, 3, Region.IIb).name, exact_dominant_channel(
    ...     3, 5, 3, Region.IIb
    ... ).name
    ('sd', 'ps')
    """
    p = power_laws(exact(d), exact(alpha), exact(beta))
    present = [channel for channel in CHANNELS if exists_in(channel, region)]
    return min(present, key=lambda channel: _rank(CHANNELS[channel](p).of), default=Channel.none)


def exists_in(channel: Channel, regions: Any) -> Any:
    """Whether the `channel` exists in each of the `regions`."""
    networks = WITH_PSEUDO2SPIN_NETWORK if channel in OF_PSEUDO2SPINS else WITH_OPTIMAL_PSEUDOSPINS
    return belongs(regions, networks)


def _rank(exponents: Mapping[str, Fraction]) -> tuple[Fraction, Fraction]:
    return exponents["T"], -exponents["W"]


def _winner(d: float, alpha: float, beta: float, region: float) -> Channel:
    return exact_dominant_channel(d, alpha, beta, Region(int(region)))
