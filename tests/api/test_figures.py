"""Figures over REST: what a sweep can give, JSON for Plotly, and errors that say what to do."""

import json

import plotly.graph_objects as go
import pytest

from delocal.service.figures import RECIPES
from tests.api.test_data import ask, held
from tests.api.test_rest import submit, wait

REQUEST = {
    "models": ["scaling"],
    "axes": {"T": {"geomspace": [1e-6, 1e-2, 5]}, "W": {"linspace": [1, 10, 10]}},
    "fixed": {"d": 2, "alpha": 3, "beta": 3},
}


@pytest.fixture
def url(rest):
    """Where the figures of a sweep that is done are."""
    return f"/v1/sweeps/{wait(rest, submit(rest, REQUEST))['id']}/figures"


def plotted(response):
    """Return the figure that an answer is, which must be valid JSON without NaN."""

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    content = json.loads(response.text, parse_constant=refuse)
    assert set(content) == {"data", "layout"}
    return go.Figure(content)


def test_a_sweep_lists_what_it_can_give_and_each_can_be_fetched(rest, url):
    content = ask(rest, url).json()
    assert [figure["name"] for figure in content["figures"]] == [
        "phase-diagram",
        "kappa",
        "curve",
        "heatmap",
    ]
    kappa = content["figures"][1]
    [offer] = kappa["offers"]
    assert kappa["takes"] == ["model", "variable", "x", "y", "sel"]
    assert (offer["model"], offer["axes"]) == ("scaling", ["T", "W"])
    assert "kappa_sd" in offer["variables"]
    T, W, wrt = content["axes"]["scaling"]
    assert (T["name"], T["dim"], T["units"], T["size"]) == ("T", "T", "energy", 5)
    assert W["values"] == list(range(1, 11))
    assert wrt["values"] == ["T", "W", "t", "V", "rho"]
    for figure in content["figures"]:
        chosen = {"x": "T", "sel": "W=1"} if figure["name"] in ("kappa", "curve") else {}
        plotted(rest.get(figure["link"], params=chosen))


def test_the_link_of_a_sweep_leads_to_its_figures(rest, url):
    sweep = ask(rest, url.removesuffix("/figures")).json()
    assert sweep["links"]["figures"].endswith(url)


def test_choices_are_heeded(rest, url):
    figure = plotted(
        ask(rest, f"{url}/heatmap?variable=R1&x=W&y=T&theme=dark&sel=W=2:5&sel=T=1e-6,1e-2")
    )
    assert figure.data[0].z["shape"] == "2, 4"  # in base64, as plotly.js reads it
    assert figure.layout.xaxis.title.text == "disorder W (energy)"
    assert figure.layout.template.layout.paper_bgcolor != "#FFFFFF"
    near = plotted(ask(rest, f"{url}/curve?variable=R1&x=T&sel=W=2.2&nearest=true"))
    assert "W = 2" in near.layout.title.subtitle.text


@pytest.mark.parametrize(
    ("query", "status", "advice"),
    [
        ("/kapa", 404, "did you mean 'kappa'"),
        (
            "/convergence",
            404,
            "it needs the replicas of a Monte Carlo model. There are: phase-diagram",
        ),
        ("/kappa?model=scalin", 404, "did you mean 'scaling'"),
        ("/kappa?variable=kapa_sd", 422, "did you mean 'kappa_sd'"),
        ("/kappa", 422, "select a value of W: 1, 2, 3"),
        ("/kappa?sel=W", 422, "write a coordinate and values: W=1"),
        ("/kappa?sel=W=1.5", 422, "nearest are"),
        ("/heatmap?x=w", 422, "no axis 'w'"),
        ("/kappa?theme=blue", 422, "theme"),
    ],
)
def test_a_mistake_is_a_problem_with_advice(rest, url, query, status, advice):
    response = ask(rest, url + query, status)
    assert response.headers["content-type"] == "application/problem+json"
    assert advice in response.json()["detail"]


def test_axes_that_a_figure_leaves_open_are_named(rest, url):
    [error] = ask(rest, f"{url}/kappa", 422).json()["errors"]
    assert error["field"] == "sel.W"
    assert error["message"].startswith("select a value of W")


def test_too_many_values_are_413(rest, url, monkeypatch):
    monkeypatch.setattr("delocal.service.figures.offers.MAX_VALUES", 20)
    assert "at most 20" in ask(rest, f"{url}/heatmap", 413).json()["detail"]


def test_a_figure_that_is_known_is_not_sent_again(rest, url):
    first = ask(rest, f"{url}/heatmap?variable=R1")
    assert first.headers["cache-control"] == "private, no-cache"
    tag = {"If-None-Match": first.headers["etag"]}
    assert ask(rest, f"{url}/heatmap?variable=R1", 304, **tag).content == b""
    ask(rest, f"{url}/heatmap?variable=R2", 200, **tag)


def test_a_sweep_that_runs_shows_what_is_there_and_is_not_kept(rest, service):
    _, sweep = held(service, REQUEST)
    response = ask(rest, f"/v1/sweeps/{sweep}/figures/heatmap?variable=status")
    assert response.headers["cache-control"] == "no-store"
    assert {name for row in plotted(response).data[0].text for name in row} == {"not computed"}
    [note] = plotted(ask(rest, f"/v1/sweeps/{sweep}/figures/kappa?sel=W=1")).layout.annotations
    assert note.text == "no values: 5 not computed"


def test_the_phase_diagram_needs_no_sweep(rest):
    first = ask(rest, "/v1/figures/phase-diagram")
    assert {note.text for note in plotted(first).layout.annotations} >= {"IIb", "MBL"}
    ask(rest, "/v1/figures/phase-diagram", 304, **{"If-None-Match": first.headers["etag"]})
    other = plotted(ask(rest, "/v1/figures/phase-diagram?d=3&theme=dark"))
    assert "d = 3" in other.layout.title.text
    ask(rest, "/v1/figures/phase-diagram?d=4", 422)


def test_every_figure_stands_in_the_documentation(pytestconfig):
    page = (pytestconfig.rootpath / "docs" / "reference" / "figures.md").read_text()
    for recipe in RECIPES.values():
        assert f"| `{recipe.name}` | {recipe.title} | {recipe.needs} |" in page
