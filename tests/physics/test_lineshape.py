"""Lineshapes with slow neighbours: another quadrature, a sum rule, limits, known numbers."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad

from delocal.physics.fast_spins import fast_spins
from delocal.physics.lineshape import central_width, cosine_transform, echo, lineshape, lorentzian
from delocal.physics.model import Status
from delocal.physics.models.lineshape import model

ROWS = {
    row["id"]: row
    for row in json.loads((Path(__file__).parent / "reference" / "gn.json").read_text())["entries"]
}
FIG2 = (1.0, 1000.0, 4.0)
"""Gamma_b, J, A of Fig. 2."""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gamma_tilde_fig2", central_width(*FIG2)),
        ("S12_w100", lineshape(100.0, *FIG2)),
        ("Snum_w30", cosine_transform(30.0, *FIG2)),
    ],
)
def test_figure_2_agrees_with_the_reference(name, value):
    assert float(value) == pytest.approx(ROWS[name]["value"], rel=ROWS[name]["rtol"])


@pytest.mark.parametrize(
    "bath", [FIG2, (2.0, 100.0, 0.7, 2), (0.5, 30.0, 0.3, 3), (1.0, 1e4, 2.0, 1)], ids=str
)
def test_the_transform_agrees_with_quadrature(bath):
    Gamma_b, J, A, d = (*bath, 1)[:4]
    kinks = [np.exp(A ** (-1 / d)) / J, 1 / Gamma_b]
    for omega in (0.0, 0.3, 5.0, 40.0):
        ends = [0.0, *np.geomspace(kinks[0], kinks[1], 20), 60 / Gamma_b]
        pieces = [
            quad(
                lambda t, w=omega: float(echo(t, *bath)) * np.cos(w * t),
                start,
                end,
                epsabs=1e-13,
                epsrel=1e-11,
                limit=400,
            )[0]
            for start, end in pairwise(ends)
        ]
        expected = sum(pieces)
        assert float(cosine_transform(omega, *bath)) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_both_ways_of_a_panel_agree():
    """Where panels change from direct sums to Bessel functions, the transform is smooth."""
    omega = np.geomspace(3, 300, 4001)
    ln = np.log(cosine_transform(omega, *FIG2))
    third = np.diff(ln, 3)
    assert abs(third).max() < 1e-7  # of smooth variation over ln(100)/4000 a step, cubed


def test_all_frequencies_carry_the_echo_at_once():
    """The integral of S over all real frequencies is pi psi(0)."""
    total = 0.0
    for start, end in [(0, 1), (1, 10), (10, 100), (100, 1000), (1000, 20_000)]:
        total += quad(
            lambda w: float(cosine_transform(w, *FIG2)), start, end, limit=2000, epsrel=1e-7
        )[0]
    assert 2 * total == pytest.approx(np.pi, rel=1e-4)


def test_without_other_neighbours_the_line_is_lorentzian():
    omega = np.array([0.0, 0.1, 2.0, 300.0])
    for J, A in [(0.5, 4.0), (1.0, 4.0), (100.0, 0.2)]:  # A ln J < 1
        np.testing.assert_allclose(
            cosine_transform(omega, 1.0, J, A), lorentzian(omega, 1.0), rtol=1e-14
        )
        assert central_width(1.0, J, A) == 1.0
        np.testing.assert_allclose(lineshape(omega, 1.0, J, A), lorentzian(omega, 1.0), rtol=1e-14)


def test_how_good_the_approximation_is():
    """Within a factor of 1.6 up to six widths; omega = J is out of reach."""
    omega = np.array([1, 10, float(central_width(*FIG2)), 100, 1000])
    S = cosine_transform(omega, *FIG2)
    ratio = lineshape(omega, *FIG2) / S
    np.testing.assert_allclose(ratio, [0.630, 0.889, 0.860, 0.743, 2.4], rtol=2e-2)
    assert (abs(np.log(ratio[:4])) < np.log(1.6)).all()
    simple = lorentzian(omega, omega[2]) / S
    np.testing.assert_allclose(simple, [1.057, 0.941, 0.860, 1.302, 40.2], rtol=1e-3)
    assert simple[4] > 10 * ratio[4]  # the tails are what a Lorentzian overestimates


def test_beyond_J_the_kinks_decide():
    assert (cosine_transform(np.linspace(1500, 20_000, 200), *FIG2) < 0).any()


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("A", [0.3, 4.0])
def test_the_width_solves_its_equation(A, d):
    Gamma_b, J = np.array([1e-300, 1e-6, 1.0, 50.0]), 100.0
    width = central_width(Gamma_b, J, A, d)
    np.testing.assert_allclose(width, Gamma_b * fast_spins(1 / width, Gamma_b, J, A, d), rtol=1e-12)


def test_fast_spins_join_and_saturate():
    for d in (1, 2, 3):
        t = np.geomspace(1e-6, 1e4, 2000)
        n = fast_spins(t, 0.01, 100.0, 0.7, d)
        assert (n >= 1).all()
        assert (np.diff(n) >= 0).all()
        assert n[0] == 1  # also for even d, where ln**d of a small time is positive
        assert np.diff(n).max() < 0.05 * n[-1]
        assert n[-1] == pytest.approx(0.7 * np.log(100 / 0.01) ** d)


def test_the_transform_scales():
    """In units of Gamma_b there are two parameters besides omega."""
    S, scaled = cosine_transform(3.0, 1.0, 50.0, 2.0), cosine_transform(6e-200, 2e-200, 1e-198, 2.0)
    assert float(scaled) == pytest.approx(float(S) / 2e-200, rel=1e-12)


def test_extreme_parameters_are_finite_or_have_a_status():
    extremes = np.array([1e-300, 1.0, 1e300])
    mesh = np.meshgrid(extremes, extremes, extremes, extremes, [1e-300, 2.0], [1, 3])
    names = ("omega", "Gamma_b", "J", "s", "xi", "d")
    parameters = {name: values.ravel() for name, values in zip(names, mesh, strict=True)}
    found = model.evaluate(parameters, {})
    assert np.isin(found["status"], [Status.DONE, Status.NOT_CONVERGED]).all()
    done = found["status"] == Status.DONE
    assert np.isfinite(found["S"][done]).all()
    assert done.mean() > 0.9


def test_the_model_gives_the_echo_if_there_is_a_time():
    bath = {p.name: np.array(p.default) for p in model.parameters if p.default is not None}
    found = model.evaluate({**bath, "omega": np.array(1.0), "t": np.array([1e-3, 0.1])}, {})
    np.testing.assert_array_equal(found["psi"], echo([1e-3, 0.1], *FIG2))
    assert "psi" not in model.evaluate({**bath, "omega": np.array(1.0)}, {})
