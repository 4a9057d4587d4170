"""Spectral diffusion: the process is exact, and what it gives is what is published of it."""

import itertools

import numpy as np
import pytest
from scipy import stats
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import spsolve

import delocal
from delocal.physics import conductivity, scales
from delocal.physics.disorder import Ensemble, stream
from delocal.physics.model import Cancelled, Status
from delocal.physics.models import load_models
from delocal.physics.models.spectral_diffusion import Regime
from delocal.physics.parameters import spin_model
from delocal.physics.transport import flip_flops
from delocal.physics.transport.flip_flop_kernels import Drive, alias_table, attempt, relax
from delocal.physics.transport.flip_flops import RULES, Rule, annealed_diffusion, draw_sample
from delocal.physics.transport.spectral_diffusion import hot_twin, run_course

DIPOLES = {"d": 3, "alpha": 3, "beta": 3, "t": 1, "V": 1}
HOT = Ensemble(d=3, alpha=3, beta=3, T=72, W=144)


def run(fixed, replicas, axes=None, **options):
    request = {
        "models": ["spectral-diffusion"],
        "axes": axes or {},
        "fixed": {**DIPOLES, **fixed},
        "options": {"spectral-diffusion": options},
        "sampling": {"replicas": replicas},
    }
    return delocal.run(request)["spectral-diffusion"].to_dataset()


def few_spins(number, W=2, beta=1.75):
    """A ring with energies and interactions of the order of 1, all pairs in resonance."""
    spins = Ensemble(d=1, alpha=1.75, beta=beta, T=W / 2, W=W)
    rule = Rule("resonant", 1.0, 3.0, Rmax=number / 2)
    sample = draw_sample(spins, rule, number, stream("few", 0), positions="lattice")
    return sample, sample.pairs._replace(window=np.full(sample.rate.size, np.inf))


def total_energy(sample, spin):
    """Slow and obvious: sum e_i Sz_i + sum_ij V_ij Sz_i Sz_j."""
    start, neighbour, coupling = sample.pairs[-3:]
    twice = sum(
        coupling[n] * spin[k] * spin[neighbour[n]] / 4
        for k in range(spin.size)
        for n in range(start[k], start[k + 1])
    )
    return (sample.energies * spin / 2).sum() + twice / 2


def random_spins(number, rng):
    return rng.permutation(np.arange(number) % 2 * 2 - 1).astype(np.int8)


def test_the_alias_table_has_the_weights():
    weights = stream("alias", 0).exponential(size=1000) ** 4
    threshold, alias = alias_table(weights)
    drawn = np.bincount(alias, 1 - threshold, weights.size) + threshold
    np.testing.assert_allclose(drawn / weights.size, weights / weights.sum(), atol=1e-15)
    assert ((threshold >= 0) & (threshold <= 1)).all()


def test_fields_follow_the_flips():
    sample = draw_sample(HOT, Rule("resonant", 2.0, 3.0, 4.0), 10.0, stream("fields", 0))
    rng = stream("fields", 1)
    spin = random_spins(sample.energies.size, rng)
    field = sample.fields(spin)
    _, hops = attempt(sample.pairs, spin, field, Drive(0.1), 2_000_000, rng)
    assert hops > 1000
    assert spin.sum() == sample.energies.size % 2 * spin.sum()
    np.testing.assert_allclose(field, sample.fields(spin), atol=1e-9)


def test_fields_are_the_energies_of_flips():
    sample, _ = few_spins(9)
    spin = random_spins(9, stream("flips", 0))
    for k, field in enumerate(sample.fields(spin)):
        turned = spin.copy()
        turned[k] *= -1
        change = total_energy(sample, turned) - total_energy(sample, spin)
        assert change == pytest.approx(-spin[k] * field, rel=1e-12)


def chi_square(sample, pairs, step, states):
    """Compare how often each state is visited with the law of Boltzmann at T = 1."""
    code = 1 << np.arange(sample.energies.size)
    order = {int((state > 0) @ code): n for n, state in enumerate(states)}
    seen = np.zeros(len(states))
    spin = states[0].copy()
    field = sample.fields(spin)
    for visit in range(20_000):
        step(pairs, spin, field)
        seen[order[int((spin > 0) @ code)]] += visit >= 100
    expected = np.exp([-total_energy(sample, state) for state in states])
    return stats.chisquare(seen, expected * (seen.sum() / expected.sum())).pvalue


def test_pairs_that_are_left_out_are_never_in_resonance(monkeypatch):
    sample, _ = few_spins(9, 20)
    with monkeypatch.context() as everyone:
        everyone.setattr(flip_flops, "_may_resonate", lambda first, *_: np.full(first.size, True))
        whole, _ = few_spins(9, 20)
    first, second, _, window, shift = whole.pairs[:5]
    seen = np.zeros(first.size, bool)
    for spin in states_of(9):
        field = whole.fields(spin)
        change = spin[first] * (field[second] - field[first]) - shift
        seen |= (spin[first] != spin[second]) & (np.abs(change) < window)
    kept = set(zip(sample.pairs.first, sample.pairs.second, strict=True))
    assert set(zip(first[seen], second[seen], strict=True)) <= kept
    assert len(kept) < first.size


def states_of(number, up=None):
    every = np.array(list(itertools.product([-1, 1], repeat=number)), np.int8)
    return every if up is None else every[(every > 0).sum(axis=1) == up]


@pytest.mark.parametrize(("window", "beta"), [(np.inf, 1.75), (1.5, 1.75), (np.inf, 0.9)])
def test_flip_flops_keep_the_law_of_boltzmann(window, beta):
    """Within a window not all states are reached, but the law of Boltzmann stays as it is."""
    sample, pairs = few_spins(6, beta=beta)
    rng = stream("boltzmann", 0)
    states = states_of(6, 3)

    def step(pairs, spin, field):
        narrow = pairs._replace(window=np.full_like(pairs.window, window))
        for some in (pairs, narrow):
            attempt(some, spin, field, Drive(0.0, 1.0), 100, rng)

    assert chi_square(sample, pairs, step, states) > 1e-3
    wrong = pairs._replace(shift=np.zeros_like(pairs.shift))  # as if a pair shifted itself
    assert chi_square(sample, wrong, step, states) < 1e-9


def test_single_spins_reach_the_law_of_boltzmann():
    sample, pairs = few_spins(5)
    rng = stream("glauber", 0)

    def step(pairs, spin, field):
        relax(pairs, spin, field, 1.0, 100, rng)

    assert chi_square(sample, pairs, step, states_of(5)) > 1e-3


def kirchhoff(sample):
    """D of a static sample: sum of rate (x + V_j - V_i)**2 / N at its least."""
    i, j, x = sample.pairs.first, sample.pairs.second, sample.pairs.displacement
    resonant = np.abs(sample.energies[j] - sample.energies[i]) < sample.pairs.window
    i, j, x, g = (a[resonant] for a in (i, j, x, sample.rate))
    N = sample.energies.size
    rows, columns = np.concatenate([i, j, i, j]), np.concatenate([i, j, j, i])
    matrix = coo_array((np.concatenate([g, g, -g, -g]), (rows, columns)), shape=(N, N)).tocsc()
    source = np.bincount(i, g * x, N) - np.bincount(j, g * x, N)
    label = connected_components(matrix)[1]
    grounded = np.unique(label, return_index=True)[1]
    free = np.setdiff1d(np.arange(N), grounded)
    potential = np.zeros(N)
    potential[free] = spsolve(matrix[free][:, free], source[free])
    current = g * (x + potential[j] - potential[i])
    energy_form = (current * (x + potential[j] - potential[i])).sum() / N
    flux_form = (current * x).sum() / N
    assert flux_form == pytest.approx(energy_form, rel=1e-8)
    return flux_form


def static_ratio(X, time, runs, W=4.0):
    """D of the process over that of Kirchhoff on one static sample, in units of R0, E0 = 1."""
    spins = Ensemble(d=3, alpha=3, beta=3, T=W / 2, W=W)
    rule, rng = Rule("resonant", 1.0, 3.0, 2.0), stream("static", 0)
    sample = draw_sample(spins, rule, 6.0, rng, shifts=False)
    found = [
        run_course(sample, Drive(X), time / 256, 256, 16, stream("static", 1 + i)).current
        for i in range(runs)
    ]
    ratio = 4 * np.array(found) / sample.energies.size / kirchhoff(sample)
    return ratio.mean(), ratio.std(ddof=1) / runs**0.5


def test_a_static_sample_conducts_as_kirchhoff_says():
    ratio, error = static_ratio(0.2, 12_000, 8)
    assert error < 0.006
    assert abs(ratio - 1) < 0.02


def test_nothing_moves_without_shifts():
    ds = run({"W": 144}, 4, shifts="off")
    assert abs(ds.F) < 0.3
    assert ds.F_stderr < 0.1
    assert np.isnan(ds.tau)
    assert ds.overlap[-1] > 0.5


def test_the_prefactor_in_three_dimensions():
    ds = run({"W": 144}, 32)
    assert ds.F_stderr < 0.35
    assert abs(ds.F - 11.0) < 0.8 + 2 * ds.F_stderr
    assert abs(ds.G - 330) < 40
    assert ds.regime == Regime.within


@pytest.mark.parametrize(
    ("ranges", "spins"),
    [
        ((3, 3, 3), (0.02, 2.0, 0.03, 0.03, 0.7)),
        ((2, 3, 3), (0.5, 2.0, 0.3, 0.3, 0.7)),
        ((2, 3, 2.5), (0.5, 2.0, 0.3, 0.2, 0.7)),
        ((3, 4, 3.5), (0.5, 3.0, 0.06, 0.2, 1.3)),
    ],
)
def test_the_conductivity_is_that_of_the_paper_times_its_prefactor(ranges, spins):
    """F pi**2/3 4**(beta (2 alpha - d - 2)/D) times Eq. (77), whatever T, W, t, V, rho, alpha."""
    d, alpha, beta = ranges
    fixed = dict(
        zip(("d", "alpha", "beta", "T", "W", "t", "V", "rho"), (*ranges, *spins), strict=True)
    )
    ds = run({**fixed, "c": 4, "duration": 6}, 2)
    assert ds.status == Status.DONE
    p = spin_model(*ranges, *spins)
    four = 4 ** (beta / float(p.D))
    factor = np.pi**2 / 3 * four ** (2 * alpha - d - 2)
    paper = conductivity.kappa_spectral_diffusion(p).value
    assert ds.kappa / ds.prefactor == pytest.approx(paper, rel=1e-9)
    assert ds.prefactor / ds.F == pytest.approx(factor, rel=1e-9)
    assert ds.prefactor_stderr / ds.F_stderr == pytest.approx(factor, rel=1e-9)
    assert ds.R1 * four == pytest.approx(scales.optimal_pseudospin_size(p).value, rel=1e-9)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("alpha", "beta"), [(3.0, 3.0), (3.5, 3.0)])
def test_units_of_energy_and_length_are_free(rule, alpha, beta):
    """The same random numbers in other units: D is an energy times length**2, F a number."""
    model, (energy, length) = load_models()["spectral-diffusion"], (3.7, 0.6)
    one = {p.name: p.default for p in model.parameters if p.default is not None}
    one |= {"d": 3, "alpha": alpha, "beta": beta, "T": 4.0, "W": 20.0, "t": 2.0, "V": 0.7}
    one |= {"rho": 0.9, "c": 2.0, "duration": 6.0}
    other = one | {"T": one["T"] * energy, "W": one["W"] * energy, "rho": one["rho"] / length**3}
    other |= {"t": one["t"] * energy * length**alpha, "V": one["V"] * energy * length**beta}
    options = {option.name: option.choices[0] for option in model.options} | {"rule": rule}
    found, scaled = (
        model.replicate(point, options, stream("units", 0), bool) for point in (one, other)
    )
    assert found["hops"] == scaled["hops"] > 0
    assert scaled["D"] == pytest.approx(found["D"] * energy * length**2, rel=1e-9)
    assert scaled["F"] == pytest.approx(found["F"], rel=1e-9)
    np.testing.assert_array_equal(scaled["overlap"], found["overlap"])


@pytest.mark.parametrize("rule", RULES)
def test_far_hops_add_what_the_tail_says(rule):
    """Mean over the disorder of 1/N sum of rate x**2 over the pairs in resonance."""
    spins = Ensemble(d=3, alpha=3, beta=3, T=5, W=10)
    near, far = 2.0, 4.0
    made = Rule(rule, near, 3.0, Rmax=far, Rmin=near)
    found = []
    for replica in range(20):
        static = draw_sample(spins, made, 10.0, stream("tail", replica), shifts=False)
        hops = static.rate * static.pairs.displacement**2
        found.append(hops.sum() / static.energies.size)
    expected = annealed_diffusion(spins, near) - annealed_diffusion(spins, far)
    error = np.std(found, ddof=1) / len(found) ** 0.5
    assert error < 0.02 * expected
    # A window w has the chance 2 w/W less (w/W)**2, below 1 % of it here.
    assert abs(np.mean(found) - expected) < 4 * error + 0.01 * expected


def test_every_rule_and_option_runs():
    for rule in RULES:
        assert run({"W": 60, "duration": 6}, 2, rule=rule).hops > 0
    assert run({"W": 60, "duration": 6}, 2, hopping="gaussian", positions="lattice").hops > 0
    cold = run({"W": 144, "T": 6, "duration": 6}, 2, temperature="direct")
    assert cold.status == Status.DONE
    assert cold.kappa > 0


def test_limits_are_flagged():
    W = [30, 60, 144, 600]
    ds = run({"c": 2.6, "duration": 6, "box": 3.0}, 2, {"W": W})  # box < 2 Rmax: nothing is run
    assert (ds.regime == Regime.small_box).all()
    assert (ds.status == Status.OUTSIDE_DOMAIN).all()
    assert ds.F.isnull().all()
    ds = run({"box": 4.0, "c": 3.4, "duration": 6}, 2, {"W": [30, 60, 160]})
    assert [Regime(int(r)).name for r in ds.regime] == ["few_spins", "few_spins", "within"]
    ds = run({"box": 4.0, "c": 2.0, "duration": 6}, 2, {"W": [40]})
    assert ds.regime == Regime.weak_disorder
    ds = run({"d": 2, "W": 12, "c": 4}, 2, positions="lattice")
    assert ds.regime == Regime.convention
    assert "no exponent of W follows" in ds.F.comment


def test_no_band_is_wider_than_the_disorder():
    ds = run({"W": 80, "c": 2.5, "duration": 6}, 2, {"T": [20.0, 20.1]})
    assert ds.status.values.tolist() == [Status.DONE, Status.OUTSIDE_DOMAIN]
    assert ds.regime.values.tolist() == [Regime.within, Regime.outside]
    with pytest.raises(ValueError, match="wider than W"):
        hot_twin(Ensemble(d=3, alpha=3, beta=3, T=16, W=60))


def test_bad_samples_are_refused_with_advice():
    rng = stream("bad", 0)
    with pytest.raises(ValueError, match="enlarge it"):
        draw_sample(HOT, Rule("resonant", 2.0, 3.0, 4.0), 7.0, rng)
    with pytest.raises(ValueError, match="take a larger c"):
        draw_sample(HOT, Rule("resonant", 2.0, 3.0, 40.0), 90.0, rng)
    with pytest.raises(ValueError, match="no pair"):
        draw_sample(HOT, Rule("resonant", 0.1, 3.0, 0.5), 1.0, rng)
    with pytest.raises(ValueError, match="far hops make D"):
        annealed_diffusion(Ensemble(d=1, alpha=1.2, beta=1.2, T=1, W=2), 1.0)


def test_a_run_is_cancelled_between_segments():
    sample = draw_sample(HOT, Rule("resonant", 2.0, 3.0, 4.0), 10.0, stream("cancel", 0))
    looks = iter([False, False, True])
    with pytest.raises(Cancelled):
        run_course(sample, Drive(0.1), 1.0, 300, 0, stream("cancel", 1), lambda: next(looks))


@pytest.mark.slow
def test_the_linear_force_is_small_enough():
    """At X = 0.8/R0 a sample conducts too little, at 0.4 by less than 2 %, at 0.2 not at all."""
    strong, _ = static_ratio(0.8, 3000, 16)
    middle, error = static_ratio(0.4, 12_000, 16)
    weak, weak_error = static_ratio(0.2, 24_000, 32)
    assert error < 0.003
    assert weak_error < 0.003
    assert abs(middle - 1) < 0.02 + 2 * error
    assert abs(weak - 1) < min(0.02, 4 * weak_error)
    assert strong < middle


@pytest.mark.slow
def test_the_prefactor_in_three_dimensions_at_length():
    ds = run({"W": 144}, 200)
    assert ds.F_stderr < 0.12
    assert abs(ds.F - 11.0) < 0.8
    assert abs(ds.G - 330) < 15


@pytest.mark.slow
def test_the_tail_stands_for_the_hops_beyond():
    ds = run({"W": 144, "box": 5}, 100, {"Rmax": [1.0, 1.3, 1.6, 2.0, 2.4]})
    assert (ds.F_stderr < 0.3).all()
    assert abs(ds.F / ds.F.sel(Rmax=2) - 1).max() < 0.1


def exponent(W, values, errors):
    """The exponent of W and its error, by weighted least squares of the logarithms."""
    fit, covariance = np.polyfit(
        np.log(W), np.log(values), 1, w=np.array(values) / np.array(errors), cov="unscaled"
    )
    return fit[0], covariance[0, 0] ** 0.5


def over_disorder(cap, replicas=(200, 120, 40, 14), W=(72, 144, 288, 576), **options):
    """The exponents of D and of 1/tau with their errors, `cap` a function of W."""
    found = [run({"W": w, "cap": cap(w)}, n, **options) for w, n in zip(W, replicas, strict=True)]
    D, dD, tau, dtau = (
        [float(ds[name]) for ds in found] for name in ("D", "D_stderr", "tau", "tau_stderr")
    )
    slope, error = exponent(W, tau, dtau)
    return exponent(W, D, dD), (-slope, error)


@pytest.mark.slow
@pytest.mark.parametrize(
    "cap", [lambda W: 3.0, lambda W: 3.0 * W / 144], ids=["of blocks", "absolute"]
)
def test_exponents_of_disorder_in_three_dimensions(cap):
    """-4/3 and -2 in theory. A cap that is an absolute energy is no less natural."""
    (of_D, error), (of_rate, rate_error) = over_disorder(cap)
    assert error < 0.02
    assert rate_error < 0.05
    assert abs(of_D + 1.29) < 0.10
    assert abs(of_rate + 2.0) < 0.12


@pytest.mark.slow
@pytest.mark.parametrize(("c", "F"), [(1.5, 2.46), (2, 4.48), (3, 9.3)])
def test_in_two_dimensions_the_prefactor_is_one_of_the_convention(c, F):
    """With hops of R0 = R1/c and more, F depends on c and not on the number M = (W/c)**2."""
    fixed = {"d": 2, "c": c, "Rmin": 1, "box": 5}
    few, many = (
        run({**fixed, "W": W}, n, positions="lattice") for W, n in ((4 * c, 60), (6.3 * c, 30))
    )
    assert abs(few.F - F) < 0.1 * F + 3 * few.F_stderr
    assert abs(many.F - few.F) < 0.05 * F + 3 * np.hypot(few.F_stderr, many.F_stderr)
    assert few.regime == many.regime == Regime.convention


@pytest.mark.slow
def test_a_cold_strip_conducts_as_its_twin():
    twin = run({"W": 144, "T": 4.0}, 60)
    cold = run({"W": 144, "T": 4.0}, 24, temperature="direct")
    error = np.hypot(cold.kappa_stderr / cold.kappa, twin.kappa_stderr / twin.kappa)
    assert error < 0.05
    assert abs(cold.kappa / twin.kappa - 1) < 0.05 + 2 * error
    assert abs(cold.G / twin.G - 1) < 0.2
