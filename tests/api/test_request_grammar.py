"""Requests drawn from a grammar: right ones run, as large as was said; wrong ones are told.

A request is drawn right. Then it may be spoiled in one place, so that what must come is known.
"""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from delocal.physics.models import load_models
from delocal.service.request import SweepRequest
from delocal.service.settings import ClusterSettings, Service, Settings
from tests.api.conftest import client_of
from tests.service.conftest import wait

MODELS = {
    name: model
    for name, model in load_models().items()
    if model.replicate is None and model.seconds_per_cell <= 1e-4
}
TWINS = [("alpha", "beta"), ("t", "V"), ("T", "W")]  # may be tied to each other's values
COMPARISONS = ["eq", "ne", "lt", "le", "gt", "ge"]


def range_of(parameter):
    """Return ends between which any number, or whole number, is allowed."""
    low = max(parameter.minimum, -2.0)
    high = min(parameter.maximum, low + 6)
    return low + (high - low) / 8, high - (high - low) / 8


def points(parameter):
    """Return a strategy for numbers that are allowed, and that differ clearly if they differ."""
    low, high = range_of(parameter)
    if parameter.integer:
        return st.integers(math.ceil(low), max(math.ceil(low), math.floor(high)))
    return st.integers(0, 999).map(lambda step: low + (high - low) * step / 999)


def lists(parameter, most=4):
    return st.lists(points(parameter), min_size=1, max_size=most, unique=True)


@st.composite
def axes(draw, parameter):
    """The values of an axis in one of its forms, and how many there are."""
    form = "list" if parameter.integer else draw(st.sampled_from(["list", "plain", "range"]))
    if form == "range":
        ends = draw(st.lists(points(parameter), min_size=2, max_size=2, unique=True))
        kinds = ["linspace"] + (["geomspace", "logspace"] if min(ends) > 0 else [])
        kind, number = draw(st.sampled_from(kinds)), draw(st.integers(1, 4))
        if kind == "logspace":
            ends = [math.log10(end) for end in ends]
        return {kind: [*ends, number]}, number
    values = draw(lists(parameter))
    return (values if form == "plain" else {"list": values}), len(values)


@st.composite
def requests(draw):
    """A request that is right, and the number of points along each of its dimensions."""
    names = draw(st.lists(st.sampled_from(sorted(MODELS)), min_size=1, max_size=2, unique=True))
    parameters = common(names)
    content = {"models": names, "axes": {}, "fixed": {}}
    sizes = {}  # by the parameter that leads a dimension
    carried = {}  # by dimension: the parameters along it
    for name, parameter in parameters.items():
        where = draw(st.sampled_from(["axes", "axes", "fixed", "fixed", "left out"]))
        if where == "left out" and (parameter.optional or parameter.default is not None):
            continue
        if where == "axes" and len(sizes) < 3:
            content["axes"][name], sizes[name] = draw(axes(parameter))
            carried[name] = {name}
        else:
            content["fixed"][name] = draw(points(parameter))
    tie(draw, content, parameters, sizes, carried)
    list_cases(draw, content, parameters, sizes, carried)
    known = [*content["axes"], *content["fixed"]]
    if known:
        content["exclude"] = draw(st.lists(exclusions(known), max_size=2))
    content["options"] = draw(options(names))
    content["seed"] = draw(st.integers(0, 2**63 - 1))
    content["name"] = draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=20)).replace(
        "\0", ""
    )
    return content, sizes, carried


def common(names):
    """Return the parameters of some models, each with the bounds of all of them."""
    found = {}
    for parameter in (p for name in names for p in MODELS[name].parameters):
        other = found.get(parameter.name, parameter)
        found[parameter.name] = replace(
            parameter,
            minimum=max(parameter.minimum, other.minimum),
            maximum=min(parameter.maximum, other.maximum),
            integer=parameter.integer or other.integer,
            default=None if other.default is None else parameter.default,
            optional=parameter.optional and other.optional,
        )
    return found


def tie(draw, content, parameters, sizes, carried):
    """Perhaps let a fixed parameter follow an axis: with its values, or with its own."""
    for leader, follower in TWINS:
        if leader in sizes and follower in content["fixed"] and draw(st.booleans()):
            del content["fixed"][follower]
            carried[leader].add(follower)
            if draw(st.booleans()):
                content["axes"][follower] = {"like": leader}
            else:
                own = points(parameters[follower])
                values = draw(st.lists(own, min_size=sizes[leader], max_size=sizes[leader]))
                content["axes"][follower] = {"list": values, "along": leader}


def list_cases(draw, content, parameters, sizes, carried):
    """Perhaps give some of the fixed parameters as cases."""
    if content["fixed"] and draw(st.integers(0, 3)) == 0:
        names = draw(st.lists(st.sampled_from(sorted(content["fixed"])), min_size=1, unique=True))
        for name in names:
            del content["fixed"][name]
        case = st.fixed_dictionaries({name: points(parameters[name]) for name in names})
        content["cases"] = draw(st.lists(case, min_size=1, max_size=3))
        sizes["case"], carried["case"] = len(content["cases"]), set(names)


def exclusions(known):
    number = st.integers(-3, 9) | st.floats(-1e3, 1e3)
    compared = st.dictionaries(
        st.sampled_from(COMPARISONS), number | st.sampled_from(known), min_size=1, max_size=2
    )
    condition = number | st.lists(number, min_size=1, max_size=3) | compared
    return st.dictionaries(st.sampled_from(known), condition, min_size=1, max_size=2)


@st.composite
def options(draw, names):
    found = {}
    for name in names:
        for option in MODELS[name].options:
            if draw(st.booleans()):
                found.setdefault(name, {})[option.name] = draw(st.sampled_from(option.choices))
    return found


def cells_of(content, sizes, carried):
    """Return the cells of each model: it sees the dimensions that carry one of its parameters."""
    found = {}
    for name in content["models"]:
        own = {parameter.name for parameter in MODELS[name].parameters}
        found[name] = math.prod(size for dim, size in sizes.items() if carried[dim] & own)
    return found


# ways to spoil a request; each returns the field that is to be blamed, or None if it cannot


def first_axis(content):
    return next((n for n, a in content["axes"].items() if not isinstance(a, dict)), None)


def unknown_model(content):
    content["models"] = [*content["models"], "scalin"]
    return f"models.{len(content['models']) - 1}"


def model_twice(content):
    content["models"] = content["models"] * 2
    return "models"


def unknown_parameter(content):
    content["fixed"]["Tt"] = 1
    return "fixed.Tt"


def no_number(content):
    name = next(iter(content["fixed"]), None)
    if name:
        content["fixed"][name] = "hot"
        return f"fixed.{name}"


def not_finite(content):
    name = next(iter(content["fixed"]), None)
    if name:
        content["fixed"][name] = 10**400
        return f"fixed.{name}"


def twice(content):
    name = first_axis(content)
    if name:
        content["fixed"][name] = content["axes"][name][0]
        return name


def same_value(content):
    name = first_axis(content)
    if name:
        content["axes"][name] = content["axes"][name] + content["axes"][name][:1]
        return f"axes.{name}"


def empty_axis(content):
    name = first_axis(content)
    if name:
        content["axes"][name] = []
        return f"axes.{name}"


def two_forms(content):
    name = first_axis(content)
    if name:
        content["axes"][name] = {"list": content["axes"][name], "linspace": [1, 2, 2]}
        return f"axes.{name}"


def tied_to_nothing(content):
    name = first_axis(content)
    if name:
        content["axes"][name] = {"like": "nothing"}
        return f"axes.{name}"


def zipped_too_long(content):
    name = first_axis(content)
    other = next(iter(content["fixed"]), None)
    if name and other:
        del content["fixed"][other]
        content["axes"][other] = {"list": [1] * (len(content["axes"][name]) + 1), "along": name}
        return f"axes.{other}"


def empty_exclusion(content):
    content["exclude"] = [*content.get("exclude", []), {}]
    return f"exclude.{len(content['exclude']) - 1}"


def unknown_exclusion(content):
    content["exclude"] = [{"q": 1}]
    return "exclude.0.q"


def unknown_option(content):
    content["options"] = {content["models"][0]: {"colour": "red"}}
    return f"options.{content['models'][0]}.colour"


def unknown_field(content):
    content["axis"] = {}
    return "axis"


def nothing_is_sampled(content):
    content["sampling"] = {"replicas": 4}
    return "sampling"


def seed_too_large(content):
    content["seed"] = 2**63
    return "seed"


def too_many_cells(content):
    name = first_axis(content)
    if name:
        content["axes"][name] = {"linspace": [1, 2, 10**9]}
        return f"axes.{name}"


SPOILS = [
    unknown_model,
    model_twice,
    unknown_parameter,
    no_number,
    not_finite,
    twice,
    same_value,
    empty_axis,
    two_forms,
    tied_to_nothing,
    zipped_too_long,
    empty_exclusion,
    unknown_exclusion,
    unknown_option,
    unknown_field,
    nothing_is_sampled,
    seed_too_large,
    too_many_cells,
]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    service = Service(Settings(data=folder, cluster=ClusterSettings(kind="none")))
    with client_of(service) as rest:
        yield rest, service
    service.close()


def derandomized(examples):
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )


def check_right(served, drawn):
    """A right request runs, is as large as was said, and its blocks tile what it asks for."""
    rest, service = served
    content, sizes, carried = drawn
    expected = cells_of(content, sizes, carried)
    said = rest.post("/v1/sweeps", params={"dry_run": True}, json=content)
    assert said.status_code == 200, said.text
    assert said.json()["cells"] == sum(expected.values())
    plan = SweepRequest.parse(content).plan(block_cells=1 + content["seed"] % 7)
    for part in plan.parts:
        seen = np.zeros(part.grid.shape, dtype=int)
        for block in part.blocks:
            seen[part.blocks.box(block)] += 1
        assert (seen == 1).all()
        assert seen.size == expected[part.model]
    accepted = rest.post("/v1/sweeps", json=content)
    assert accepted.status_code == 202, accepted.text
    assert accepted.json()["id"] == said.json()["id"] == plan.sweep_id
    sweep = wait(service.ledger, plan.sweep_id)
    assert sweep.final
    assert sweep.cells == sum(sweep.counts.values()) == sum(expected.values())
    store = service.sweeps.store(sweep.id)
    for model, cells in expected.items():
        assert store.open_model(model)["status"].size == cells


def check_wrong(served, drawn, spoil):
    """What is wrong is told by its field, with words, as a problem."""
    rest, _ = served
    content = copy.deepcopy(drawn[0])
    field = spoil(content)
    if field is None:  # nothing to spoil in this way
        return
    for path in ("/v1/sweeps", "/v1/sweeps?dry_run=true"):
        response = rest.post(path, json=content)
        assert response.status_code == 422, response.text
        assert response.headers["Content-Type"] == "application/problem+json"
        problem = response.json()
        assert problem["status"] == 422
        told = {error["field"]: error["message"] for error in problem["errors"]}
        assert all(told.values())
        assert any(f == field or f.startswith(f"{field}.") for f in told), (field, told)


@derandomized(70)
@given(drawn=requests())
def test_a_right_request_runs_and_is_as_large_as_was_said(served, drawn):
    check_right(served, drawn)


@derandomized(130)
@given(drawn=requests(), spoil=st.sampled_from(SPOILS))
def test_a_wrong_request_is_told_what_is_wrong(served, drawn, spoil):
    check_wrong(served, drawn, spoil)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@derandomized(10_000)
@given(drawn=requests(), spoil=st.sampled_from(SPOILS))
def test_ten_thousand_requests_run_or_are_told_what_is_wrong(served, drawn, spoil):
    check_right(served, drawn)
    check_wrong(served, drawn, spoil)


@pytest.mark.parametrize("spoil", SPOILS, ids=lambda spoil: spoil.__name__)
def test_every_way_to_spoil_a_request_can_be_gone(served, spoil):
    content = {
        "models": ["scaling"],
        "axes": {"T": [0.1, 0.2]},
        "fixed": {"W": 1, "d": 2, "alpha": 3, "beta": 3},
    }
    assert spoil(copy.deepcopy(content)) is not None
    check_wrong(served, (content,), spoil)
