"""The corrector problem: exact networks, two solvers, and what the checks can see."""

import numpy as np
import pytest

from delocal.physics.disorder import stream
from delocal.physics.kirchhoff import conjugate_gradients, inflow
from delocal.physics.model import Cancelled
from delocal.physics.transport.corrector import Hops, by_elimination, by_gradients, respond
from delocal.physics.transport.golden_rule import Rule, find_hops, sample_band

SOLVERS = [by_elimination, by_gradients]
RULE = Rule(2, 3.0)


def ring(rates):
    around = np.arange(rates.size)
    hops = Hops(around, (around + 1) % rates.size, np.ones(rates.size), rates)
    return hops, around + 0.5, float(rates.size), np.ones((1, rates.size))


def network(replica=0, nodes=500):
    """A network of the golden rule in two dimensions, carrying number and energy."""
    sites = sample_band(2, nodes, 10.0, stream("corrector", replica))
    charges = np.stack([np.ones(nodes), 1 + sites.energies])
    return find_hops(sites, Rule(2, 3.0, rmax=2.0)), sites.positions[:, 0], sites.box, charges


def least_power(hops, along, box, charges):
    """Slow and obvious: minimize the power of each charge by least squares."""
    rows = np.zeros((len(hops), along.size))
    rows[np.arange(len(hops)), hops.start] += 1
    rows[np.arange(len(hops)), hops.end] -= 1
    root = np.sqrt(hops.rate)[:, None]
    driven = ((charges[:, hops.start] + charges[:, hops.end]) / 2 * hops.step).T
    phi = np.linalg.lstsq(root * rows, -root * driven, rcond=1e-13)[0]
    tension = root * (driven + rows @ phi)
    return tension.T @ tension


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_ring_of_equal_hops_diffuses_with_D_1(solver):
    found = respond(*ring(np.ones(1000)), solver)
    assert found.energy.item() / 1000 == pytest.approx(1, abs=1e-8)
    assert found.flux.item() / 1000 == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_random_ring_has_the_harmonic_mean(solver):
    rates = np.exp(2 * stream("ring", 0).standard_normal(1000))
    found = respond(*ring(rates), solver)
    assert found.energy.item() / 1000 == pytest.approx(1 / np.mean(1 / rates), rel=1e-8)
    assert found.solved


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_open_chain_carries_nothing(solver):
    hops, *rest = ring(np.ones(20))
    open_chain = Hops(*(values[:-1] for values in (hops.start, hops.end, hops.step, hops.rate)))
    assert respond(open_chain, *rest, solver).energy.item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_response_is_that_of_least_power(solver):
    case = network(nodes=170)
    np.testing.assert_allclose(respond(*case, solver).energy, least_power(*case), rtol=1e-8)


def test_both_solvers_agree_and_both_forms():
    case = network(nodes=2000)
    one, other = (respond(*case, solver) for solver in SOLVERS)
    np.testing.assert_allclose(one.energy, other.energy, rtol=1e-9)
    np.testing.assert_allclose(other.flux, other.energy, rtol=1e-8)
    assert one.solved
    assert other.solved


@pytest.mark.parametrize("solver", SOLVERS)
def test_parts_that_are_not_connected_conduct_in_parallel(solver):
    rates = stream("parts", 0).exponential(size=7)
    hops, along, box, _ = ring(rates)
    twice = Hops(
        *(np.concatenate([v, v + 8]) for v in (hops.start, hops.end)),
        *(np.concatenate([v, v]) for v in (hops.step, hops.rate)),
    )  # node 7 is alone
    along = np.concatenate([along, [0.0], along])
    found = respond(twice, along, box, np.ones((1, 15)), solver)
    assert found.energy.item() == pytest.approx(2 * 7 / np.mean(1 / rates), rel=1e-8)


def test_onsager_and_the_directions_of_hops():
    """L is symmetric; which end is the start, and which way is up, does not matter."""
    hops, along, box, charges = network()
    found = respond(hops, along, box, charges)
    assert found.flux[0, 1] == pytest.approx(found.flux[1, 0], rel=1e-9)
    back = Hops(hops.end, hops.start, -hops.step, hops.rate)
    np.testing.assert_allclose(respond(back, along, box, charges).energy, found.energy, rtol=1e-9)
    mirrored = Hops(hops.start, hops.end, -hops.step, hops.rate)
    np.testing.assert_allclose(
        respond(mirrored, box - along, box, charges).energy, found.energy, rtol=1e-9
    )


def test_heat_without_number_does_not_depend_on_the_zero_of_energy():
    hops, along, box, charges = network()

    def conserving(shift):
        (L11, L12), (_, L22) = respond(hops, along, box, charges + np.array([[0], [shift]])).energy
        return L22 - L12**2 / L11

    assert conserving(0.0) == pytest.approx(conserving(5.0), rel=1e-8)


def test_a_faster_hop_never_hinders():
    hops, *rest = network(nodes=200)
    least = respond(hops, *rest).energy[0, 0]
    for hop in stream("faster", 0).integers(len(hops), size=20):
        rate = hops.rate.copy()
        rate[hop] *= 3
        faster = Hops(hops.start, hops.end, hops.step, rate)
        assert respond(faster, *rest).energy[0, 0] >= least * (1 - 1e-10)


def hasty(matrix, source, cancelled):
    """Conjugate gradients, stopped after a few steps."""
    diagonal = matrix.diagonal()
    return conjugate_gradients(matrix, source, lambda r: r / diagonal, cancelled, max_steps=40)


def test_only_the_currents_through_planes_catch_a_solver_that_stops_early():
    hops, along, box, charges = network(nodes=1000)
    right = respond(hops, along, box, charges[:1], by_elimination)
    found = respond(hops, along, box, charges[:1], hasty)
    assert found.energy.item() > 1.001 * right.energy.item()
    assert found.flux_error < 1e-9  # the residual is orthogonal to the potentials, always
    assert found.imbalance > 1e-3
    assert not found.solved


def test_the_forms_differ_where_the_potentials_are_wrong():
    case = network(nodes=300)

    def scaled(matrix, source, cancelled):
        return 1.001 * by_elimination(matrix, source, cancelled)

    found = respond(*case, scaled)
    assert found.flux_error > 1e-5
    assert not found.solved
    assert not respond(*case, lambda A, b, c: np.full_like(b, np.nan)).solved


def test_the_imbalance_is_that_of_currents_through_planes():
    """Slow and obvious: add up the currents of the hops that cross each plane."""
    hops, along, box, charges = network(nodes=200)
    found = respond(hops, along, box, charges[:1], hasty)
    kept = []

    def recorded(matrix, source, cancelled):
        kept.append(hasty(matrix, source, cancelled))
        return kept[-1]

    respond(hops, along, box, charges[:1], recorded)
    (phi,) = kept
    current = hops.rate * (hops.step + phi[hops.start] - phi[hops.end])
    planes = np.sort(along) + 1e-9
    left, way = along[hops.start], hops.step
    crossings = np.floor((left + way - planes[:, None]) / box) - np.floor(
        (left - planes[:, None]) / box
    )
    through = crossings @ current
    traffic = np.abs(current * way).sum() / box
    assert np.ptp(through) / traffic == pytest.approx(found.imbalance, rel=1e-6)
    assert inflow(hops.start, hops.end, current, 200).sum() == pytest.approx(0, abs=1e-9)


def test_the_same_network_gives_the_same_bits():
    one, other = respond(*network(nodes=1500)), respond(*network(nodes=1500))
    np.testing.assert_array_equal(one.energy, other.energy)
    assert one.imbalance == other.imbalance


def test_it_can_be_cancelled():
    with pytest.raises(Cancelled):
        respond(*network(nodes=1500), by_gradients, lambda: True)
    with pytest.raises(Cancelled):
        find_hops(sample_band(2, 500, 10.0, stream("cancelled", 0)), RULE, cancelled=lambda: True)
