"""Level statistics against QuSpin, Kronecker products, Poisson and GOE, and the flow with size."""

import threading
import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array
from threadpoolctl import threadpool_info, threadpool_limits

import delocal
from delocal.physics.disorder import stream
from delocal.physics.level_flow import NU_ORTHOGONAL, critical_point, crosses, growth_exponent
from delocal.physics.levels import (
    GOE,
    POISSON,
    inverse_participation,
    middle_states,
    one_thread,
    spacing_ratios,
)
from delocal.physics.model import Cancelled, Status
from delocal.physics.models import load_models
from delocal.physics.spectral_window import levels_near, peaked
from delocal.physics.spin_rings import (
    draw_ring,
    energy_at,
    hamiltonian,
    mean_ratio,
    sparse_hamiltonian,
    states,
)
from delocal.physics.thresholds import Estimate

SPIN_Z = np.diag([-0.5, 0.5])  # in the order down, up: the bits 0 and 1
SPIN_PLUS = np.array([[0.0, 0.0], [1.0, 0.0]])


def some_ring(N, W=10.0, *, alpha=1.5, beta=1.2, t=1.0, V=0.7, number=0):
    return draw_ring(N, alpha, beta, W, t, V, stream("rings", number))


def ratios(N, W, number, *, alpha=1.5, t=1.0, name="ratios"):
    """Return <r> of some realizations with alpha = beta."""
    rng = stream(f"{name} {N} {W} {alpha} {t}", 0)
    return np.array(
        [mean_ratio(draw_ring(N, alpha, alpha, W, t, t or 1.0, rng), rng) for _ in range(number)]
    )


def stderr(values):
    return np.std(values, ddof=1) / np.sqrt(len(values))


@pytest.mark.parametrize("N", [8, 10])
def test_spectra_equal_those_of_quspin(N):
    with warnings.catch_warnings():  # of escapes in its texts, where it has no byte code yet
        warnings.simplefilter("ignore")
        from quspin.basis import spin_basis_1d
        from quspin.operators import hamiltonian as quspin_hamiltonian

    ring = some_ring(N)
    pairs = [(i, j) for i in range(N) for j in range(i)]
    hopping = [[ring.J[i, j], i, j] for i, j in pairs]
    terms = [
        ["z", [[ring.e[i], i] for i in range(N)]],
        ["+-", hopping],
        ["-+", hopping],
        ["zz", [[ring.U[i, j], i, j] for i, j in pairs]],
    ]
    theirs = quspin_hamiltonian(
        terms,
        [],
        basis=spin_basis_1d(N, Nup=N // 2, pauli=False),
        dtype=np.float64,
        check_herm=False,
        check_symm=False,
        check_pcon=False,
    )
    ours = np.linalg.eigvalsh(hamiltonian(ring))
    known = np.linalg.eigvalsh(theirs.toarray())
    np.testing.assert_allclose(ours, known, rtol=0, atol=1e-12 * abs(known).max())


def test_the_matrix_is_that_of_kronecker_products():
    ring, N = some_ring(6), 6

    def at(operator, i):
        """Place an operator on spin i, which is bit i of a state."""
        return np.kron(np.kron(np.eye(2 ** (N - 1 - i)), operator), np.eye(2**i))

    z, plus = ([at(operator, i) for i in range(N)] for operator in (SPIN_Z, SPIN_PLUS))
    H = sum(ring.e[i] * z[i] for i in range(N))
    for i in range(N):
        for j in range(i):
            flip = plus[i] @ plus[j].T
            H = H + ring.J[i, j] * (flip + flip.T) + ring.U[i, j] * z[i] @ z[j]
    here = np.ix_(states(N), states(N))
    np.testing.assert_allclose(hamiltonian(ring), H[here], rtol=0, atol=1e-14)
    np.testing.assert_array_equal(sparse_hamiltonian(ring).toarray(), hamiltonian(ring))


def test_couplings_fall_off_around_the_ring_with_random_signs():
    ring = some_ring(8, alpha=2.0, beta=1.0, t=3.0, V=5.0)
    np.testing.assert_allclose(np.abs(ring.J[0, 1:]), 3 / np.array([1, 4, 9, 16, 9, 4, 1]))
    np.testing.assert_allclose(np.abs(ring.U[0, 1:]), 5 / np.array([1, 2, 3, 4, 3, 2, 1]))
    np.testing.assert_array_equal(ring.J, ring.J.T)
    signs = np.sign([some_ring(8, number=n).J[0, 1] for n in range(64)])
    assert abs(signs.sum()) < 4 * 8  # four standard deviations of 64 coins
    with pytest.raises(ValueError, match="even number"):
        draw_ring(7, 1, 1, 1, 1, 1, stream("odd", 0))


def test_independent_levels_have_the_ratio_of_poisson():
    """Their law is 2/(1 + r)**2."""
    levels = stream("poisson", 0).exponential(size=(20_000, 3)).cumsum(axis=1)
    r = np.array([spacing_ratios(three)[0] for three in levels])
    variance = 3 - 4 * np.log(2) - POISSON**2
    assert abs(r.mean() - POISSON) < 4 * np.sqrt(variance / r.size)


def test_random_matrices_have_the_ratio_and_the_participation_of_goe():
    rng, n = stream("goe", 0), 300
    r, ipr = [], []
    for _ in range(40):
        matrix = rng.standard_normal((n, n))
        levels, vectors = middle_states(matrix + matrix.T)
        r.append(spacing_ratios(levels).mean())
        ipr.append(inverse_participation(vectors).mean())
    assert abs(np.mean(r) - GOE) < 4 * stderr(r)
    assert abs(np.mean(ipr) - 3 / (n + 2)) < 4 * stderr(ipr)  # of a random unit vector


def test_few_levels_have_no_ratio():
    with pytest.raises(ValueError, match="it takes 3"):
        spacing_ratios(np.array([0.0, 1.0]))


def test_a_ring_without_hopping_is_localized_and_a_clean_one_is_not():
    localized = ratios(12, 20.0, 60, t=1e-6)
    assert abs(localized.mean() - POISSON) < 4 * stderr(localized) + 0.002  # of the finite ring
    extended = ratios(12, 6.0, 60)
    assert stderr(extended) < 0.0025
    assert abs(extended.mean() - GOE) < 0.01
    between = ratios(12, 20.0, 40)
    assert localized.mean() + 0.03 < between.mean() < extended.mean() - 0.03


@pytest.mark.parametrize("W", [4.0, 30.0])
def test_a_window_has_the_levels_of_the_whole_spectrum_without_a_gap(W):
    ring = some_ring(12, W)
    every = np.linalg.eigvalsh(hamiltonian(ring))
    energy = every[400] + 0.3 * (every[401] - every[400])
    window = levels_near(sparse_hamiltonian(ring), energy, 40, stream("window", 0))
    first = np.abs(every - window[0]).argmin()
    np.testing.assert_allclose(window, every[first : first + 40], rtol=0, atol=1e-11 * W)
    nearest = np.argsort(np.abs(every - energy))[:40]
    assert abs(first - nearest.min()) <= 1  # the filter is not quite symmetric


def test_too_steep_a_filter_is_made_flatter():
    """In a spectrum with a gap at the energy the density is guessed too high."""
    far = np.concatenate([np.linspace(-2, -1, 300), np.linspace(1, 2, 300)])
    window = levels_near(csr_array(np.diag(far)), 0.05, 10, stream("gap", 0))
    np.testing.assert_allclose(window, far[300:310], atol=1e-10)


def test_the_filter_has_its_maximum_at_the_energy():
    x = np.linspace(-1, 1, 20_001)
    bell = np.polynomial.chebyshev.chebval(x, peaked(-0.3, 200))
    assert abs(x[bell.argmax()] + 0.3) < 1e-3
    assert np.abs(bell[abs(x + 0.3) > 0.05]).max() < 0.1


@pytest.mark.parametrize(("W", "within"), [(2.0, 0.05), (20.0, 0.02)])
def test_shares_of_the_spectrum_are_found_without_it(W, within):
    for number in range(5):
        ring = some_ring(12, W, number=number)
        every = np.linalg.eigvalsh(hamiltonian(ring))
        for share in (1 / 3, 1 / 2, 2 / 3):
            energy = energy_at(sparse_hamiltonian(ring), share)
            assert abs((every < energy).mean() - share) < within


def test_results_are_the_same_bytes_for_any_number_of_threads():
    model = load_models()["level-statistics"]
    point = {"N": 12, "alpha": 1.5, "beta": 1.5, "W": 6.0, "t": 1.0, "V": 1.0}
    found = []
    for threads in (1, 2, 4):
        with threadpool_limits(limits=threads, user_api="blas"):
            before = threads_of_blas()
            replica = model.replicate(point, {"realizations": 4}, stream("threads", 0), bool)
            assert threads_of_blas() == before
        found.append(replica["r"])
    assert len(set(found)) == 1


def threads_of_blas():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_callers_wait_for_each_other_and_the_number_of_threads_is_restored():
    seen = []

    def look():
        with one_thread():
            seen.extend(threads_of_blas())

    before = threads_of_blas()
    other = threading.Thread(target=look)
    with one_thread():
        other.start()
        other.join(0.1)
        assert other.is_alive()
        assert not seen
    other.join(60)
    assert set(seen) == {1}
    assert threads_of_blas() == before


@pytest.mark.parametrize("N", [12, 16])
def test_a_sweep_that_nobody_wants_ends_between_and_within_realizations(N):
    model = load_models()["level-statistics"]
    point = {"N": N, "alpha": 1.5, "beta": 1.5, "W": 6.0, "t": 1.0, "V": 1.0}
    asked = []

    def cancelled():
        asked.append(True)
        return len(asked) == 3

    with pytest.raises(Cancelled):
        model.replicate(point, {"realizations": 16}, stream("cancel", 0), cancelled)
    assert len(asked) == 3


def test_where_a_curve_crosses_a_level():
    rng = stream("crossing", 0)
    x, error = np.linspace(1, 3, 7), 0.01
    pulls = []
    for _ in range(300):
        y = 0.3 * x**2 - 0.2 * x + error * rng.standard_normal(x.size)
        found = crosses(x, y, np.full(x.size, error), 0.8)  # at x = 2
        pulls.append((found.value - 2) / found.stderr)
    assert abs(np.mean(pulls)) < 4 / np.sqrt(300)
    assert abs(np.std(pulls) - 1) < 4 / np.sqrt(600)
    assert np.isnan(crosses(x, x, np.ones(x.size), 9.0).value)
    with pytest.raises(ValueError, match="degree 2"):
        crosses([1, 2], [1, 2], [1, 1], 1.5)


def test_where_curves_of_two_sizes_collapse():
    rng, error = stream("collapse", 0), 2e-3
    x, L = np.tile(np.linspace(0.9, 1.3, 5), 2), np.repeat([8.0, 12.0], 5)
    scaled = (x - 1.15) * L ** (1 / NU_ORTHOGONAL)
    pulls, chi2 = [], []
    for _ in range(200):
        y = 0.5 + 0.04 * scaled - 0.005 * scaled**3 + error * rng.standard_normal(x.size)
        found, misfit = critical_point(x, L, y, np.full(x.size, error))
        pulls.append((found.value - 1.15) / found.stderr)
        chi2.append(misfit)
    assert abs(np.mean(pulls)) < 4 / np.sqrt(200) + 0.1  # bias of the fit, which is not linear
    assert abs(np.std(pulls) - 1) < 4 / np.sqrt(400) + 0.1
    assert abs(np.mean(chi2) - 1) < 4 * np.sqrt(2 / 5 / 200)  # five degrees of freedom
    with pytest.raises(ValueError, match="add some"):
        critical_point(x[:5], L[:5], y[:5], np.ones(5))


def test_the_logarithm_takes_a_part_of_the_exponent():
    N = np.array([10, 12, 14])
    W = [Estimate(float(5 * n**0.9), 0.1) for n in N]
    bare, chi2 = growth_exponent(N, W)
    assert abs(bare.value - 0.9) < 1e-12
    assert chi2 < 1e-20
    with_logarithm, _ = growth_exponent(N, W, 1.0)
    # d ln ln N / d ln N = 1 / ln N
    assert 1 / np.log(14) < bare.value - with_logarithm.value < 1 / np.log(10)


def test_the_exponent_of_the_theory_is_that_of_the_critical_disorder():
    alpha = np.array([1.0, 1.5, 2.5])
    known = load_models()["level-statistics"].evaluate({"N": 10, "alpha": alpha, "beta": alpha}, {})
    np.testing.assert_allclose(known["W_c_exponent"], 2 - alpha)
    assert known["n_states"] == len(states(10)) == 252


def test_an_odd_number_of_spins_is_outside_the_domain():
    request = {
        "models": ["level-statistics"],
        "axes": {"N": [9, 10]},
        "fixed": {"alpha": 1.5, "beta": 1.5, "W": 6},
        "sampling": {"replicas": 2},
    }
    ds = delocal.run(request)["level-statistics"].to_dataset()
    assert ds.status.values.tolist() == [Status.OUTSIDE_DOMAIN, Status.DONE]
    assert np.isnan(ds.n_states[0])


WINDOWS = {
    1.0: [16, 19, 22, 26, 31],
    1.25: [14, 16, 19, 22, 26],
    1.5: [12, 14, 16, 19, 22],
    2.5: [7, 8.5, 10, 12, 14],
}


def growth_at(alpha):
    """Return the exponent of W at <r> = 0.46, as `delocal reproduce level-growth` has it."""
    disorders, sizes = [], {10: (16, 60), 12: (4, 30)}
    for N, (realizations, replicas) in sizes.items():
        request = {
            "models": ["level-statistics"],
            "axes": {"W": WINDOWS[alpha]},
            "fixed": {"alpha": alpha, "beta": alpha, "N": N},
            "options": {"level-statistics": {"realizations": realizations}},
            "sampling": {"replicas": replicas},
        }
        ds = delocal.run(request)["level-statistics"].to_dataset()
        found = crosses(np.log(ds.W), ds.r, ds.r_stderr, 0.46)
        disorders.append(Estimate(np.exp(found.value), np.exp(found.value) * found.stderr))
    return growth_exponent(list(sizes), disorders)[0]


@pytest.mark.slow
def test_the_disorder_at_one_ratio_grows_the_slower_the_shorter_the_range():
    """The theory has exponents 1, 0.75, 0.5 and no growth; sizes this small give their order."""
    growth = [growth_at(alpha) for alpha in WINDOWS]
    values = [found.value for found in growth]
    assert values == sorted(values, reverse=True)  # measured: 0.79(9), 0.73(10), 0.68(9), 0.16(11)
    middle, shortest = growth[2:]
    assert middle.value - shortest.value > 3 * np.hypot(middle.stderr, shortest.stderr)
