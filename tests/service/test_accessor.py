"""ds.delocal and tree.delocal: comparison, collapse, errors, tables, citations, provenance."""

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from uncertainties import ufloat, unumpy

import delocal
from delocal.physics.model import Status
from delocal.physics.models import load_models
from delocal.service.errors import SelectionError

T = [0.1, 0.03, 0.01, 0.003]
REQUEST = {
    "models": ["scaling", "network"],
    "axes": {"T": T, "W": [20, 40]},
    "fixed": {"d": 2, "alpha": 3, "beta": 3, "t": 1, "V": 1},
    "options": {"network": {"sampler": "dilute", "box": 32}},
    "sampling": {"replicas": 4},
    "seed": 7,
}


@pytest.fixture(scope="module")
def tree():
    return delocal.run(REQUEST)


@pytest.fixture
def scaling(tree):
    return tree["scaling"].to_dataset()


@pytest.fixture
def network(tree):
    return tree["network"].to_dataset()


def test_importing_delocal_is_enough():
    code = "import delocal, xarray as xr; print(xr.Dataset.delocal, xr.DataTree.delocal)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "DatasetAccessor" in done.stdout
    assert "TreeAccessor" in done.stdout


@pytest.mark.parametrize(
    "lacking", [["xarray"], ["pydantic", "sqlalchemy", "uncertainties", "zarr"]]
)
def test_importing_delocal_needs_no_extra(lacking):
    code = f"import sys; sys.modules.update(dict.fromkeys({lacking})); import delocal"
    subprocess.run([sys.executable, "-c", f"{code}; delocal.models()"], check=True)


def test_monte_carlo_and_theory_stand_side_by_side(tree, network, scaling):
    found = tree.delocal.compare("R1")
    assert found.ratio.sizes == {"T": 4, "W": 2}
    xr.testing.assert_allclose(found.ratio, network.R1 / scaling.R1)
    relative = network.R1_stderr / network.R1
    xr.testing.assert_allclose(found.ratio_stderr, found.ratio * relative)
    assert (found.theory_stderr == 0).all()
    expected = (network.R1 - scaling.R1) / network.R1_stderr
    xr.testing.assert_allclose(found.sigmas, expected)
    assert found.measured.attrs["units"] == "length"
    assert found.ratio.attrs["units"] == "1"
    xr.testing.assert_identical(found, tree.delocal.compare("network/R1", "scaling/R1"))


def test_a_variable_is_compared_with_its_exact_twin(network):
    found = network.delocal.compare("R1", "R1_exact")
    assert (abs(found.sigmas) < 6).all()
    assert float(abs(found.ratio - 1).max()) < 0.3


def test_theory_without_a_dimension_is_broadcast_and_only_common_points_are_compared():
    measured = xr.Dataset(
        {"y": (("W", "T"), np.full((2, 3), 2.0)), "y_stderr": (("W", "T"), np.full((2, 3), 0.5))},
        {"W": [1, 2], "T": [1.0, 2.0, 3.0]},
    )
    theory = xr.Dataset({"y": ("T", [4.0, 1.0])}, {"T": [2.0, 5.0]})
    found = delocal.service.comparison.compare(measured, "y", theory)
    assert found.ratio.values.tolist() == [[0.5], [0.5]]
    assert found.sigmas.values.tolist() == [[-4.0], [-4.0]]
    with pytest.raises(SelectionError, match="no common values of T"):
        delocal.service.comparison.compare(measured, "y", theory.sel(T=[5.0]))


def test_errors_of_both_sides_enter_the_ratio():
    ds = xr.Dataset({"a": 6.0, "a_stderr": 0.3, "b": 2.0, "b_stderr": 0.2})
    found = ds.delocal.compare("a", "b")
    expected = ufloat(6, 0.3) / ufloat(2, 0.2)
    assert found.ratio_stderr.item() == pytest.approx(expected.std_dev)
    assert found.sigmas.item() == pytest.approx(4 / np.hypot(0.3, 0.2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("R11",), "no model has R11 as an estimate; Known: network/N2"),
        (("kappa_sd",), "no model has kappa_sd as an estimate"),
        (
            ("network/R1", "scaling/R11"),
            "no model has scaling/R11 exactly; did you mean 'scaling/R1'",
        ),
        (("netwrk/R1",), "no model has netwrk/R1"),
    ],
)
def test_what_cannot_be_compared_is_said(tree, arguments, message):
    with pytest.raises(SelectionError, match=message):
        tree.delocal.compare(*arguments)


def test_a_fit_of_a_tree_names_the_model_where_several_have_the_variable(tree, network):
    with pytest.raises(SelectionError, match="say which: scaling/R1, network/R1"):
        tree.delocal.fit("R1", over="T")
    found = tree.delocal.fit("network/R1", over="T")
    xr.testing.assert_identical(found, network.delocal.fit("R1", over="T"))
    xr.testing.assert_identical(found, tree["network"].delocal.fit("R1", over="T"))
    assert (found.exact == -1).all()
    assert (abs(found.sigmas) < 4).all()


def test_exact_exponents_collapse_all_curves_onto_one(scaling):
    data = scaling.delocal.collapse("kappa_sd", over="T")
    assert data.y.sizes == {"T": 4, "W": 2}
    np.testing.assert_allclose(data.y.isel(W=0), data.y.isel(W=1))
    np.testing.assert_allclose(data.y, data.x**3)
    assert data.x.attrs["long_name"] == "T"
    assert "W^-exponent" in data.y.attrs["long_name"]


def test_curves_collapse_with_powers_by_hand(network):
    data = network.delocal.collapse("R1", over="T", x={"W": -2}, y={})
    one, other = (data.isel(W=i) for i in (0, 1))
    assert data.x.attrs["long_name"] == "T W^-2"
    at_one = np.interp(np.log(other.x), np.log(one.x[::-1]), np.log(one.y[::-1]))
    inside = (other.x >= one.x.min()).values
    assert abs(at_one - np.log(other.y))[inside].max() < 0.3
    assert (data.y_stderr > 0).all()


def test_what_underflows_is_scaled_by_its_logarithm():
    ds = delocal.evaluate("scaling", d=2, alpha=10, beta=3.9, T=[1e-6, 1e-2], W=[1.0, 1e3])
    assert (ds.kappa_sd2.isel(T=0) == 0).all()
    powers = {"T": -507 / 5}
    data = ds.delocal.collapse("kappa_sd2", over="W", y=powers)
    np.testing.assert_allclose(data.y.isel(T=0), data.y.isel(T=1))


def test_what_cannot_be_collapsed_is_said(network):
    with pytest.raises(SelectionError, match="give `y`"):
        network.delocal.collapse("degree", over="T")
    with pytest.raises(SelectionError, match="no 'w' to scale with; Known:"):
        network.delocal.collapse("degree", over="T", y={"w": 1})
    with pytest.raises(SelectionError, match="no axis 'TT'"):
        network.delocal.collapse("degree", over="TT", y={})


def test_errors_go_through_arithmetic_with_their_correlations(network):
    number = network.delocal.with_errors("R1", "degree")
    same = number.R1 / number.R1
    assert unumpy.std_devs(same.values).max() < 1e-16
    product = (number.R1 * number.degree).to_dataset(name="product").delocal.without_errors()
    relative = np.hypot(network.R1_stderr / network.R1, network.degree_stderr / network.degree)
    xr.testing.assert_allclose(product["product"], network.R1 * network.degree)
    xr.testing.assert_allclose(product.product_stderr / product["product"], relative)
    logarithm = xr.apply_ufunc(unumpy.log, number.R1)
    errors = unumpy.std_devs(logarithm.values)
    np.testing.assert_allclose(errors, network.R1_stderr / network.R1)


def test_all_estimates_have_errors_by_default_and_come_back(network):
    number = network.delocal.with_errors()
    assert "N2" in number
    assert "R1_exact" not in number
    back = number.delocal.without_errors()
    xr.testing.assert_equal(back.N2, network.N2)  # NaN among them
    xr.testing.assert_equal(back.N2_stderr, network.N2_stderr)
    with pytest.raises(SelectionError, match="R1_exact has no error; Known: N2, R1"):
        network.delocal.with_errors("R1_exact")


def test_only_done_cells_are_left():
    beta = xr.DataArray([3.0, 4.0], dims="alpha")
    ds = delocal.evaluate("scaling", d=2, alpha=[3.0, 4.0], beta=beta, T=[1e-3, 1e-2], W=1)
    assert ds.status.values.tolist() == [[1, 1], [2, 2]]
    ds["kappa_sd"] = ds.kappa_sd.fillna(7.0)
    masked = ds.delocal.select_done()
    assert np.isnan(masked.kappa_sd).values.tolist() == [[False, False], [True, True]]
    assert masked.region.dtype == ds.region.dtype
    assert masked.kappa_sd.attrs == ds.kappa_sd.attrs
    assert masked.kappa_sd_exponent.dims == ("alpha", "wrt")
    dropped = ds.delocal.select_done(drop=True)
    assert dropped.sizes["alpha"] == 1
    assert (dropped.status == Status.DONE).all()


def test_only_done_cells_of_a_tree(tree):
    assert set(tree.delocal.select_done().children) == set(tree.children)


def test_a_table_has_a_row_for_each_cell_with_names_for_flags(scaling):
    table = scaling.delocal.to_dataframe(["kappa_sd", "region", "kappa_sd_exponent"])
    assert len(table) == 8
    assert set(table["status"]) == {"done"}
    assert set(table["region"]) == {"IIb"}
    row = table[(table["T"] == 0.01) & (table["W"] == 40)]
    assert row["kappa_sd"].item() == scaling.kappa_sd.sel(T=0.01, W=40).item()
    assert row["kappa_sd_exponent_W"].item() == -6
    assert len(scaling.delocal.to_dataframe().columns) > 50
    with pytest.raises(SelectionError, match="did you mean 'kappa_sd'"):
        scaling.delocal.to_dataframe(["kapa_sd"])


@pytest.mark.parametrize("model", load_models().values(), ids=lambda model: model.name)
def test_every_model_names_its_papers(model):
    assert model.papers
    for paper in model.papers:
        assert paper.authors
        assert paper.doi or paper.eprint


def test_figures_are_drawn_from_datasets_and_trees(tree, scaling):
    drawn = scaling.delocal.plot.kappa(W=20)
    assert "kappa_sd" in " ".join(str(line.name) for line in drawn.data)
    assert scaling.delocal.plot is scaling.delocal.plot
    assert "kappa" in tree.delocal.plot.names()


def test_citations_are_those_of_the_theories_and_of_the_program(tree, scaling):
    text = tree.delocal.cite()
    assert text.count("@article{Gutman2016,") == 1  # three groups, one paper
    assert "10.1103/PhysRevB.93.245427" in text
    assert "@misc{delocal-" in text
    assert text.count("{") == text.count("}")
    assert scaling.delocal.fit("kappa_sd", over="T").delocal.cite() == text
    both = delocal.evaluate("resonant-bath", d=2, alpha=3, beta=3, T=1e-3, W=1).delocal.cite()
    assert "Gopalakrishnan2014" in both


def test_a_model_that_is_not_known_here_is_cited_in_its_own_words():
    ds = xr.Dataset(attrs={"model": "mine", "title": "My law", "references": "A. Nobody (1900)"})
    assert "note = {A. Nobody (1900)}" in ds.delocal.cite()


def test_provenance_is_read_back(tree, scaling):
    found = scaling.delocal.provenance()
    assert found["seed"] == 7
    assert found["request"]["sampling"] == {"replicas": 4}
    assert found["versions"]["numpy"] == np.__version__
    assert found["model"] == "scaling"
    assert tree.delocal.provenance()["network"]["options"]["sampler"] == "dilute"
    assert xr.Dataset().delocal.provenance() == {}
