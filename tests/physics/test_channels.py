"""Which channel dominates, and that the paper's claim about it does not hold everywhere."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from delocal.physics.channels import CHANNELS, Channel, dominant_channel, exact_dominant_channel
from delocal.physics.models import load_models
from delocal.physics.parameters import exact
from delocal.physics.phase_diagram import Region, region
from delocal.physics.powers import LogArray
from delocal.physics.quantities import exponents

evaluate = load_models()["scaling"].evaluate
fixed = {"t": 0.02, "V": 0.02, "rho": 1.0, "W": 1.0, "T": 1e-3}
fractions = st.fractions(0, 1, max_denominator=40).filter(lambda x: 0 < x < 1)


def results(**parameters):
    given = {name: np.asarray(value) for name, value in (fixed | parameters).items()}
    return evaluate(given, {})


@st.composite
def points_of_IIb(draw):
    d = draw(st.integers(1, 3))
    alpha = d * (1 + draw(fractions))
    beta = d + (alpha - d) * draw(st.one_of(fractions, st.just(Fraction(1))))
    return Fraction(d), alpha, beta


@st.composite
def points_of_IIc(draw):
    d = Fraction(draw(st.integers(1, 3)))
    beta = d * (1 + draw(fractions))
    highest = beta * d / (beta - d)
    return d, 2 * d + (highest - 2 * d) * draw(fractions), beta


def spectral_diffusion_wins(d, a, b):
    """The closed condition against assisted pseudo-spins as T -> 0."""
    X = 2 * a * b - d * (a + b)
    return X * (2 * b + d - 2 - a) > 2 * a * (a - b)


def T_power(channel, point):
    return exponents(f"kappa_{channel.name}", *point)["T"]


def asymptotic(point):
    d, alpha, beta = (float(value) for value in point)
    return Channel(int(results(d=d, alpha=alpha, beta=beta)["dominant_channel_asymptotic"]))


def test_spectral_diffusion_loses_at_3_5_3():
    point = (3, 5, 3)
    assert T_power(Channel.ps, point) == Fraction(112, 45) < T_power(Channel.sd, point)
    assert asymptotic(point) == Channel.ps
    at_zero = results(d=3, alpha=5, beta=3, T=[1e-300], t=1.0, V=1.0)
    assert Channel(int(at_zero["dominant_channel"][0])) == Channel.ps


@given(points_of_IIb())
def test_closed_condition_in_IIb(point):
    d, alpha, _ = point
    assert region(*map(float, point)) == Region.IIb
    wins = T_power(Channel.sd, point) < T_power(Channel.ps, point)
    assert wins == spectral_diffusion_wins(*point)
    if 2 * alpha > d + 2 and T_power(Channel.sd, point) != T_power(Channel.ps, point):
        assert (asymptotic(point) == Channel.sd) == wins


@given(points_of_IIb())
def test_winner_of_IIb_has_the_smallest_exponent(point):
    present = (Channel.opt, Channel.ps, Channel.s, Channel.sd)
    winner = asymptotic(point)
    assert winner in present
    assert T_power(winner, point) == min(T_power(channel, point) for channel in present)


@given(points_of_IIb())
def test_the_paper_is_right_for_equal_ranges(point):
    d, alpha, _ = point
    assert spectral_diffusion_wins(d, alpha, alpha)


def test_the_condition_fails_in_a_part_of_IIb_only():
    d, a = 2.0, np.linspace(2.05, 3.95, 96)[:, None]
    b = 2 + (a - 2) * np.linspace(0.02, 1, 50)
    winner = results(d=d, alpha=a, beta=b)["dominant_channel_asymptotic"]
    boundary = b + np.sqrt(b * (b - 2))  # d = 2
    away = np.abs(a - boundary) > 1e-9
    assert ((winner == Channel.sd) == (a < boundary))[away].all()
    assert 0.05 < np.mean(winner == Channel.ps) < 0.3


@given(points_of_IIc())
def test_winner_of_IIc(point):
    """Spectral diffusion of pseudo-spins wins just where kappa is finite."""
    d, _, beta = point
    assume(2 * beta != d + 2)
    assert region(*map(float, point)) == Region.IIc
    assert asymptotic(point) == (Channel.sd2 if 2 * beta > d + 2 else Channel.ps)


@given(points_of_IIc(), st.floats(1.01, 10))
def test_winner_of_III(point, beyond):
    d, _, beta = (float(value) for value in point)
    alpha = beta * d / (beta - d) * beyond
    found = results(d=d, alpha=alpha, beta=beta)
    assert found["region"] == Region.III
    assert found["dominant_channel_asymptotic"] == Channel.sd2
    assert found["kappa_sd2_exponent"][0] < found["kappa_ps2_exponent"][0]


@given(st.fractions(Fraction(1), Fraction(3), max_denominator=30).filter(lambda m: 1 < m < 3))
def test_ties_of_the_temperature_are_broken_by_the_disorder(m):
    """On alpha = beta + sqrt(beta (beta - 2)), d = 2, at its rational points."""
    point = (2, 1 + m, 1 + (m + 1 / m) / 2)
    assert T_power(Channel.sd, point) == T_power(Channel.ps, point)
    W = {c: exponents(f"kappa_{c.name}", *point)["W"] for c in (Channel.sd, Channel.ps)}
    assert W[Channel.sd] > W[Channel.ps]
    assert asymptotic(point) == Channel.sd


def test_equal_values_are_a_tie_in_spite_of_rounding():
    """On 2 alpha = d + 2 kappa_s = kappa_sd; beside it one of them wins by the last digit."""
    alpha = 1.5 + np.arange(-20, 21) * np.spacing(1.5)
    found = results(d=1, alpha=alpha, beta=1.4, t=0.031, V=0.07)
    ahead = found["log10_kappa_s"] - found["log10_kappa_sd"]
    assert (ahead > 0).any()
    assert (ahead < 1e-12).all()
    assert (found["dominant_channel"] == Channel.sd).all()


def test_ties_are_broken_by_disorder_then_by_order():
    assert {T_power(channel, (3, 3, 3)) for channel in list(CHANNELS)[:4]} == {Fraction(4, 3)}
    assert asymptotic((3, 3, 3)) == Channel.sd  # W**(-8/3) is the largest
    marginal = (1, Fraction(3, 2), Fraction(3, 2))  # kappa_s = kappa_sd identically
    assert exponents("kappa_s", *marginal) == exponents("kappa_sd", *marginal)
    assert asymptotic(marginal) == Channel.sd
    assert results(d=1, alpha=1.5, beta=1.5)["dominant_channel"] == Channel.sd
    assert asymptotic((1, 1.5 - 1e-7, 1.4)) == Channel.s
    assert asymptotic((1, 1.5 + 1e-7, 1.4)) == Channel.sd


@pytest.mark.parametrize("off", [-1e-11, 1e-11])
def test_close_exponents_are_decided_exactly(off):
    beta = Fraction(5, 2)
    boundary = beta + Fraction(np.sqrt(1.25))  # alpha = beta + sqrt(beta (beta - 2)) in d = 2
    point = (2, exact(float(boundary) + off), beta)
    gap = T_power(Channel.sd, point) - T_power(Channel.ps, point)
    assert 0 < abs(gap) < 1e-9
    winner = Channel.ps if off > 0 else Channel.sd
    assert (gap > 0) == (off > 0)
    assert exact_dominant_channel(*point, Region.IIb) == asymptotic(point) == winner


def test_values_decide_at_a_given_temperature():
    T = np.geomspace(1e-12, 0.5, 200)
    found = results(d=3, alpha=5, beta=3, T=T, t=0.3, V=0.3)
    kappas = np.stack([found[f"log10_kappa_{c.name}"] for c in (Channel.ps, Channel.sd)])
    largest = np.where(kappas[0] > kappas[1], Channel.ps, Channel.sd)
    assert (found["dominant_channel"] == largest).all()
    assert set(largest) == {Channel.ps, Channel.sd}  # they cross


def test_channels_that_are_absent_do_not_win():
    nothing = {channel: LogArray.of([np.nan, 0.0]) for channel in CHANNELS}
    assert dominant_channel(nothing).tolist() == [Channel.none, Channel.none]
    one = nothing | {Channel.opt2: LogArray.of([1e-9, 0.0])}
    assert dominant_channel(one).tolist() == [Channel.opt2, Channel.none]


@pytest.mark.parametrize("point", [(2, 3, 3), (2, 5, 3), (2, 6, 3.5), (2, 6, 3), (3, 8, 7)])
def test_only_IIc_is_unresolved(point):
    d, alpha, beta = point
    found = results(d=d, alpha=alpha, beta=beta)
    assert found["dominance_unresolved"] == (found["region"] == Region.IIc)
