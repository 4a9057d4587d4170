"""Disorder given as a table: the same law given twice has one threshold."""

import numpy as np
import pytest
from scipy.stats import norm

import delocal
from delocal.physics.bethe import FINE, NORMAL, critical_disorder, eigenvalue
from delocal.physics.bethe_limits import asymptotic_disorder, best_estimate, upper_limit
from delocal.physics.disorder import stream
from delocal.physics.model import Status
from delocal.physics.pools import cutoff_amplitude, growth
from delocal.physics.site_disorder import BOX, GAUSSIAN, checked_table, law_of

UNEVEN = {"x": [-0.3, 0.1, 0.6, 1.0], "density": [0.2, 1.5, 0.0, 0.7]}


def table(x, density):
    return law_of(checked_table({"x": x, "density": density}))


@pytest.mark.parametrize("K", [2, 10])
def test_a_box_as_a_table_has_the_threshold_of_the_box(K):
    box = table([-0.5, 0.0, 0.5], [2, 2, 2])
    found, expected = critical_disorder(K, law=box), critical_disorder(K)
    assert found.W_c == pytest.approx(expected.W_c, rel=1e-10)
    for closed_form in (upper_limit, best_estimate, asymptotic_disorder):
        assert closed_form(K, box) == pytest.approx(closed_form(K), rel=1e-8)


@pytest.mark.parametrize("points", [57, 113, 225])
def test_a_gaussian_as_a_table_is_wider_by_its_interpolation(points):
    # Straight lines between points at a distance h add h**2 / 6 to the variance.
    x, sigma = np.linspace(-0.5, 0.5, points), 1 / 14
    found = critical_disorder(2, law=table(x, norm.pdf(x / sigma)))
    h = (x[1] - x[0]) / sigma
    expected = critical_disorder(2, law=GAUSSIAN).W_c / np.sqrt(1 + h**2 / 6)
    assert found.W_c * sigma == pytest.approx(expected, rel=h**4 / 20 + 1e-8)


@pytest.mark.parametrize("W", [12.0, 18.0, 24.0])
def test_a_shifted_law_is_another_energy(W):
    shifted = table([0.0, 1.0], [1, 1])
    there, finer = (
        eigenvalue(2, W, E=1.0 + W / 2, law=shifted, resolution=r) for r in (NORMAL, FINE)
    )
    assert abs(finer - there) < 1e-4
    assert there == pytest.approx(eigenvalue(2, W, E=1.0), abs=2 * abs(finer - there))


@pytest.mark.parametrize("width", [0.1, 1.7])
def test_the_width_of_a_table_is_a_unit(width):
    box = table([-width / 2, width / 2], [1, 1])
    assert critical_disorder(2, law=box).W_c * width == pytest.approx(
        critical_disorder(2).W_c, rel=1e-8
    )


def test_a_threshold_that_is_not_resolved_has_a_status():
    # With a jump at e = 0 one side has many resonances, and ever finer k count at large K.
    found = critical_disorder(100, law=table([0, 1], [1, 1]))
    assert found.status == Status.NOT_CONVERGED
    assert np.isnan(found.W_c)
    assert np.isnan(cutoff_amplitude(100, table([0, 1], [1, 1])))


def test_the_mirror_of_a_law_has_its_threshold():
    mirror = table([-x for x in reversed(UNEVEN["x"])], UNEVEN["density"][::-1])
    one, other = (critical_disorder(2, law=law) for law in (table(**UNEVEN), mirror))
    assert one.status == Status.DONE
    assert one.W_c == pytest.approx(other.W_c, rel=1e-9)
    assert one.error < 1e-3 * one.W_c


def test_a_law_without_a_density_at_zero_has_a_threshold_all_the_same():
    law = table([-0.5, -0.2, 0.2, 0.5], [1, 0, 0, 1])
    found = critical_disorder(2, law=law)
    step = 1e-3
    around = [eigenvalue(2, found.W_c * (1 + s), law=law) for s in (-step, step)]
    assert found.error < 1e-6 * found.W_c
    assert around[0] > 1 > around[1]
    assert found.W_c > upper_limit(2, law)  # no limit here: real self-energies fill the gap
    assert np.isnan(best_estimate(2, law))
    assert np.isnan(asymptotic_disorder(2, law))


def test_samples_of_a_table_have_its_moments():
    law, size = table(**UNEVEN), 10**6
    x = law.sample(stream("table", 0), size)
    inverse = np.abs(x) ** -0.4
    assert abs(inverse.mean() - law.inverse_moment(0.2)) < 4 * inverse.std() / size**0.5
    for k in (0.5, 3.0, 40.0):
        found = np.exp(1j * k * x).mean()
        assert abs(found - law.characteristic(np.array(k))) < 4 / size**0.5


def test_pools_know_a_table():
    law = table(**UNEVEN)
    W_c, A = critical_disorder(2, law=law).W_c, cutoff_amplitude(2, law)
    N = 3000
    shifted = W_c * np.exp(-A / np.log(N) ** 2)  # Brunet and Derrida: too strong, as ln N grows
    assert growth(2, 0.7 * shifted, N, 300, stream("pool", 1), law=law) > 0
    assert growth(2, 1.1 * W_c, N, 300, stream("pool", 2), law=law) < 0


def test_a_table_is_an_option_of_models_everywhere():
    box = {"x": np.array([-0.5, 0.5]), "density": np.ones(2)}
    assert float(delocal.evaluate("bethe", K=2, law=box).W_c) == pytest.approx(
        critical_disorder(2).W_c, rel=1e-10
    )
    request = {
        "models": ["bethe", "bethe-pool"],
        "axes": {"K": [2, 3]},
        "fixed": {"N": 200},
        "options": {"bethe": {"law": box}, "bethe-pool": {"law": box, "generations": 100}},
        "sampling": {"replicas": 4},
    }
    found = delocal.run(request)
    assert found["bethe"].W_c.sel(K=3) == pytest.approx(critical_disorder(3).W_c, rel=1e-9)
    assert (found["bethe-pool"].W_c < found["bethe"].W_c).all()
    assert '"density": [1.0, 1.0]' in found["bethe"].attrs["options"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"x": [0, 1]}, "a mapping of x and density"),
        ([[0, 1], [1, 1]], "a mapping of x and density"),
        ({"x": 0, "density": [1, 1]}, "x must be a list of numbers"),
        ({"x": [0, "1"], "density": [1, 1]}, "finite numbers, not '1'"),
        ({"x": [0, [1, 1]], "density": [1, 1]}, r"finite numbers, not \[1, 1\]"),
        ({"x": [0, True], "density": [1, 1]}, "finite numbers, not True"),
        ({"x": [0, 10**400], "density": [1, 1]}, "finite numbers, not 1000"),
        ({"x": [0], "density": [1]}, "x has 1 numbers, not 2 to 1000"),
        ({"x": [0, 1], "density": [1, 1, 1]}, "not as many"),
        ({"x": [0, float("nan")], "density": [1, 1]}, "finite"),
        ({"x": [0.5, 0], "density": [1, 1]}, "must ascend"),
        ({"x": [-3, 3], "density": [1, 1]}, "larger W"),
        ({"x": [0, 1], "density": [1, -0.5]}, "must not be negative"),
        ({"x": [0, 1], "density": [0, 0]}, "zero everywhere"),
        ({"x": [0, 1e-300], "density": [1, 1]}, "rises and falls by 2e\\+300 in all"),
    ],
)
def test_what_is_no_law_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        delocal.evaluate("bethe", K=2, law=given)


def test_a_name_that_is_no_law_is_told_of_tables():
    with pytest.raises(ValueError, match=r"'flat' is not one of box, .*, nor a table"):
        delocal.evaluate("bethe", K=2, law="flat")
    assert law_of("box") is BOX
