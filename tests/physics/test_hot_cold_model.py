"""The model hot-cold: where it answers, what it says where it does not, and its layouts."""

import itertools
import math

import numpy as np
import pytest

from delocal.physics.continuum_disorder import Continuum, level_spacing
from delocal.physics.hot_cold import HotCold
from delocal.physics.hot_cold_printed import critical_temperature_of_constant_length
from delocal.physics.hot_cold_threshold import closed_height, find_threshold
from delocal.physics.model import Status
from delocal.physics.models import load_models
from delocal.physics.powers import LogArray

MODEL = load_models()["hot-cold"]


def evaluate(parameters, **chosen):
    defaults = {"eF": 2.0, "u": 0.3, "m": 1.0, "w": 0.5, "d": 0.5}
    given = {name: np.asarray(x, dtype=float) for name, x in {**defaults, **parameters}.items()}
    options = {option.name: option.choices[0] for option in MODEL.options}
    return MODEL.evaluate(given, {**options, **chosen})


def all_options():
    names = [option.name for option in MODEL.options]
    for values in itertools.product(*(option.choices for option in MODEL.options)):
        yield dict(zip(names, values, strict=True))


def mixture(disorder, geometry, Delta_c_over_T):
    medium = Continuum.of(disorder, geometry, w=0.5 if geometry == "1d" else 2.5)
    Delta_c = level_spacing(medium, LogArray.of(2.0)).value
    return HotCold.of(medium, T=Delta_c / np.asarray(Delta_c_over_T))


@pytest.mark.parametrize("kind", [("lorentz", "1d"), ("white", "2d")], ids="-".join)
def test_the_domain_ends_where_the_threshold_would_rise_with_temperature(kind):
    end = math.exp(1 / 3 if kind[1] == "1d" else 2 / 3)
    heights = closed_height(mixture(*kind, end * np.array([0.97, 1.0, 1.03])))
    assert heights.argmin() == 1
    p = mixture(*kind, end * np.array([1 - 1e-9, 1 + 1e-9]))
    chosen = {"disorder": kind[0], "geometry": kind[1]}
    status = evaluate({"T": p.T.value, "w": p.medium.w.value}, **chosen)["status"]
    assert status.tolist() == [Status.OUTSIDE_DOMAIN, Status.DONE]


def test_there_is_no_threshold_where_the_fermi_level_is_delocalized():
    """X <= 1 in two dimensions; in one, X <= w/W(2 k_F)."""
    for geometry, w in (("1d", 0.5), ("2d", 2.5)):
        T = mixture("exponential", geometry, 5.0).T.value
        results = evaluate(
            {"T": T, "w": w, "u": np.geomspace(1, 1e5, 40)},
            geometry=geometry,
            disorder="exponential",
        )
        delocalized = results["status"] == Status.OUTSIDE_DOMAIN
        assert 0 < delocalized.sum() < 40
        assert np.isnan(results["eps_th"][delocalized]).all()
        assert (results["eta_F"][~delocalized] < 1).all()
        assert (np.diff(results["eps_th"][~delocalized]) < 0).all()
        assert results["eps_th"][~delocalized][-1] < 3 * 2.0


def test_localized_cells_conduct_nothing():
    for chosen in ({"disorder": "white"}, {"xi_growth": "no"}):
        results = evaluate({"T": [0.01, 0.02]}, **chosen)
        assert (results["status"] == Status.DONE).all()
        assert (results["localized"] == 1).all()
        assert (results["sigma"] == 0).all()
        assert (results["n_h"] == 0).all()
        for name in ("eps_th", "activation_energy", "suppression"):
            assert (results[name] == np.inf).all()
        assert np.isfinite(results["log10_chi"]).all()


@pytest.mark.filterwarnings("error")
def test_extreme_parameters_give_a_number_or_a_status():
    rng = np.random.default_rng(7)
    wild = {p.name: 10.0 ** rng.uniform(-300, 300, 500) for p in MODEL.parameters}
    tame = {p.name: 10.0 ** rng.uniform(-6, 3, 500) for p in MODEL.parameters}
    cold = {**tame, "T": 10.0 ** rng.uniform(-300, 0, 500)}
    borders = {p.name: np.array([5e-324, 1.7e308]) for p in MODEL.parameters}
    borders = dict(zip(borders, np.ix_(*borders.values()), strict=True))
    for chosen, given in itertools.product(all_options(), (wild, cold, borders)):
        results = evaluate(given, **chosen)
        found = (results["status"] == Status.DONE) & (results["localized"] == 0)
        for name in ("log10_eps_th", "log10_suppression", "log10_activation_energy"):
            assert not np.isnan(results[name][found]).any()
        if chosen["criterion"] == "resonance":
            assert (results["status"] != Status.NOT_CONVERGED).all()
            assert np.isfinite(results["log10_eps_th"][found]).all()


def test_cells_do_not_depend_on_their_layout():
    """Bit for bit: a mesh, its cells in a row, reversed, every third, and one alone."""
    axes = {"T": np.geomspace(1e-5, 0.02, 9), "u": np.array([0.1, 0.3]), "w": np.array([0.4, 2.5])}
    mesh = dict(zip(axes, np.ix_(*axes.values()), strict=True))
    row = {name: np.broadcast_to(x, (9, 2, 2)).ravel() for name, x in mesh.items()}
    for chosen in all_options():
        of_mesh = evaluate(mesh, **chosen)
        of_row, back = (
            evaluate(row, **chosen),
            evaluate({k: x[::-1] for k, x in row.items()}, **chosen),
        )
        third = evaluate({k: x[::3] for k, x in row.items()}, **chosen)
        alone = evaluate({k: x[17] for k, x in row.items()}, **chosen)
        for name, values in of_row.items():
            same = np.broadcast_to(of_mesh[name], (9, 2, 2)).ravel()
            np.testing.assert_array_equal(same, values, err_msg=name)
            np.testing.assert_array_equal(back[name][::-1], values, err_msg=name)
            np.testing.assert_array_equal(third[name], values[::3], err_msg=name)
            np.testing.assert_array_equal(alone[name], values[17], err_msg=name)


def test_the_model_gives_what_the_functions_give():
    p = mixture("exponential", "1d", 10.0)
    results = evaluate({"T": p.T.value}, disorder="exponential", prefactors="assembled")
    found = find_threshold(p, "assembled")
    assert results["eps_th"] == pytest.approx(float(found.eps.value))
    assert results["log_sigma"] == pytest.approx(-(float(found.eps.value) - 2) / float(p.T.value))
    assert results["V_hc"] == pytest.approx(results["Delta_3hc"])  # eta_hc = 1
    assert results["level_width"] == pytest.approx(1 / results["N_eff"])
    assert results["assumptions_hold"] == 1
    assert results["T_c"] == pytest.approx(float(critical_temperature_of_constant_length(p).value))
    alpha = 0.3 / (math.pi * 2)
    assert results["T_c"] == pytest.approx(float(p.Delta_c.value) / (alpha * math.log(1 / alpha)))


def test_a_warm_or_strongly_disordered_mixture_says_that_its_assumptions_fail():
    strong = evaluate({"T": 1e-3, "w": 30.0}, geometry="2d", disorder="white")
    assert strong["status"] == Status.DONE
    assert strong["assumptions_hold"] == 0
