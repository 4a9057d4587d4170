"""Random spins: reproducible from their key, and of the laws that they promise."""

import numpy as np
import pytest
from scipy.stats import binom, chisquare, kstest, poisson

from delocal.physics.disorder import (
    Ensemble,
    active,
    sample_active_spins,
    sample_spins,
    separation,
    stream,
    wrapped,
)

COLD = Ensemble(d=2, alpha=3, beta=3, T=2, W=20, rho=0.7)


def test_a_stream_depends_on_nothing_but_its_key_and_replica():
    forwards = [stream("case", n).bytes(16) for n in range(5)]
    backwards = [stream(b"case", n).bytes(16) for n in reversed(range(5))]
    assert forwards == backwards[::-1]
    assert len({*forwards, stream("case ", 0).bytes(16), stream("", 0).bytes(16)}) == 7


def test_a_stream_has_the_same_numbers_on_every_machine():
    numbers = stream("delocal", 3).integers(0, 1000, 6)
    assert numbers.tolist() == [900, 228, 333, 279, 212, 298]


@pytest.mark.parametrize("poisson_number", [True, False])
def test_active_spins_are_those_of_all_spins(poisson_number):
    box, repeats = 20.0, 400
    counts = {"all": [], "active": []}
    for n in range(repeats):
        everyone = sample_spins(COLD, box, stream("all", n), poisson=poisson_number)
        counts["all"].append(active(everyone, COLD.T).energies.size)
        some = sample_active_spins(COLD, box, stream("active", n), poisson=poisson_number)
        counts["active"].append(some.energies.size)
        assert np.abs(some.energies).max() < COLD.T
    spins, fraction = 0.7 * box**2, 2 * COLD.T / COLD.W
    law = poisson(spins * fraction) if poisson_number else binom(round(spins), fraction)
    edges = np.concatenate([[0], law.ppf(np.linspace(0.1, 0.9, 9)) + 1, [np.inf]])
    expected = repeats * np.diff(np.where(np.isinf(edges), 1, law.cdf(edges - 1)))
    for counted in counts.values():
        observed, _ = np.histogram(counted, edges)
        assert chisquare(observed, expected).pvalue > 1e-3


def test_spins_are_uniform():
    spins = sample_spins(COLD, 150.0, stream("uniform", 0))
    assert kstest(spins.energies / COLD.W + 0.5, "uniform").pvalue > 1e-3
    for coordinate in spins.positions.T:
        assert kstest(coordinate / spins.box, "uniform").pvalue > 1e-3


def test_the_shortest_way_around_the_torus():
    a, b = np.array([[0.5, 9.0]]), np.array([[9.5, 1.0]])
    assert separation(a, b, 10.0).tolist() == [[-1.0, 2.0]]


def test_wrapped_positions_stay_below_the_box():
    tiny = np.array([-1e-20, 10.0, 10.5, -0.5])
    assert wrapped(tiny, 10.0).tolist() == [0.0, 0.0, 0.5, 9.5]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"d": 4}, "d = 4"),
        ({"T": 11}, r"\(0, W/2 = 10\]"),
        ({"T": 0}, "T = 0"),
        ({"t": -1}, "t = -1"),
    ],
)
def test_impossible_ensembles_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        Ensemble(**{"d": 2, "alpha": 3, "beta": 3, "T": 2, "W": 20, **wrong})
