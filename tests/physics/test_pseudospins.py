"""The three samplers of pseudo-spins agree with the exact laws, and with each other."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ks_2samp, kstest

from delocal.physics import counting, pseudospins
from delocal.physics.disorder import (
    Ensemble,
    Spins,
    active,
    sample_active_spins,
    sample_spins,
    stream,
)
from delocal.physics.pseudospins import sample_dilute, sample_pseudospins
from delocal.physics.splittings import splittings

# (ensemble, R1, box): weak and strong saturation, few and many siblings.
CASES = {
    "d=1": (Ensemble(1, 1.5, 1.5, T=5, W=20), 2.0, 200_000.0),
    "d=2": (Ensemble(2, 2.5, 2.5, T=1, W=20), 2.0, 500.0),
    "d=2 saturated": (Ensemble(2, 3, 3, T=0.5, W=20, t=4), 1.5, 500.0),
    "d=3": (Ensemble(3, 3, 3, T=25, W=100), 1.5, 50.0),
}


def from_all_spins(p, R1, box, rng):
    return sample_pseudospins(active(sample_spins(p, box, rng), p.T), p, R1)


def from_active_spins(p, R1, box, rng):
    return sample_pseudospins(sample_active_spins(p, box, rng), p, R1)


def with_siblings(p, R1, box, rng):
    return sample_dilute(p, R1, box, rng, siblings=True)


SAMPLERS = [from_all_spins, from_active_spins, sample_dilute, with_siblings]


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("case", CASES)
def test_density_sizes_and_splittings_follow_the_exact_laws(case, sampler):
    p, R1, box = CASES[case]
    drawn = sampler(p, R1, box, stream(case, SAMPLERS.index(sampler)))
    mean = float(counting.pseudospin_density(p, R1)) * box**p.d
    variance = mean * (1 + (0 if sampler is sample_dilute else 1.1 * counting.siblings(p, R1)))
    assert mean > 2000
    assert abs(len(drawn) - mean) < 3 * np.sqrt(variance)
    alone = 1e-3 / (2 if counting.siblings(p, R1) > 0.2 else 1)
    sizes = kstest(drawn.size, lambda R: counting.size_distribution(p, R1, R))
    scale = p.pseudospin_energy(R1)
    levels = kstest(drawn.splitting / scale, splittings(p, R1).distribution)
    assert sizes.pvalue > alone
    assert levels.pvalue > alone


@pytest.mark.parametrize("case", CASES)
def test_all_spins_and_the_dilute_process_look_the_same(case):
    p, R1, box = CASES[case]
    full = from_active_spins(p, R1, box, stream(case, 10))
    for siblings in (False, True):
        dilute = sample_dilute(p, R1, box, stream(case, 11 + siblings), siblings=siblings)
        for law in ("size", "splitting", "orientation"):
            assert ks_2samp(getattr(full, law), getattr(dilute, law)).pvalue > 1e-3
        for k in range(p.d):
            assert ks_2samp(full.axis[:, k], dilute.axis[:, k]).pvalue > 1e-3
            assert ks_2samp(full.midpoint[:, k], dilute.midpoint[:, k]).pvalue > 1e-3


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_each_is_a_two_level_system(sampler):
    p, R1, box = CASES["d=3"]
    drawn = sampler(p, R1, box, stream("levels", 0))
    J = p.t * drawn.size**-p.alpha
    assert ((drawn.size >= R1) & (drawn.size < 2 * R1)).all()
    assert (np.abs(drawn.detuning) < J * (1 + 1e-12)).all()
    np.testing.assert_allclose(drawn.splitting**2, drawn.detuning**2 + 4 * J**2)
    np.testing.assert_allclose(drawn.splitting * drawn.transverse, 2 * J)
    np.testing.assert_allclose(np.sin(drawn.orientation), drawn.transverse)
    assert ((drawn.midpoint >= 0) & (drawn.midpoint < box)).all()


def test_the_levels_of_one_pair_are_those_of_its_hamiltonian():
    p = Ensemble(2, 3, 3, T=5, W=20)
    spins = Spins(np.array([[9.5, 1.0], [1.0, 1.0]]), np.array([0.3, 0.25]), 10.0)
    pair = sample_pseudospins(spins, p, 1.5)
    half = (0.3 - 0.25) / 2
    levels = np.linalg.eigvalsh([[half, 1.5**-3], [1.5**-3, -half]])
    assert pair.splitting[0] == pytest.approx(levels[1] - levels[0])
    np.testing.assert_allclose(pair.midpoint, [[0.25, 1.0]])
    np.testing.assert_allclose(pair.axis, [[1.5, 0.0]])


def test_siblings_are_as_many_as_predicted():
    p, R1, box = CASES["d=3"]
    expected = counting.siblings(p, R1)
    for sampler in (from_active_spins, with_siblings):
        found = [sharing(sampler(p, R1, box, stream("siblings", n))) for n in range(12)]
        mean, error = np.mean(found), np.std(found, ddof=1) / np.sqrt(len(found))
        assert abs(mean - expected) < 3 * error < 0.1 * expected
    assert sharing(sample_dilute(p, R1, box, stream("siblings", 0))) == 0


def sharing(pseudospins):
    """Return how many others share a spin with a pseudo-spin, on average."""
    _, times = np.unique(pseudospins.spins, return_counts=True)
    return (times * (times - 1)).sum() / len(pseudospins)


def test_counts_are_overdispersed_by_shared_spins():
    p, R1, box = Ensemble(3, 3, 3, T=25, W=50), 1.0, 8.0
    shared, repeats = counting.siblings(p, R1), 2000
    fano = {
        from_active_spins: 1 + shared,
        with_siblings: 1 + shared,
        sample_dilute: 1.0,
    }
    assert shared > 0.5
    for sampler, expected in fano.items():
        counts = [len(sampler(p, R1, box, stream("fano", n))) for n in range(repeats)]
        measured = np.var(counts, ddof=1) / np.mean(counts)
        assert measured == pytest.approx(expected, abs=4 * expected * np.sqrt(2 / repeats))


@pytest.mark.parametrize("hopping", ["uniform", "gaussian"])
def test_random_hopping_makes_as_many_pseudospins_as_predicted(hopping):
    p, R1, box = CASES["d=3"]
    p = replace(p, hopping=hopping)
    drawn = from_active_spins(p, R1, box, stream(hopping, 0))
    mean = float(counting.pseudospin_density(p, R1)) * box**3
    N1 = float(counting.resonant_partners(p, R1))
    assert abs(len(drawn) - mean) < 3 * np.sqrt(mean * (1 + 2 * N1))
    J = np.sqrt(drawn.splitting**2 - drawn.detuning**2) / 2
    assert (np.abs(drawn.detuning) < J).all()
    assert np.std(J * drawn.size**3) > 0.1
    with pytest.raises(ValueError, match="fixed hopping"):
        sample_dilute(p, R1, box, stream(hopping, 0))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_key_gives_the_same_bytes(sampler):
    p, R1, box = CASES["d=2"]

    def digest(n):
        drawn = sampler(p, R1, box / 4, stream("bytes", n))
        fields = (drawn.midpoint, drawn.axis, drawn.splitting, drawn.detuning, drawn.spins)
        return hashlib.sha256(b"".join(field.tobytes() for field in fields)).hexdigest()

    forwards = [digest(n) for n in range(4)]
    assert [digest(n) for n in reversed(range(4))] == forwards[::-1]
    assert len(set(forwards)) == 4


def test_sizes_must_fit_into_the_box():
    with pytest.raises(ValueError, match="half the box"):
        sample_dilute(CASES["d=2"][0], 10.0, 39.0, stream("", 0))


@pytest.mark.parametrize("sampler", [sample_dilute, with_siblings])
def test_too_little_room_changes_nothing(sampler, monkeypatch):
    """The room is a guess, which is doubled, and the same drawn again, where it was too small."""
    p, R1, box = CASES["d=2"]
    guessed = sampler(p, R1, box, stream("room", 0))
    fresh, rooms = pseudospins._empty, []

    def cramped(room, d):
        rooms.append(room)
        return fresh(room if len(rooms) > 1 else len(guessed) - 1, d)

    monkeypatch.setattr(pseudospins, "_empty", cramped)
    again = sampler(p, R1, box, stream("room", 0))
    assert len(rooms) == 2
    for field in ("midpoint", "axis", "splitting", "detuning", "spins"):
        np.testing.assert_array_equal(getattr(again, field), getattr(guessed, field))


def test_an_empty_box_is_no_failure():
    p = Ensemble(2, 3, 3, T=1e-9, W=20)
    for sampler in (from_active_spins, sample_dilute, with_siblings):
        assert len(sampler(p, 2.0, 10.0, stream("", 0))) == 0
