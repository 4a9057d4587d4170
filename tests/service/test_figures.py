"""Figures: the right data on them, with names, units and equations; and errors with advice."""

import json

import numpy as np
import pytest
import xarray as xr

import delocal
from delocal.service import figures
from delocal.service.errors import NotFound, SelectionError, TooLarge
from delocal.service.figures import RECIPES, Choices, Plots, figure_of, offers
from delocal.service.figures.style import STYLES
from delocal.workers.dataset import evaluate

T = np.geomspace(1e-6, 1e-2, 5)
SAMPLED = {
    "models": ["resonances"],
    "axes": {"T": [0.1, 0.2]},
    "fixed": {"d": 1, "alpha": 1.5, "W": 1},
    "options": {"resonances": {"spins": 10_000}},
    "sampling": {"replicas": 8},
}


@pytest.fixture(scope="module")
def plane():
    """The scaling theory over alpha, beta and T."""
    alpha, beta = np.linspace(1.5, 8.5, 8), np.linspace(1.25, 4.75, 7)
    return evaluate("scaling", d=2, alpha=alpha, beta=beta, T=[1e-4, 1e-3], W=1)


@pytest.fixture(scope="module")
def sampled():
    return delocal.run(SAMPLED)


@pytest.fixture
def compared():
    """A theory, and a Monte Carlo model of the same variable, one cell of which is late."""
    theory = evaluate("scaling", d=2, alpha=3, beta=3, T=T, W=1)
    kappa = theory.kappa_sd.rename("kappa_sd")
    status = xr.full_like(theory.status, 1)
    status[0], status[1] = 3, 4
    mean = xr.Dataset({"kappa_sd": kappa, "kappa_sd_stderr": 0.1 * kappa, "status": status})
    return xr.DataTree.from_dict(
        {"scaling": theory, "transport": mean.assign_attrs(model="transport")}
    )


# The phase diagram


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_phase_diagram_names_every_region(d):
    figure = figures.phase_diagram(d, points=80)
    texts = {annotation.text for annotation in figure.layout.annotations}
    assert texts == {"out of domain", "I", "IIa", "IIb", "IIc", "III", "MBL"}
    heatmap = figure.data[0]
    here = np.argmin(np.abs(heatmap.y - 1.5 * d)), np.argmin(np.abs(heatmap.x - 1.75 * d))
    assert heatmap.text[here] == "IIb"


def test_the_phase_diagram_is_that_of_the_model():
    figure = figures.phase_diagram(2, points=16)
    [drawn] = figure.data
    ds = evaluate("scaling", d=2, alpha=drawn.x, beta=drawn.y, T=1e-3, W=1)
    assert (figures.region_map(ds).data[0].text == drawn.text).all()


def test_cells_are_marked_by_what_became_of_them():
    ds = evaluate("scaling", d=2, alpha=[3, 4], beta=[2.5, 3], T=[1e-3, 1e-2], W=1)
    alpha, beta, last = ds.alpha, ds.beta, ds["T"] > 5e-3
    ds["status"] = ds.status.where((alpha != 4) | (beta != 3), 6)
    ds["status"] = ds.status.where((alpha != 3) | (beta != 3) | ~last, 0)
    ds["status"] = ds.status.where((alpha != 3) | (beta != 2.5) | ~last, 4)
    marks = {
        trace.name: list(zip(trace.x, trace.y, strict=True))
        for trace in Plots(ds).phase_diagram().data[1:]
    }
    assert marks == {
        "cells finished": [(4, 2.5)],
        "cells unfinished": [(3, 3)],
        "cells failed, at least in part": [(3, 2.5)],
    }


def test_the_phase_diagram_holds_every_cell():
    ds = evaluate("scaling", d=2, alpha=[3, 40], beta=3, T=1e-3, W=1)
    figure = Plots(ds).phase_diagram()
    assert figure.layout.xaxis.range[1] > 40
    assert figure.data[0].x.max() > 40


def test_the_phase_diagram_is_of_one_dimension():
    ds = evaluate("scaling", d=[1, 2], alpha=3, beta=3, T=1e-3, W=1)
    with pytest.raises(SelectionError, match="select a value of d: 1, 2"):
        Plots(ds).phase_diagram()
    assert "d = 1" in Plots(ds).phase_diagram(d=1).layout.title.text


# Curves


def test_kappa_has_a_line_for_each_channel_that_exists():
    figure = Plots(evaluate("scaling", d=2, alpha=5, beta=3, T=T, W=1)).kappa()
    lines = {trace.name.partition(":")[0]: trace for trace in figure.data}
    assert len(lines) == 7
    sd = lines["kappa_sd"]
    slope = np.polyfit(np.log10(sd.x), sd.y, 1)[0]  # of logarithms: kappa_s underflows here
    assert slope == pytest.approx(19)  # spectral diffusion at (2, 5, 3)
    assert "Eq. (77)" in sd.name
    assert figure.layout.yaxis.tickprefix == "10<sup>"
    assert len({trace.line.dash for trace in figure.data}) == 7
    in_iib = Plots(evaluate("scaling", d=2, alpha=3, beta=3, T=T, W=1)).kappa()
    assert len(in_iib.data) == 4
    assert in_iib.layout.yaxis.type == in_iib.layout.xaxis.type == "log"


def test_axes_have_units_and_the_title_has_the_equation_and_the_parameters():
    layout = Plots(evaluate("scaling", d=2, alpha=3, beta=3, T=T, W=1)).curve("kappa_sd").layout
    assert layout.xaxis.title.text == "temperature T (energy)"
    assert layout.yaxis.title.text == (
        "thermal conductivity by spectral diffusion<br>kappa_sd (energy length<sup>2-d</sup>)"
    )
    subtitle = layout.title.subtitle.text.replace("<br>", " ")
    assert subtitle.startswith("d = 2, alpha = 3, beta = 3, W = 1, ")
    assert "Gutman et al. (2016), Eq. (77)" in subtitle


def test_theory_is_a_line_and_monte_carlo_points_with_errors_of_the_same_colour(compared):
    line, points = Plots(compared).kappa("kappa_sd").data
    assert (line.name, points.name) == ("model scaling", "model transport, Monte Carlo")
    assert line.mode.startswith("lines")
    assert points.mode == "markers"
    assert points.error_y.array[0] == pytest.approx(0.1 * line.y[0])
    assert line.line.color == points.marker.color
    assert list(points.marker.symbol[:3]) == [
        "square-open",
        "square",
        "square",
    ]  # the first is late
    assert np.flatnonzero(np.isnan(points.y)).tolist() == [1]  # the second failed


def test_a_second_axis_has_a_line_for_each_value():
    ds = evaluate("scaling", d=2, alpha=3, beta=3, T=T, W=np.linspace(1, 10, 10))
    with pytest.raises(SelectionError, match=r"select a value of W: 1, 2, 3, 4, 5, 6, \.\.\."):
        Plots(ds).curve("kappa_sd", x="T")
    family = Plots(ds).curve("kappa_sd", x="T", y="W").data
    assert [trace.name for trace in family] == [f"W = {W}" for W in range(1, 11)]
    assert len({trace.line.color for trace in family}) == 10
    few = Plots(ds).curve("kappa_sd", x="T", W=slice(1, 3)).data
    assert [trace.name for trace in few] == ["W = 1", "W = 2", "W = 3"]
    one = Plots(ds).curve("kappa_sd", x="T", W=2.1, nearest=True)
    assert "W = 2" in one.layout.title.subtitle.text


def test_too_many_lines_and_mixed_units_are_refused():
    ds = evaluate("scaling", d=2, alpha=3, beta=3, T=T, W=np.linspace(1, 10, 30))
    with pytest.raises(SelectionError, match="30 lines, one for each W, are too many"):
        Plots(ds).curve("kappa_sd", x="T", y="W")
    with pytest.raises(SelectionError, match=r"select a value of W: .* or choose one variable"):
        Plots(ds).kappa(W=slice(1, 2))
    with pytest.raises(SelectionError, match=r"several units: kappa_sd .*, R1 \(length\)"):
        Plots(ds).curve(["kappa_sd", "R1"], W=1.0)


def test_explicit_cases_are_drawn_in_order():
    points = xr.DataArray([1e-2, 1e-4, 1e-3], dims="case")
    ds = evaluate("scaling", d=2, alpha=3, beta=3, T=points, W=1)
    assert Plots(ds).curve("kappa_sd", x="T").data[0].x.tolist() == [1e-4, 1e-3, 1e-2]


def test_what_is_not_there_yet_is_said():
    ds = evaluate("scaling", d=2, alpha=3, beta=3, T=T, W=1)
    ds["status"] = xr.zeros_like(ds.status)
    [note] = Plots(ds).curve("kappa_sd").layout.annotations
    assert note.text == "no values: 5 not computed"


def test_partners_are_drawn_beside_their_exact_number(sampled):
    points, line = Plots(sampled).partners(T=0.1).data
    ds = sampled["resonances"].to_dataset().sel(T=0.1)
    np.testing.assert_array_equal(points.y, ds.N1)
    np.testing.assert_array_equal(points.error_y.array, ds.N1_stderr)
    np.testing.assert_array_equal(line.y, ds.N1_exact)
    assert points.marker.color == line.line.color


def test_the_spectral_line_has_its_width_marked():
    ds = evaluate("lineshape", omega=np.geomspace(1e-2, 1e3, 30), s=1)
    figure = Plots(ds).lineshape()
    assert [trace.name.partition(":")[0] for trace in figure.data] == ["S", "S_12", "S_lorentzian"]
    assert [shape.x0 for shape in figure.layout.shapes] == [float(ds.width), float(ds.J)]
    width = next(note for note in figure.layout.annotations if note.text == "width")
    assert width.x == pytest.approx(np.log10(float(ds.width)))


def test_the_law_of_linewidths_has_a_line_for_each_order():
    ds = evaluate("linewidths", Gamma=np.geomspace(1e-2, 1e2, 9), n=[1, 2], T_over_Tc=0.8)
    figure = Plots(ds).linewidth_law()
    assert [trace.name for trace in figure.data] == ["n = 1", "n = 2"]
    assert figure.layout.xaxis.title.text == "linewidth Gamma (energy)"


def test_linewidths_are_drawn_over_temperature():
    ds = evaluate("resonant-bath", d=2, alpha=3, beta=3, T=T, W=1)
    names = [trace.name.partition(":")[0] for trace in Plots(ds).linewidth().data]
    assert names == ["Gamma", "Gamma_a", "Gamma_b", "Gamma_c"]


# Maps


def test_a_map_colours_logarithms_and_masks_by_status(plane):
    figure = Plots(plane).heatmap("kappa_sd", x="alpha", y="beta", T=1e-3)
    values, mask = figure.data[:2]
    expected = plane.log10_kappa_sd.sel(T=1e-3).transpose("beta", "alpha")
    shown = np.isfinite(expected.values)
    np.testing.assert_allclose(values.z[shown], expected.values[shown])
    assert np.isnan(values.z[~shown]).all()
    outside = plane.status.sel(T=1e-3).transpose("beta", "alpha").values == 2
    assert set(mask.text[outside]) == {"outside domain"}
    assert set(mask.text[~shown & ~outside]) == {"no value"}  # its channel is absent, or kappa is 0
    assert set(mask.text[shown]) == {""}
    assert [trace.name for trace in figure.data[2:]] == ["no value", "outside domain"]
    assert figure.layout.coloraxis.colorbar.title.text.endswith(
        "kappa_sd (energy length<sup>2-d</sup>)"
    )


@pytest.mark.parametrize(
    ("status", "name"), [(0, "not computed"), (4, "failed"), (5, "cancelled"), (6, "excluded")]
)
def test_a_cell_without_a_value_says_why(plane, status, name):
    ds = plane.copy()
    ds["status"] = ds.status.where(ds.alpha != 3.5, status)
    for variable in ("kappa_sd", "dominant_channel", "status"):
        figure = Plots(ds).heatmap(variable, T=1e-3)
        mask = next(trace for trace in figure.data if trace.text is not None)
        assert set(mask.text[:, 2]) == {name}


def test_further_axes_are_on_a_slider(plane):
    figure = Plots(plane).heatmap("kappa_sd")
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == (
        "exponent of the hopping, t/r<sup>alpha</sup>",
        "exponent of the interaction, V/r<sup>beta</sup>",
    )
    [slider] = figure.layout.sliders
    assert [step.label for step in slider.steps] == ["T = 0.0001", "T = 0.001"]
    for step in slider.steps:
        visible = step.args[0]["visible"]
        assert len(visible) == len(figure.data)
        assert sum(visible[:4]) == 2
    assert list(slider.steps[0].args[0]["visible"]) == [
        trace.visible is not False for trace in figure.data
    ]


def test_a_map_needs_two_axes_and_few_maps(plane):
    plots = Plots(plane)
    with pytest.raises(
        SelectionError, match="region of scaling does not vary along T here, but along alpha, beta"
    ):
        plots.heatmap("region", x="T", y="alpha")
    with pytest.raises(SelectionError, match="varies along beta only"):
        plots.heatmap("region", alpha=1.5)
    tied = evaluate(
        "scaling",
        d=2,
        alpha=xr.DataArray([3.0, 4.0], dims="case"),
        beta=xr.DataArray([3.0, 3.0], dims="case"),
        T=T,
        W=1,
    )
    with pytest.raises(SelectionError, match="vary together"):
        Plots(tied).heatmap("kappa_sd", x="alpha", y="beta")
    many = evaluate(
        "scaling",
        d=2,
        alpha=[3.0, 4.0],
        beta=[2.5, 3.0],
        T=np.linspace(1, 2, 11),
        W=np.linspace(3, 4, 12),
    )
    with pytest.raises(TooLarge, match=r"11 \(T\) x 12 \(W\) has 132 maps"):
        Plots(many).heatmap("kappa_sd", x="alpha", y="beta")


def test_cells_that_are_not_converged_are_marked():
    ds = evaluate("scaling", d=2, alpha=3, beta=3, T=T, W=[1.0, 2.0])
    ds["status"] = ds.status.where((ds["T"] != T[2]) | (ds.W != 1), 3)
    marks = Plots(ds).heatmap("kappa_sd", x="T", y="W").data[-1]
    assert (marks.name, marks.x.tolist(), marks.y.tolist()) == ("not converged", [T[2]], [1.0])


def test_a_parameter_may_have_any_letter():
    ds = evaluate("nearly-localized", eps=[-1, 0.1], gamma=[1e-3, 1e-2], K=3, N=6, s=5, d=1, z=4)
    figure = Plots(ds).heatmap("gain")
    assert "z = 4" in figure.layout.title.subtitle.text


def test_the_map_of_an_exponent_has_the_borders(plane):
    figure = Plots(plane).exponents("kappa_sd")
    z = figure.data[0].z
    exact = plane.kappa_sd_exponent.sel(wrt="T").transpose("beta", "alpha").values
    np.testing.assert_allclose(z[np.isfinite(z)], np.log10(exact[np.isfinite(z)]))
    assert figure.layout.title.text == "Exponent of T in kappa_sd"
    assert {"IIb", "IIc", "III"} <= {note.text for note in figure.layout.annotations}
    of_W = Plots(plane).exponents("kappa_sd", wrt="W")
    assert of_W.layout.title.text == "Exponent of W in kappa_sd"


# Convergence


def test_convergence_ends_at_the_mean_of_the_cell(sampled):
    figure = Plots(sampled).convergence("N_pairs", T=0.1)
    mean = figure.data[-1]
    ds = sampled["resonances"].to_dataset().sel(T=0.1)
    assert mean.x.tolist() == list(range(1, 9))
    assert mean.y[-1] == pytest.approx(float(ds.N_pairs))
    assert mean.customdata[-1] == pytest.approx(float(ds.N_pairs_stderr))


def test_convergence_is_of_one_cell_and_says_if_nothing_is_there(sampled):
    with pytest.raises(SelectionError, match=r"select a value of T: 0\.1, 0\.2"):
        Plots(sampled).convergence()
    replicas = sampled["resonances_replicas"].to_dataset()
    one = Plots(replicas.isel(replica=[0])).convergence("N_pairs", T=0.1).data[-1]
    assert one.x.tolist() == [1]
    assert np.isnan(one.customdata).all()  # one value has no error
    replicas["status"] = xr.zeros_like(replicas.status)
    [note] = Plots(replicas).convergence("N_pairs", T=0.1).layout.annotations
    assert note.text == "no replica of this cell is there yet"


# Collapse


def test_curves_that_are_scaled_rightly_lie_on_one_another():
    L, w = xr.DataArray([8.0, 32.0], dims="L"), xr.DataArray(np.linspace(0.3, 0.7, 5), dims="w")
    curves = np.tanh((w - 0.5) * L**0.75)
    ds = xr.Dataset({"P": curves, "P_stderr": 0.01 + 0 * curves}, {"L": L, "w": w})
    right, wrong = (
        ds.delocal.collapse("P", over="w", x={"L": power}, y={}, centre=0.5) for power in (0.75, 0)
    )
    figure = right.delocal.plot.collapse()
    assert [line.name for line in figure.data] == ["L = 8", "L = 32"]
    assert figure.layout.xaxis.title.text == "(w - 0.5) L^0.75"
    for line in figure.data:
        np.testing.assert_allclose(line.y, np.tanh(np.array(line.x, float)), rtol=1e-12)
        assert line.mode == "markers"
        assert set(line.error_y.array) == {0.01}
    spread = [np.array(line.y) for line in wrong.delocal.plot.collapse().data]
    assert np.abs(spread[0] - spread[1]).max() > 0.1


def test_a_sweep_has_no_collapse_of_its_own(plane):
    assert "collapse" not in Plots(plane).names()


# All figures


def test_every_figure_has_a_method(plane):
    for name in RECIPES:
        assert callable(getattr(Plots(plane), name.replace("-", "_")))


EXAMPLES = {
    "phase-diagram": ("plane", {}),
    "kappa": ("plane", {"sel": ["alpha=3.5", "beta=3"]}),
    "curve": ("compared", {"variable": "kappa_sd"}),
    "heatmap": ("plane", {"variable": "R1", "x": "alpha", "y": "beta"}),
    "exponents": ("plane", {}),
    "partners": ("sampled", {}),
    "linewidth": ("bath", {}),
    "linewidth-law": ("widths", {}),
    "lineshape": ("line", {}),
    "convergence": ("sampled", {"sel": ["T=0.1"]}),
    "collapse": ("scaled", {}),
}


@pytest.fixture(scope="module")
def scaled(plane):
    """kappa_sd with the powers of the theory taken out of it."""
    return plane.delocal.collapse("kappa_sd", over="T")


@pytest.fixture(scope="module")
def line():
    return evaluate("lineshape", omega=np.geomspace(1e-2, 5e3, 9), s=1)  # S < 0 beyond J


@pytest.fixture(scope="module")
def widths():
    return evaluate("linewidths", Gamma=np.geomspace(1e-9, 1, 5), T_over_Tc=0.8)


@pytest.fixture(scope="module")
def bath():
    return evaluate("resonant-bath", d=2, alpha=3, beta=3, T=T, W=1)


@pytest.mark.parametrize("theme", STYLES)
@pytest.mark.parametrize("name", RECIPES)
def test_every_figure_is_valid_json_in_both_themes(name, theme, tmp_path, request):
    data, chosen = EXAMPLES[name]
    path = tmp_path / "figure.json"
    figure = figures.draw(name, request.getfixturevalue(data), path, theme=theme, **chosen)
    content = json.loads(path.read_text(), parse_constant=refused)
    assert content["data"]
    layout = content["layout"]
    assert layout["xaxis"]["title"]["text"]
    assert layout["yaxis"]["title"]["text"]
    assert layout["template"]["layout"]["paper_bgcolor"] == STYLES[theme].paper
    assert figure.layout.title.text


def refused(constant):
    raise AssertionError(f"{constant} is no JSON")


def test_what_a_sweep_can_give_follows_from_its_variables(plane, sampled, line):
    assert Plots(plane).names() == ["phase-diagram", "kappa", "curve", "heatmap", "exponents"]
    assert Plots(sampled).names() == ["curve", "heatmap", "partners", "convergence"]
    assert Plots(line).names() == ["curve", "lineshape"]
    [offer] = figures.possible({"scaling": plane})["kappa"]
    assert offer.axes[0] == "T"
    assert offer.variables[:4] == ("kappa_opt", "kappa_ps", "kappa_s", "kappa_sd")


@pytest.mark.parametrize(
    ("name", "chosen", "error", "advice"),
    [
        ("kapa", {}, NotFound, "did you mean 'kappa'"),
        ("lineshape", {}, NotFound, "it needs S over omega.* There are: phase-diagram, kappa"),
        ("kappa", {"model": "scalin"}, NotFound, "did you mean 'scaling'"),
        ("kappa", {"variable": "kapa_sd"}, SelectionError, "did you mean 'kappa_sd'"),
        ("kappa", {"x": "t"}, SelectionError, "no axis 't' for 'kappa'; Known: T, alpha, beta"),
        ("kappa", {"sel": ["w=1"]}, SelectionError, "no axis 'w'"),
        ("kappa", {"sel": ["W"]}, SelectionError, "write a coordinate and values: W=1"),
        ("kappa", {"sel": ["W=1", "W=2"]}, SelectionError, "W is given twice"),
        ("kappa", {"sel": ["alpha=3.4"]}, SelectionError, "nearest are 3.5 and 2.5"),
        ("kappa", {"sel": ["alpha=3.5"]}, SelectionError, "select a value of beta: 1.25"),
        ("kappa", {"theme": "drak"}, SelectionError, "did you mean 'dark'"),
    ],
)
def test_a_mistake_is_answered_with_advice(plane, name, chosen, error, advice):
    with pytest.raises(error, match=advice):
        figure_of(name, {"scaling": plane}, Choices.of(**chosen))


def test_too_many_values_are_refused_before_they_are_read(plane, monkeypatch):
    monkeypatch.setattr(offers, "MAX_VALUES", 100)
    with pytest.raises(TooLarge, match="at most 100"):
        Plots(plane).heatmap("kappa_sd")
    assert Plots(plane).curve("kappa_sd", alpha=3.5, beta=3).data


# Files


def test_a_page_needs_no_network():
    html = figures.page("title", [figures.phase_diagram(2, points=16)] * 2)
    assert html.count("plotly.js v") == 1
    assert 'src="http' not in html


def test_a_figure_is_written_as_its_suffix_says(plane, tmp_path):
    chosen = {"variable": "kappa_sd", "sel": {"alpha": 3.5, "beta": 3}}
    figures.draw("curve", plane, tmp_path / "curve.html", **chosen)
    assert "plotly.js v" in (tmp_path / "curve.html").read_text()
    figures.draw("curve", plane, tmp_path / "curve.svg", theme="dark", **chosen)
    svg = (tmp_path / "curve.svg").read_text()
    assert svg.startswith("<svg")
    assert "temperature T (energy)" in svg
    figures.draw("curve", plane, tmp_path / "curve.pdf", **chosen)
    assert (tmp_path / "curve.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(SelectionError, match=r"curve.gif.*\.html, \.png, \.svg, \.pdf, \.json"):
        figures.draw("curve", plane, tmp_path / "curve.gif", **chosen)
