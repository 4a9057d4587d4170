"""The random banded matrix of the optimal network: its law, its limits, its transition."""

import numpy as np
import pytest

import delocal
from delocal.physics.disorder import close_pairs, separation, stream
from delocal.physics.level_flow import critical_point
from delocal.physics.levels import GOE, POISSON
from delocal.physics.model import Cancelled, Status
from delocal.physics.models import load_models
from delocal.physics.optimal_network import COUPLINGS, banded_matrix, draw_network


def ratio_of(L, N2, number, *, d=3, name="optimal", **options):
    """Return <r> and its standard error over realizations, and the other means."""
    model = load_models()["optimal-network"]
    chosen = {"couplings": "uniform", "hopping": "full", "realizations": 1, **options}
    replicas = [
        model.replicate({"d": d, "N2": N2, "L": L}, chosen, stream(f"{name} {d} {N2} {L}", k), bool)
        for k in range(number)
    ]
    assert all("status" not in replica for replica in replicas)
    r = np.array([replica["r"] for replica in replicas])
    means = {key: np.mean([replica[key] for replica in replicas]) for key in replicas[0]}
    return r.mean(), r.std(ddof=1) / np.sqrt(number), means


@pytest.mark.parametrize("d", [1, 2, 3])
def test_pairs_in_reach_are_those_of_brute_force(d):
    positions = 4.0 * stream("pairs", d).random((40, d))
    brute = [
        (a, b)
        for a in range(40)
        for b in range(a + 1, 40)
        if np.sum(separation(positions[a], positions[b], 4.0) ** 2) <= 1
    ]
    assert list(zip(*(end.tolist() for end in close_pairs(positions, 4.0, 1.0)), strict=True)) == (
        brute
    )


@pytest.mark.parametrize("d", [1, 2, 3])
def test_a_dense_network_is_one_cluster_of_the_degree_of_its_density(d):
    """Poisson points: mean degree N2 times the volume of the unit ball."""
    N2, L, ball = {1: (8.0, 40.0, 2), 2: (4.0, 12.0, np.pi), 3: (3.0, 6.0, 4 * np.pi / 3)}[d]
    networks = [draw_network(d, N2, L, stream("dense", k)) for k in range(20)]
    degrees = np.array([2 * len(n.u) / len(n) for n in networks])
    assert all(n.share > 0.98 for n in networks)
    assert abs(degrees.mean() - N2 * ball) < 4 * degrees.std(ddof=1) / np.sqrt(20) + 0.02 * N2
    sites = np.array([len(n) for n in networks])
    assert abs(sites.mean() - N2 * L**d) < 4 * np.sqrt(N2 * L**d / 20) + 0.02 * N2 * L**d


def test_the_cluster_is_connected_and_the_rest_is_left_out():
    network = draw_network(2, 1.2, 10.0, stream("cluster", 0))
    assert 0.05 < network.share < 1
    graph = banded_matrix(network) != 0
    reached = np.zeros(len(network), bool)
    reached[0] = True
    for _ in range(len(network)):
        reached |= graph[reached].any(axis=0)
    assert reached.all()


def test_the_matrix_has_energies_and_hopping_of_order_one():
    network = draw_network(3, 1.5, 6.0, stream("matrix", 0))
    matrix, turned = banded_matrix(network), banded_matrix(network, transverse=True)
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_array_equal(np.diag(matrix), np.hypot(network.x, network.z))
    np.testing.assert_array_equal(matrix[network.a, network.b], network.u)
    n = np.stack([network.x, network.z]) / network.energies
    np.testing.assert_allclose(np.linalg.norm(n, axis=0), 1)
    hopping = network.u * n[0, network.a] * n[0, network.b]
    np.testing.assert_allclose(turned[network.a, network.b], hopping)
    assert np.count_nonzero(matrix) == len(network) + 2 * len(network.u)


@pytest.mark.parametrize(("law", "variance"), [("uniform", 1 / 3), ("signs", 1), ("gaussian", 1)])
def test_couplings_have_their_law(law, variance):
    u = COUPLINGS[law](stream(law, 0), 40_000)
    assert abs(u.mean()) < 4 * np.sqrt(variance / u.size)
    spread = (u**2).std() / np.sqrt(u.size)
    assert abs((u**2).mean() - variance) < 4 * spread + 1e-12


def test_the_transverse_hopping_of_two_pseudospins_is_what_equation_20_lets_hop():
    """In the frame where each field is along z, the flip-flop element of u (n tau)(n tau)."""
    tau_x, tau_z, one = np.array([[0, 1], [1, 0]]), np.diag([1, -1]), np.eye(2)
    fields, u = [(0.6, 0.8), (-0.28, 0.96)], 0.37
    turned = []
    for x, z in fields:
        _, axes = np.linalg.eigh(x * tau_x + z * tau_z)
        axes = axes[:, ::-1] * np.sign(axes[0, ::-1] if z > 0 else 1)
        turned.append(axes.T @ tau_z @ axes)
    coupling = u * np.kron(turned[0], turned[1])
    network = draw_network(3, 1.5, 6.0, stream("two", 0))
    x, z = np.array(fields).T
    two = type(network)(x, z, np.array([0]), np.array([1]), np.array([u]), 1.0)
    assert abs(abs(banded_matrix(two, transverse=True)[0, 1]) - abs(coupling[1, 2])) < 1e-12
    assert one.shape == tau_x.shape


def test_a_network_in_one_dimension_is_localized_and_a_dense_one_is_not():
    r, error, means = ratio_of(400.0, 2.0, 6, d=1)
    assert abs(r - POISSON) < 4 * error + 0.01
    assert means["participation"] < 0.2 * means["sites"]
    r, error, means = ratio_of(12.0, 8.0, 4, d=2)
    assert abs(r - GOE) < 4 * error + 0.003
    assert 0.2 < means["participation"] / means["sites"] < 1 / 3  # of GOE


def test_the_ratio_grows_with_density_and_stays_between_its_limits():
    (low, low_error, _), (high, high_error, _) = (ratio_of(6.0, N2, 30) for N2 in (0.9, 1.6))
    assert high - low > 3 * np.hypot(low_error, high_error)
    assert POISSON < low < high < GOE + 3 * high_error


def test_a_state_occupies_a_part_of_its_cluster():
    request = {
        "models": ["optimal-network"],
        "axes": {"N2": [1.0, 2.0]},
        "fixed": {"d": 3, "L": 6},
        "sampling": {"replicas": 12},
    }
    ds = delocal.run(request)["optimal-network"].to_dataset()
    assert (ds.status == Status.DONE).all()
    assert ((ds.ipr > 1 / ds.sites) & (ds.ipr < 1)).all()
    assert (ds.participation * ds.ipr > 1).all()  # of Jensen
    np.testing.assert_allclose(ds.fraction, ds.participation / ds.sites, rtol=0.05)
    assert ds.fraction[1] > ds.fraction[0] + 3 * ds.fraction_stderr.max()
    assert (ds.r_stderr > 0).all()


def test_what_is_too_small_or_too_large_is_refused():
    model = load_models()["optimal-network"]
    options = {"couplings": "uniform", "hopping": "full", "realizations": 1}
    large = model.replicate({"d": 3, "N2": 2, "L": 20}, options, stream("large", 0), bool)
    assert large["status"] == Status.OUTSIDE_DOMAIN
    small = model.replicate({"d": 1, "N2": 0.5, "L": 5}, options, stream("small", 0), bool)
    assert small["status"] == Status.NOT_CONVERGED
    with pytest.raises(ValueError, match="too small"):
        draw_network(3, 1.0, 1.5, stream("box", 0))
    with pytest.raises(Cancelled):
        model.replicate({"d": 3, "N2": 1, "L": 6}, options, stream("cancel", 0), lambda: True)


def sweep(d, densities, L, replicas):
    """Return <r> over N2, as `delocal reproduce gutman-fig4` has it."""
    request = {
        "models": ["optimal-network"],
        "axes": {"N2": densities},
        "fixed": {"d": d, "L": L},
        "sampling": {"replicas": replicas},
    }
    return delocal.run(request)["optimal-network"].to_dataset()


@pytest.mark.slow
def test_the_critical_density_in_three_dimensions():
    """A prototype had 1.16(4); the paper's condition is N2 ~ 1."""
    small, large = (sweep(3, [0.9, 1.0, 1.1, 1.2, 1.3], *box) for box in ((8, 600), (12, 90)))
    change = large.r - small.r
    error = np.hypot(small.r_stderr, large.r_stderr)
    assert change.sel(N2=1.0) < -3 * error.sel(N2=1.0)
    assert change.sel(N2=1.3) > error.sel(N2=1.3)
    points = [
        (N2, L, ds.r.sel(N2=N2).item(), ds.r_stderr.sel(N2=N2).item())
        for L, ds in ((8, small), (12, large))
        for N2 in ds.N2.values
    ]
    found, chi2 = critical_point(*zip(*points, strict=True))
    assert 1.08 < found.value < 1.25
    assert found.stderr < 0.03
    assert chi2 < 3


@pytest.mark.slow
def test_two_dimensions_have_no_transition():
    small, large = (sweep(2, [2, 3], *box) for box in ((8, 200), (16, 60)))
    error = np.hypot(small.r_stderr, large.r_stderr)
    assert (large.r - small.r).sel(N2=2) < -3 * error.sel(N2=2)
    assert ((large.r - small.r) < 2 * error).all()
