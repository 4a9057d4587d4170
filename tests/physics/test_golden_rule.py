"""Golden-rule networks: all hops, their sums, universal numbers, and what is by construction."""

from functools import cache

import numpy as np
import pytest
from scipy.integrate import quad

import delocal
from delocal.physics.disorder import separation, stream
from delocal.physics.model import Status
from delocal.physics.models import load_models
from delocal.physics.parameters import spin_model
from delocal.physics.powers import LogArray
from delocal.physics.relaxation import pseudo2spin_rate, pseudospin_rate, spin_rate
from delocal.physics.scales import (
    delocalization_length,
    optimal_energy,
    optimal_pseudo2spin_energy,
    optimal_pseudo2spin_size,
    optimal_pseudospin_size,
    thermal_pseudospin_size,
)
from delocal.physics.transport.assisted import (
    CHANNELS,
    drag,
    energy_power,
    exists,
    si_factor,
    thermal_factor,
)
from delocal.physics.transport.corrector import Hops, respond
from delocal.physics.transport.golden_rule import (
    KERNELS,
    Rule,
    find_hops,
    moments,
    number_of_states,
    occupation_variance,
    sample_band,
    sample_states,
    sample_strip,
)
from tests.physics.test_corrector import least_power

COLD = {"alpha": 3, "beta": 3, "T": 1e-5, "W": 1}
STRIP = {"d": 2, "alpha": 3, "beta": 3, "W": 0.8, "t": 1, "V": 1, "rmax": 2, "box": 10}


def run(model, fixed, axes=None, options=None, replicas=4):
    request = {"models": [model], "fixed": fixed, "axes": axes or {}}
    request |= {"options": {model: options or {}}, "sampling": {"replicas": replicas}}
    return delocal.run(request)[model].to_dataset()


def universal(rule, nodes, replicas, band=10.0):
    """C of hops within rmax, and its error, without the engine."""
    found = []
    for replica in range(replicas):
        sites = sample_band(rule.d, nodes, band * rule.kernel.width, stream("C", replica))
        response = respond(
            find_hops(sites, rule), sites.positions[:, 0], sites.box, np.ones((1, nodes))
        )
        assert response.solved
        found.append(response.energy.item() / nodes)
    return np.mean(found), np.std(found, ddof=1) / np.sqrt(replicas)


def samples(case):
    rng = stream(case, 0)
    if case == "band":
        return Rule(2, 3.0, rmax=2.0), sample_band(2, 300, 10.0, rng)
    if case == "gaussian":
        return Rule(3, 3.0, KERNELS["gaussian"], rmax=1.0), sample_band(3, 300, 12.0, rng)
    if case == "strip":
        return Rule(1, 2.0, rmax=5.0), sample_strip(1, -7.5, 7.5, 30.0, rng)
    rule = Rule(2, 2.5, rmax=1.5, growth=1 / 3)
    return rule, sample_states(rule, 12.0, 12.0, rng)


def all_pairs(sites, rule):
    """Slow and obvious: every pair, tried."""
    a, b = np.triu_indices(len(sites), 1)
    difference = np.abs(sites.energies[a] - sites.energies[b])
    if sites.band is not None:
        difference = np.minimum(difference, sites.band - difference)
    apart = separation(sites.positions[a], sites.positions[b], sites.box)
    r = np.linalg.norm(apart, axis=1)
    unit = ((sites.energies[a] + sites.energies[b]) / 2) ** rule.growth
    near = (difference < rule.kernel.reach) & (r < rule.rmax * unit)
    rate = np.maximum(r, rule.cap * unit) ** (-2 * rule.range) * rule.kernel.of(difference)
    return dict(zip(zip(a[near], b[near], strict=True), rate[near], strict=True))


@pytest.mark.parametrize("case", ["band", "gaussian", "strip", "states"])
def test_every_hop_is_found_once(case):
    rule, sites = samples(case)
    hops = find_hops(sites, rule)
    found = {
        (min(a, b), max(a, b)): rate
        for a, b, rate in zip(hops.start, hops.end, hops.rate, strict=True)
    }
    expected = all_pairs(sites, rule)
    assert len(found) == len(hops) == len(expected) > 300
    assert found.keys() == expected.keys()
    for pair, rate in expected.items():
        assert found[pair] == pytest.approx(rate, rel=1e-12)


def test_hops_are_in_detailed_balance():
    """n_i (1 - n_j) times the rate, e**((E_i - E_j)/2T) w, is the same both ways, and is g."""
    E = stream("balance", 0).uniform(-5, 5, (2, 100))
    n = 1 / (1 + np.exp(E))
    there = n[0] * (1 - n[1]) * np.exp((E[0] - E[1]) / 2)
    back = n[1] * (1 - n[0]) * np.exp((E[1] - E[0]) / 2)
    g = np.sqrt(occupation_variance(E[0]) * occupation_variance(E[1]))
    np.testing.assert_allclose(there, back, rtol=1e-12)
    np.testing.assert_allclose(there, g, rtol=1e-12)


def test_weights_multiply_rates():
    rule, sites = samples("strip")
    plain, weighted = (
        find_hops(sites, rule, w) for w in (None, occupation_variance(sites.energies / 3))
    )
    n = 1 / (1 + np.exp(sites.energies / 3))
    both = n * (1 - n)
    expected = plain.rate * np.sqrt(both[plain.start] * both[plain.end])
    np.testing.assert_allclose(weighted.rate, expected, rtol=1e-12)


@pytest.mark.parametrize(("d", "a"), [(1, 1.75), (2, 3.0), (3, 3.0)])
@pytest.mark.parametrize("kernel", ["box", "gaussian"])
def test_the_tail_is_the_annealed_sum_over_hops(d, a, kernel):
    """Between 1 and 2 r12, sum w dx**2 per node is what the closed form says, by counting."""
    near, far = (Rule(d, a, KERNELS[kernel], rmax=rmax) for rmax in (1.0, 2.0))
    sums = []
    for replica in range(20):
        sites = sample_band(d, 2500, 12.0, stream("tail", replica))
        inside, all_of = (find_hops(sites, rule) for rule in (near, far))
        power = (all_of.rate @ all_of.step**2) - (inside.rate @ inside.step**2)
        sums.append(power / len(sites))
    expected = near.tail - far.tail
    error = np.std(sums, ddof=1) / np.sqrt(20)
    assert abs(np.mean(sums) - expected) < 4 * error < 0.05 * expected


def test_the_tail_is_infinite_where_hops_are_superdiffusive():
    assert np.isinf(Rule(1, 1.5).tail)
    assert np.isinf(Rule(1, 1.4).tail)


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_have_the_area_and_width_they_say(name):
    kernel = KERNELS[name]

    def moment(k):
        parts = [(0, 1), (1, 20)]  # the box ends at 1
        return 2 * sum(quad(lambda x: x**k * kernel.of(np.asarray(x)), *part)[0] for part in parts)

    area, variance = moment(0), moment(2) / moment(0)
    assert area == pytest.approx(kernel.area, rel=1e-7)
    assert np.sqrt(3 * variance) == pytest.approx(kernel.width, rel=1e-7)
    assert kernel.of(np.array([kernel.reach * 1.0001])) < 1e-5


@pytest.mark.parametrize("s", [0.0, 1.2, 2.0, 7 / 3])
@pytest.mark.parametrize("lowest", [1e-6, 0.3])
def test_moments_are_integrals_over_the_fermi_function(s, lowest):
    for k, found in enumerate(moments(s, lowest)):
        expected = quad(
            lambda u, k=k: np.exp((k - s + 1) * u) / 4 / np.cosh(np.exp(u) / 2) ** 2,
            *(np.log(lowest), np.log(100.0)),
            epsabs=0,
            epsrel=1e-11,
            limit=200,
        )[0]
        assert found == pytest.approx(expected, rel=1e-10)


def test_states_are_drawn_from_their_density():
    rule = Rule(2, 3.0, growth=1 / 3)
    sites = sample_states(rule, 30.0, 40.0, stream("states", 0))
    expected = number_of_states(rule, 30.0) * 40.0**2
    assert abs(len(sites) - expected) < 5 * np.sqrt(expected)
    below = np.mean(sites.energies < 5.0)
    p = number_of_states(rule, 5.0) / number_of_states(rule, 30.0)
    assert abs(below - p) < 5 * np.sqrt(p * (1 - p) / len(sites))
    assert number_of_states(Rule(3, 3.0, growth=1 / 3), np.e) == pytest.approx(1)


COLD_MODELS = [
    spin_model(2, 3, 2.5, 1e-3, 1.3, 0.02, 0.05, 0.7),
    spin_model(3, 5, 3.5, 1e-3, 1.3, 0.02, 0.05, 0.7),
]


@pytest.mark.parametrize("p", COLD_MODELS)
def test_spins_hop_as_the_supplement_says(p):
    """t**2/(E* r12**(2 alpha)) with rho r12**d E*/W = 1 is (S-A.5), and kappa's unit (S-A.9)."""
    E = optimal_energy(p)
    r12 = (p.W / (p.rho * E)) ** (1 / p.d)
    rate = p.t**2 / (E * r12 ** (2 * p.alpha))
    assert (rate / spin_rate(p)).ln == pytest.approx(0, abs=1e-9)
    kappa = p.T * p.rho / p.W * r12**2 * rate  # (S-A.8)
    assert (kappa / CHANNELS["s"].unit(p)).ln == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("p", COLD_MODELS)
@pytest.mark.parametrize("E_over_E_star", [1.0, 7.0])
def test_pseudospins_hop_as_the_paper_says(p, E_over_E_star):
    """V**2/(E* r12**(2 beta)) with r12 = Lc (E/E*)**growth is (32), and the unit E**-s is (36)."""
    E_star, Lc, channel = optimal_energy(p), delocalization_length(p), CHANNELS["ps"]
    E = E_star * LogArray.of(E_over_E_star)
    R1 = (p.t / E) ** (1 / p.alpha)
    r12 = Lc * LogArray.of(E_over_E_star) ** channel.growth(p)
    printed = (p.V / p.t) ** (1 / p.beta) * (optimal_pseudospin_size(p) / R1)
    printed *= optimal_pseudospin_size(p) ** (p.alpha / p.beta)  # (30)
    assert (r12 / printed).ln == pytest.approx(0, abs=1e-9)
    rate = p.V**2 / (E_star * r12 ** (2 * p.beta))
    assert (rate / pseudospin_rate(p, R1)).ln == pytest.approx(0, abs=1e-9)
    unit = p.T * Lc ** (2 - p.d) * (E_star / p.T) ** channel.steepness(p)
    assert (unit / channel.unit(p)).ln == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("R2_over_R2_T", [1.0, 0.3])
def test_pseudo2spins_hop_as_the_paper_says(R2_over_R2_T):
    """With R1 = R1_th, (55) and (58) are the law of pseudo-spins with beta for alpha."""
    p = spin_model(2, 6, 3.5, 1e-3, 1.3, 0.02, 0.05, 0.7)
    R2_T, E_star, channel = optimal_pseudo2spin_size(p), optimal_pseudo2spin_energy(p), "ps2"
    R2 = R2_T * LogArray.of(R2_over_R2_T)
    E_over_E_star = (p.V / R2**p.beta) / E_star
    r12 = R2_T * E_over_E_star ** CHANNELS[channel].growth(p)
    assert (r12 / (R2_T**2 / R2)).ln == pytest.approx(0, abs=1e-9)
    rate = p.V**2 / (E_star * r12 ** (2 * p.beta))
    printed = pseudo2spin_rate(p, thermal_pseudospin_size(p), R2)
    assert (rate / printed).ln == pytest.approx(0, abs=1e-9)
    unit = p.T * R2_T ** (2 - p.d) * (E_star / p.T) ** CHANNELS[channel].steepness(p)
    assert (unit / CHANNELS[channel].unit(p)).ln == pytest.approx(0, abs=1e-9)


def test_a_wider_network_energy_changes_kappa_by_its_power():
    """E* -> lam E*: r12 ~ lam**(-1/d), w(r12) ~ lam**(2 range/d - 1), kappa_s ~ r12**2 w(r12)."""
    p = spin_model(np.array([2, 3]), 3, 3, 1e-3)
    np.testing.assert_allclose(energy_power(CHANNELS["s"], p), [1, 1 / 3])


def test_factors_of_energy():
    p = spin_model([2, 3, 3], [3, 3, 5], [3, 3, 3.5], 1e-3)
    np.testing.assert_allclose(thermal_factor(CHANNELS["s"], p), np.pi**2 / 3)
    I0, I1, I2 = moments(CHANNELS["ps"].steepness(p), (optimal_energy(p) / p.T).value)
    np.testing.assert_allclose(thermal_factor(CHANNELS["ps"], p), I2 - I1**2 / I0, rtol=1e-12)
    np.testing.assert_allclose(drag(CHANNELS["ps"], p), I1**2 / I0 / I2, rtol=1e-12)
    assert (drag(CHANNELS["ps"], p) > 0).all()
    assert np.isnan(thermal_factor(CHANNELS["ps2"], p)).all()


def test_drag_is_large_at_finite_T_and_fades_slowly():
    p = spin_model(2, 3, 3, np.array([0.16, 1e-2, 1e-6]), 0.8, 1, 1)
    found = drag(CHANNELS["ps"], p)
    assert 0.4 < found[0] < 0.5  # T = 10 E*
    assert (np.diff(found) < 0).all()
    assert found[-1] < 1e-6


def test_where_there_is_no_channel():
    fixed = {"d": 1, "alpha": 1.4, "beta": 1.4, "T": 1e-6, "W": 1}  # kappa is infinite
    assert not exists(CHANNELS["s"], spin_model(*fixed.values())).any()
    for model in ("golden-rule-network", "golden-rule-strip"):
        ds = run(model, fixed, replicas=2)
        assert ds.status == Status.OUTSIDE_DOMAIN
        assert all(np.isnan(ds[name]) for name in ("C_s", "kappa_s") if name in ds)
    hot = {"d": 2, "alpha": 3, "beta": 3, "T": 0.9, "W": 1}
    assert run("golden-rule-network", hot, replicas=2).status == Status.OUTSIDE_DOMAIN


@pytest.mark.parametrize(
    ("sites", "rule", "words"),
    [
        (sample_band(2, 100, 10.0, stream("small", 0)), Rule(2, 3.0), "fit twice into a box"),
        (sample_band(2, 900, 2.5, stream("small", 1)), Rule(2, 3.0), "take a wider band"),
    ],
)
def test_a_network_too_small_for_its_hops_is_refused(sites, rule, words):
    with pytest.raises(ValueError, match=words):
        find_hops(sites, rule)


def test_universal_numbers():
    """Against 4.37 and 5.9 of an independent code, hops up to 3 r12."""
    ds = run("golden-rule-network", COLD, {"d": [2, 3]}, replicas=8)
    assert (ds.status == Status.DONE).all()
    assert (ds.C_s_inside_stderr < 0.07).all()
    assert abs(ds.C_s_inside.sel(d=2) - 4.37) < 0.15
    assert abs(ds.C_s_inside.sel(d=3) - 5.9) < 0.2
    assert (ds.flux_error < 1e-5).all()
    assert (ds.imbalance < 1e-5).all()
    np.testing.assert_allclose(ds.C_s - ds.C_s_inside, [np.pi / 18, 4 * np.pi / 9], rtol=1e-12)
    np.testing.assert_allclose(ds.prefactor_s, np.pi**2 / 3 * ds.C_s, rtol=1e-12)
    np.testing.assert_allclose(ds.kappa_s, ds.kappa_s_unit * ds.prefactor_s, rtol=1e-12)
    np.testing.assert_array_equal(ds.C_s, ds.C_ps)  # alpha = beta: one and the same network


@pytest.mark.parametrize(("d", "rmax", "band"), [(1, 60.0, 4.0), (2, 5.0, 4.0)])
def test_slow_decay_has_the_limit_of_many_neighbours(d, rmax, band):
    """At 2 alpha = 1/2 all neighbours count, and their potentials average out: an exact C."""
    rule = Rule(d, 0.25, rmax=rmax, cap=1e-6)
    C, error = universal(rule, 1500, 8, band)
    sphere, power = (2, 2 * np.pi)[d - 1], d + 2 - 2 * rule.range
    neighbours = 2 * sphere / d * rmax**d
    limit = sphere / d * rmax**power / power
    assert neighbours > 150
    assert error < 0.02 * limit
    assert abs(C / limit - 1) < 3 / neighbours + 4 * error / limit


def test_exponents_come_out_by_construction_and_the_dataset_says_so():
    ds = run("golden-rule-network", {**COLD, "d": 2, "nodes": 1000, "rmax": 2}, replicas=2)
    assert ds.kappa_s_exponent.sel(wrt="T") == 4
    assert "by construction" in ds.kappa_s_exponent.comment
    assert "by construction" in ds.kappa_s.comment
    for name in ("kappa_ps", "kappa_ps2"):
        assert "tested" in ds[name].comment


def test_kappa_in_the_units_of_the_user():
    fixed = {**COLD, "d": 3, "nodes": 1000, "rmax": 1.5, "kelvin": 0.5}
    ds = run("golden-rule-network", fixed, replicas=2)
    assert ds.kappa_s_SI / ds.kappa_s == pytest.approx(float(si_factor(3, 0.5, 1e-9)))
    ds = run("golden-rule-network", {**fixed, "metre": 1e-6}, replicas=2)
    assert ds.kappa_s_SI / ds.kappa_s == pytest.approx(float(si_factor(3, 0.5, 1e-6)))
    # two kelvin are twice the energy, and a length of 2 is half as many metres
    assert si_factor(3, 2.0, 2.0) == pytest.approx(si_factor(3, 1.0, 1.0))


def test_in_three_dimensions_the_strip_scales_exactly():
    """(3,3,3): T/E* does not depend on T, so that the same numbers give the same prefactor."""
    model = load_models()["golden-rule-strip"]
    point = {"d": 3, "alpha": 3, "beta": 3, "W": 1, "t": 0.5, "V": 0.5, "rho": 1}
    point |= {"rmax": 1.5, "box": 5, "hottest": 6}
    found = [
        model.replicate(point | {"T": T}, {"channel": "spins"}, stream("3D", 0), lambda: False)
        for T in (0.1, 0.4)
    ]
    assert found[0]["L22"] == pytest.approx(found[1]["L22"], rel=1e-8)
    kappa = [float(CHANNELS["s"].unit(spin_model(3, 3, 3, T, 1, 0.5, 0.5)).value) for T in (1, 8)]
    assert kappa[1] / kappa[0] == pytest.approx(16)  # T**(4/3)


CHECKS = {
    "spins": {**STRIP, "T": 0.3},
    "pseudo-spins": {**STRIP, "T": 0.2, "box": 12},
    "pseudo-spins, alpha > beta": {**STRIP, "beta": 2.5, "T": 0.2, "box": 12},
    "pseudo2-spins": {**STRIP, "alpha": 6, "beta": 3.5, "t": 1.5, "V": 1.5, "T": 0.4, "box": 12},
}


@cache
def strip(case):
    channel = case.split(",")[0]
    return run("golden-rule-strip", CHECKS[case], options={"channel": channel}, replicas=10)


@pytest.mark.parametrize("case", CHECKS)
def test_end_to_end_energy_diffuses_as_in_the_local_limit(case):
    """L22 of all excitations together is the integral over energies of one universal number."""
    ds = strip(case)
    assert ds.status == Status.DONE
    hop_range = CHECKS[case]["alpha" if case == "spins" else "beta"]
    rule = Rule(2, float(hop_range), rmax=2.0)
    C, error = universal(rule, 1600, 20)
    size = 0.05 * C  # a box of 10 r12 is low by 3 %, and ends of energies count
    assert abs(ds.C_energy - C - rule.tail) < 4 * np.hypot(error, ds.C_energy_stderr) + size
    assert ds.C_energy_stderr < 0.05 * C


def test_pseudospins_drag_a_flow_of_number():
    ds = strip("pseudo-spins")
    assert 0.4 < ds.drag < 0.6
    assert ds.kappa / ds.kappa_unit == pytest.approx(float(ds.prefactor))
    assert ds.kappa_stderr < 0.05 * ds.kappa
    assert 0.8 < ds.C / ds.C_energy < 1.0


def test_spins_drag_none():
    """Spins up and down cancel: what a force on number does to energy is 0 on average."""
    ds = strip("spins")
    assert abs(ds.L12) < 4 * ds.L12_stderr
    assert abs(ds.drag) < 0.05


SMALL = {
    "spins": spin_model(2, 3, 2.5, 0.3, 0.8, 1, 1.4, 0.7),
    "pseudo-spins": spin_model(2, 3, 2.5, 0.2, 0.8, 1, 1.4, 0.7),
    "pseudo2-spins": spin_model(2, 6, 3.5, 0.4, 0.8, 1.5, 1.5, 1.0),  # region III
}


@pytest.mark.parametrize("what", SMALL)
def test_a_small_network_conducts_as_kirchhoff_says_in_the_units_of_the_hamiltonian(what):
    """All pairs at their printed rates, densely solved; alpha != beta, and region III."""
    p, model = SMALL[what], load_models()["golden-rule-strip"]
    name, channel = next((n, c) for n, c in CHANNELS.items() if c.what == what)
    point = {n: float(np.asarray(getattr(p, n))) for n in ("d", "alpha", "beta")}
    point |= {n: float(getattr(p, n).value) for n in ("T", "W", "t", "V", "rho")}
    point |= {"rmax": 1.0, "box": 3.2, "hottest": 4.0}
    L = model.replicate(point, {"channel": what}, stream("small", 0), bool)
    kappa = float(channel.unit(p).value) * (L["L22"] - L["L12"] ** 2 / L["L11"])

    E_star = float(channel.energy(p).value)
    amplitude, decay = (point["t"], 3) if name == "s" else (point["V"], point["beta"])
    spacing = {"s": (p.W / (p.rho * optimal_energy(p))) ** 0.5, "ps": delocalization_length(p)}
    r12 = float((optimal_pseudo2spin_size(p) if name == "ps2" else spacing[name]).value)
    rule = Rule(2, decay, rmax=1.0, growth=float(channel.growth(p)))
    T = point["T"] / E_star
    box, hottest, rng = 3.2 * T**rule.growth, 4.0 * T, stream("small", 0)
    sites = (
        sample_strip(2, -hottest, hottest, box, rng)
        if name == "s"
        else sample_states(rule, hottest, box, rng)
    )
    a, b = map(np.array, zip(*all_pairs(sites, rule), strict=True))
    step = separation(sites.positions[a], sites.positions[b], box)
    r = np.linalg.norm(step, axis=1)
    close = rule.cap * ((sites.energies[a] + sites.energies[b]) / 2) ** rule.growth
    rate = amplitude**2 / (E_star * (np.maximum(r, close) * r12) ** (2 * decay))
    n = 1 / (1 + np.exp(sites.energies * E_star / point["T"]))
    g = rate * np.sqrt((n * (1 - n))[a] * (n * (1 - n))[b])
    hops, energies = Hops(a, b, step[:, 0] * r12, g), sites.energies * E_star
    power = least_power(hops, energies, box * r12, np.stack([np.ones(len(n)), energies]))
    exact = (power[1, 1] - power[0, 1] ** 2 / power[0, 0]) / (point["T"] * box * r12) ** 2
    assert 50 < len(sites) < 2000
    assert kappa == pytest.approx(exact, rel=1e-6)


def test_a_strip_that_is_too_large_is_refused():
    ds = run("golden-rule-strip", {**STRIP, "T": 1e-3}, replicas=2)
    assert ds.status == Status.FAILED


@pytest.mark.slow
@pytest.mark.parametrize(
    ("d", "nodes", "replicas", "reaches", "expected", "within"),
    [(2, 4000, 36, (2.0, 3.0, 6.0), 4.55, 0.05), (3, 6000, 12, (2.0, 3.0, 4.0), 7.3, 0.1)],
)
def test_the_tail_makes_universal_numbers_independent_of_rmax(
    d, nodes, replicas, reaches, expected, within
):
    """C = 4.55(5) in d = 2 and 7.3(1) in d = 3, whatever the reach of simulated hops."""
    for rmax in reaches:
        rule = Rule(d, 3.0, rmax=rmax)
        C, error = universal(rule, nodes, replicas)
        assert error < within / 2
        assert abs(C + rule.tail - expected) < within + 2 * error


@pytest.mark.slow
def test_the_form_of_the_kernel_is_a_factor_of_two_but_its_width_decides():
    box, gauss = (Rule(2, 3.0, KERNELS[name]) for name in ("box", "gaussian"))
    C, error = universal(gauss, 4000, 16)
    assert abs(C - 6.7) < 0.1 + 3 * error
    of_box, its_error = universal(box, 4000, 16)
    ratio = (C + gauss.tail) / (of_box + box.tail)
    assert 1.35 < ratio < 1.6
    # a box of the same variance is wider by gauss.kernel.width, and so larger by its square
    assert abs(ratio / gauss.kernel.width**2 - 1) < 0.05 + 3 * np.hypot(error / C, its_error / 4.5)


@pytest.mark.slow
def test_neither_the_cap_nor_the_band_matter():
    reference, error = universal(Rule(2, 3.0), 4000, 16)
    for cap in (0.1, 0.3):
        C, _ = universal(Rule(2, 3.0, cap=cap), 4000, 16)  # the same networks
        assert abs(C / reference - 1) < 0.006
    wide, its_error = universal(Rule(2, 3.0), 8000, 16, band=20.0)
    assert abs(wide - reference) < 4 * np.hypot(error, its_error)


@pytest.mark.slow
def test_the_fitted_exponent_of_T_is_4_by_construction():
    """Over Ns = 4 to 1.5; a colder strip has more excitations, and takes fewer replicas."""
    replicas = {0.128: 10, 0.17: 14, 0.24: 28, 0.34: 64}
    found = [
        run(
            "golden-rule-strip",
            {**STRIP, "box": 8, "T": T},
            options={"channel": "spins"},
            replicas=n,
        )
        for T, n in replicas.items()
    ]
    weight = [float(ds.kappa / ds.kappa_stderr) for ds in found]
    ln_T, ln_kappa = np.log(list(replicas)), np.log([float(ds.kappa) for ds in found])
    (slope, _), covariance = np.polyfit(ln_T, ln_kappa, 1, w=weight, cov="unscaled")
    assert abs(slope - 4) < 0.05
    assert np.sqrt(covariance[0, 0]) < 0.025
