"""Identities that the sizes, numbers and rates must obey, whatever the parameters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delocal.physics import relaxation as rates
from delocal.physics import scales
from delocal.physics.channels import CHANNELS, Channel
from delocal.physics.conductivity import kappa_of_network, kappa_of_pseudo2_network
from delocal.physics.parameters import spin_model
from delocal.physics.powers import LogArray

unit = st.floats(0, 1)
PSEUDOSPINS = [(1, 1.9, 1.6), (2, 3, 2.5), (2, 5, 3), (3, 3, 3), (3, 5.5, 5.5), (3, 7, 3)]
PSEUDO2SPINS = [(1, 3, 1.8), (2, 5, 3), (2, 6, 3.5), (3, 7, 3), (3, 9, 5)]


@st.composite
def models(draw, points):
    numbers = {name: 10 ** draw(st.floats(-4, 1)) for name in ("T", "W", "t", "V", "rho")}
    return spin_model(*draw(st.sampled_from(points)), **numbers)


def same(one, other, digits=9):
    return abs(float((one / other).ln)) < 10.0**-digits


@given(models(PSEUDOSPINS))
def test_optimal_pseudospins_have_one_partner(p):
    R1 = scales.optimal_pseudospin_size(p)
    Lc = scales.delocalization_length(p)
    assert same(scales.resonant_pseudospins(p, R1, Lc), LogArray.of(1.0))
    assert same(scales.pseudospin_density(p, R1) * Lc**p.d, LogArray.of(1.0))
    assert same(p.V / Lc**p.beta, scales.optimal_energy(p))
    assert same(scales.spins_per_pseudospin(p), scales.resonant_spins(p, R1) ** -1)


@given(models(PSEUDO2SPINS))
def test_optimal_pseudo2spins_have_one_partner(p):
    R1, R2 = scales.thermal_pseudospin_size(p), scales.optimal_pseudo2spin_size(p)
    assert same(scales.peak_resonant_pseudo2spins(p, R2), LogArray.of(1.0))
    if R2.ln > scales.interaction_radius(p, R1).ln:
        assert same(scales.resonant_pseudo2spins(p, R1, R2, R2), LogArray.of(1.0))


@given(models(PSEUDOSPINS), st.floats(0.1, 1e6))
def test_N2_is_continuous_and_peaks_at_R2_star(p, size):
    R1 = LogArray.of(size)
    peak = scales.interaction_radius(p, R1)
    around = LogArray(peak.ln + np.array([-3.0, -1e-12, 1e-12, 3.0]))
    N2 = scales.resonant_pseudospins(p, R1, around).ln
    top = scales.peak_resonant_pseudospins(p, R1).ln
    assert N2[1] == pytest.approx(top, abs=1e-9) == N2[2]
    assert N2[0] == pytest.approx(top - 3 * p.d)
    assert N2[3] == pytest.approx(top - 3 * (p.beta - p.d))
    assert same(scales.pseudospin_size(p, peak), R1)


@given(models(PSEUDOSPINS))
def test_thermal_sizes_split_by_the_temperature(p):
    R1, R2 = scales.thermal_pseudospin_size(p), scales.thermal_pseudo2spin_size(p)
    assert same(p.t / R1**p.alpha, p.T)
    assert same(p.V / R2**p.beta, p.T)
    assert same(scales.interaction_radius(p, R1), R2)


@given(models(PSEUDOSPINS), st.floats(1, 1e6))
def test_thresholds_of_pseudospins(p, size):
    L = LogArray.of(size)
    Tc = scales.threshold_temperature(p, L)
    at_threshold = type(p)(p.d, p.alpha, p.beta, Tc, p.W, p.t, p.V, p.rho)
    assert same(scales.delocalization_length(at_threshold), L, digits=7)
    assert same(scales.threshold_energy(p, L), p.rho * L**p.d * Tc**2 / p.W)


@given(models(PSEUDO2SPINS), st.floats(1, 1e6))
def test_thresholds_of_pseudo2spins(p, size):
    L = LogArray.of(size)
    Tc = scales.threshold_temperature_pseudo2(p, L)
    at_threshold = type(p)(p.d, p.alpha, p.beta, Tc, p.W, p.t, p.V, p.rho)
    assert same(scales.optimal_pseudo2spin_size(at_threshold), L, digits=7)


@given(models(PSEUDOSPINS))
def test_ratios_of_rates_and_conductivities(p):
    R1 = scales.optimal_pseudospin_size(p)
    N1, a, d = scales.resonant_spins(p, R1), p.alpha, p.d
    kappa = {channel: formula(p) for channel, formula in CHANNELS.items()}
    assert same(rates.spin_rate(p) / rates.spectral_diffusion_rate(p), N1 ** ((2 * a - d) / d))
    assert same(kappa[Channel.s] / kappa[Channel.sd], N1 ** ((2 * a - d - 2) / d))
    E, Lc = scales.optimal_energy(p), scales.delocalization_length(p)
    assert same(kappa[Channel.sd], (p.T / E) ** 2 * (R1 / Lc) ** 2 * kappa[Channel.opt])
    assert same(kappa[Channel.sd], E * R1**2 / Lc**d)
    assert same(rates.spectral_diffusion_rate(p), E / scales.spins_per_pseudospin(p))
    assert same(kappa[Channel.opt], kappa_of_network(p, R1))
    power = (3 * a - 2 * p.beta - d + 2) / a
    assert same(kappa[Channel.ps], kappa[Channel.opt] * (p.T / E) ** power)


@given(models(PSEUDO2SPINS))
def test_ratios_of_pseudo2spins(p):
    E, R2 = scales.optimal_pseudo2spin_energy(p), scales.optimal_pseudo2spin_size(p)
    kappa = {channel: formula(p) for channel, formula in CHANNELS.items()}
    assert same(kappa[Channel.sd2], (p.T / E) ** 2 * kappa[Channel.opt2])
    assert same(kappa[Channel.opt2], kappa_of_pseudo2_network(p, R2))
    assert same(rates.thermal_pseudo2spin_rate(p), E * (E / p.T) ** 2)
    sizes = scales.thermal_pseudospin_size(p), scales.thermal_pseudo2spin_size(p)
    assert same(rates.thermal_pseudo2spin_rate(p), rates.pseudo2spin_rate(p, *sizes))


@given(models([(1, 2, 1.5), (2, 4, 3), (3, 6, 4), (3, 6, 3)]))
def test_both_networks_are_one_at_alpha_2d(p):
    """Only spectral diffusion jumps, by R1(T) against R2(T) (3.14)."""
    L = LogArray.of(300.0)
    assert same(scales.optimal_energy(p), scales.optimal_pseudo2spin_energy(p))
    assert same(scales.delocalization_length(p), scales.optimal_pseudo2spin_size(p))
    assert same(scales.threshold_temperature(p, L), scales.threshold_temperature_pseudo2(p, L))
    assert same(scales.threshold_energy(p, L), scales.threshold_energy_pseudo2(p, L))
    kappa = {channel: formula(p) for channel, formula in CHANNELS.items()}
    assert same(kappa[Channel.opt], kappa[Channel.opt2])
    jump = (scales.optimal_pseudo2spin_size(p) / scales.optimal_pseudospin_size(p)) ** 2
    assert same(kappa[Channel.sd2] / kappa[Channel.sd], jump)


@given(models(PSEUDOSPINS), st.floats(1.0, 1e5))
def test_flip_flop_rate_follows_from_its_matrix_element(p, shrink):
    """(29) to (32): A = V**2/(E* r12**beta Lc**beta), 1/tau = A**2/E*."""
    R1 = scales.optimal_pseudospin_size(p) / LogArray.of(shrink)
    E_star, Lc = scales.optimal_energy(p), scales.delocalization_length(p)
    in_window = scales.pseudospin_density(p, R1) * E_star / (p.t / R1**p.alpha)
    r12 = in_window ** (-1 / p.d)
    A = p.V**2 / (E_star * r12**p.beta * Lc**p.beta)
    assert same(rates.pseudospin_rate(p, R1), A**2 / E_star, digits=7)


@given(models(PSEUDO2SPINS), unit, unit)
def test_pseudo2_flip_flop_rate_follows_from_its_matrix_element(p, one, two):
    """(53) to (58): A = V/r12**beta, 1/tau = A**2/E2*."""
    R2 = LogArray(scales.optimal_pseudo2spin_size(p).ln * one + 20.0)
    R1 = LogArray(scales.pseudospin_size(p, R2).ln - 5 * two)
    E_star, R2_T = scales.optimal_pseudo2spin_energy(p), scales.optimal_pseudo2spin_size(p)
    in_window = scales.pseudo2spin_density(p, R1, R2) * (R2 / R2_T) ** p.beta
    A = p.V / in_window ** (-p.beta / p.d)
    assert same(rates.pseudo2spin_rate(p, R1, R2), A**2 / E_star, digits=6)


@given(models(PSEUDOSPINS))
def test_decay_chain(p):
    """(B1) step by step, from E*; and it falls below every power of E."""
    E_star = scales.optimal_energy(p)
    rate = E_star
    for steps in range(1, 6):
        E = E_star * LogArray.of(2.0**steps)
        rate = (rates.chain_matrix_element(p, E) / E) ** 2 * rate
        assert same(rates.chain_rate(p, E), rate, digits=7)
    decades = LogArray(E_star.ln + np.log(10.0) * np.arange(2, 9))
    slopes = np.diff(rates.chain_rate(p, decades).ln)
    assert (np.diff(slopes) < 0).all()
    assert np.diff(slopes) == pytest.approx(np.diff(slopes)[0])  # exp(-ln**2): constant curvature


def test_decay_chain_for_equal_ranges_is_the_printed_one():
    p = spin_model(2, 3, 3, T=1e-3, V=0.3, t=0.05, rho=0.7, W=1.3)
    E, a, d = LogArray.of(1e-7), 3.0, 2.0
    density = p.T * p.rho**2 / p.W**2
    printed = p.t**2 * p.V**2 * density ** (2 * a / d) * E ** (2 * a / d - 3)
    assert same(rates.chain_matrix_element(p, E), printed)
    different = spin_model(2, 3.5, 3, T=1e-3, V=0.3, t=0.05, rho=0.7, W=1.3)
    assert not same(rates.chain_matrix_element(different, E), printed)


def test_total_resonances():
    p = spin_model(2, [3.0, 2.0, 1.5], 1.2, T=1e-3, rho=0.7, t=0.05)
    assert scales.integrated_resonant_spins(p).value[1:].tolist() == [np.inf, np.inf]
    assert scales.total_resonant_spins(p).value[0] == pytest.approx(0.05 * 0.7**1.5)
