"""Kirchhoff's equations: exact networks, two solvers, and currents that expose a third."""

import numpy as np
import pytest
from scipy.sparse.linalg import cg

from delocal.physics import kirchhoff
from delocal.physics.bond_networks import levy_bonds
from delocal.physics.disorder import stream
from delocal.physics.kirchhoff import STRONGEST, direct, flow, lattice, multigrid
from delocal.physics.resonances import Cancelled

BOUNDARIES = ["torus", "electrodes"]
CASES = [(d, L, boundary) for d, L in [(1, 7), (2, 5), (3, 3), (3, 2)] for boundary in BOUNDARIES]


def random_bonds(d, L, boundary, key="bonds"):
    bonds = lattice(d, L, boundary)
    return bonds, levy_bonds(bonds.start.size, stream(f"{key} {d} {L}", 0))


def dissipated_power(bonds, g):
    """Slow and obvious: minimize the power sum g (field + V_a - V_b)**2 by least squares."""
    rows = np.zeros((g.size, bonds.node.max() + 1))
    for bond, (a, b) in enumerate(zip(bonds.start, bonds.end, strict=True)):
        rows[bond, bonds.node[a]] += 1
        rows[bond, bonds.node[b]] -= 1
    field = (bonds.plane >= 0) / bonds.L
    root = np.sqrt(g)
    V = np.linalg.lstsq(root[:, None] * rows[:, 1:], -root * field, rcond=1e-15)[0]
    return (g * (field + rows[:, 1:] @ V) ** 2).sum() * float(bonds.L) ** (2 - bonds.d)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_chain_has_the_harmonic_mean(boundary):
    bonds, g = random_bonds(1, 1000, boundary)
    found = flow(bonds, g)
    assert found.conductance == pytest.approx(1 / np.mean(1 / g), rel=1e-10)
    assert found.solved


@pytest.mark.parametrize(("d", "L", "boundary"), CASES)
def test_equal_bonds_conduct_as_one(d, L, boundary):
    bonds = lattice(d, L, boundary)
    found = flow(bonds, np.full(bonds.start.size, 7.0))
    assert found.conductance == pytest.approx(7, rel=1e-12)


@pytest.mark.parametrize(("d", "L", "boundary"), CASES)
def test_the_current_is_that_of_least_power(d, L, boundary):
    bonds, g = random_bonds(d, L, boundary)
    g = np.minimum(g, 1e4)  # what dense least squares can hold
    assert flow(bonds, g).conductance == pytest.approx(dissipated_power(bonds, g), rel=1e-8)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_layers_are_in_series_and_columns_in_parallel(boundary):
    bonds = lattice(3, 4, boundary)
    of = stream("layers", 0).exponential(size=4)
    layers = np.where(bonds.plane >= 0, of[bonds.plane], 3.0)
    assert flow(bonds, layers).conductance == pytest.approx(1 / np.mean(1 / of), rel=1e-12)
    columns = np.where(bonds.plane >= 0, of[bonds.start % 4], 3.0)
    assert flow(bonds, columns).conductance == pytest.approx(of.mean(), rel=1e-12)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_stronger_bond_never_hinders(boundary):
    bonds, g = random_bonds(2, 6, boundary)
    rng = stream("stronger", 0)
    least = flow(bonds, g).conductance
    for bond in rng.integers(g.size, size=20):
        stronger = g.copy()
        stronger[bond] *= 3
        assert flow(bonds, stronger).conductance >= least * (1 - 1e-10)


@pytest.mark.parametrize(("d", "L"), [(2, 40), (3, 14)])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_elimination_and_multigrid_agree(d, L, boundary):
    bonds, g = random_bonds(d, L, boundary)
    one, other = flow(bonds, g, direct), flow(bonds, g, multigrid)
    assert one.solved
    assert other.solved
    assert one.conductance == pytest.approx(other.conductance, rel=1e-8)


def test_multigrid_gives_the_same_bits_again():
    bonds, g = random_bonds(3, 12, "torus")
    assert flow(bonds, g, multigrid) == flow(bonds, g, multigrid)


def test_a_planar_network_and_its_dual_conduct_inversely():
    """G of the law of 1/g is 1/G, so that ln G is 0 on average where ln g is symmetric."""
    bonds = lattice(2, 24)
    logarithms = []
    for replica in range(64):
        ln_g = 3 * stream("dual", replica).standard_normal(bonds.start.size)
        logarithms.append(np.log(flow(bonds, np.exp(ln_g)).conductance))
    error = np.std(logarithms, ddof=1) / 8
    spread = np.var(logarithms)  # a sample is not isotropic: the square of G_xy enters
    assert abs(np.mean(logarithms)) < 4 * error + spread
    assert 4 * error + spread < 0.1


def test_the_strongest_bonds_are_short_circuits():
    """What a cut takes from the conductance falls as 1/cut or faster: 1e-9 at the cut in use."""
    taken = np.zeros(2)
    for replica in range(20):
        bonds, g = random_bonds(2, 16, "torus", f"cut {replica}")
        whole = flow(bonds, g).conductance
        for which, cut in enumerate([1e3, 1e4]):
            lower = flow(bonds, np.minimum(g, cut * np.median(g))).conductance
            assert lower <= whole * (1 + 1e-9)
            taken[which] += (1 - lower / whole) / 20
    assert taken[0] > 1e-5
    assert taken[1] < taken[0] / 10
    assert taken[1] * 1e4 / STRONGEST < 1e-9


def wrong(matrix, source, cancelled):
    """Conjugate gradients, done at a relative residual of 1e-8."""
    return cg(matrix, source, rtol=1e-8, maxiter=100_000)[0]


def test_the_currents_catch_a_solver_with_a_small_residual(monkeypatch):
    bonds = lattice(2, 16)
    errors, balances = [], []
    for replica in range(30):
        g = levy_bonds(bonds.start.size, np.random.default_rng(replica))
        right = flow(bonds, g, direct)
        assert right.solved
        with monkeypatch.context() as patch:
            patch.setattr(kirchhoff, "STRONGEST", np.inf)
            found = flow(bonds, g, wrong)
        errors.append(abs(found.conductance / right.conductance - 1))
        balances.append(found.balance)
        assert not found.solved
    assert max(errors) > 0.1  # without an error, and with the residual that was asked for
    assert (np.array(errors) < balances).all()


def test_a_solver_that_gives_up_is_caught():
    bonds, g = random_bonds(2, 8, "electrodes")
    assert not flow(bonds, g, lambda A, b, c: np.zeros_like(b)).solved
    assert not flow(bonds, g, lambda A, b, c: np.full_like(b, np.nan)).solved


def test_a_missing_bond_is_not_solved():
    bonds, g = random_bonds(2, 4, "torus")
    g[3] = 0
    found = flow(bonds, g)
    assert np.isnan(found.conductance)
    assert not found.solved


def test_multigrid_can_be_cancelled():
    bonds, g = random_bonds(3, 12, "torus")
    with pytest.raises(Cancelled):
        flow(bonds, g, multigrid, lambda: True)
