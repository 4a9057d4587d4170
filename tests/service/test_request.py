"""SweepRequest: everything a caller can get wrong, and what makes two requests the same."""

import datetime
import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from delocal.physics.model import Option, Parameter
from delocal.service.axes import MAX_POINTS
from delocal.service.errors import RequestError
from delocal.service.request import MAX_CELLS, SweepRequest
from delocal.workers.grid import Dimension, Exclusion

BASE = {
    "models": ["scaling"],
    "name": "dipoles",
    "axes": {"T": {"geomspace": [1e-6, 1e-2, 5]}, "W": [1, 2]},
    "fixed": {"d": 2, "alpha": 3, "beta": 3},
}
POINT = {"d": 2, "alpha": 3, "beta": 3, "W": 1}
FORMS = "list, linspace, logspace, geomspace, like"
DATE = datetime.date(2020, 1, 1)


def problems(content, **more):
    """Return what is wrong with `content`, by field."""
    with pytest.raises(RequestError) as info:
        SweepRequest.parse(content).plan(**more)
    assert str(info.value) == "\n".join(map(str, info.value.problems))
    return {problem.field: problem.message for problem in info.value.problems}


def with_axis(axis, name="T"):
    return {**BASE, "axes": {"T": [0.1], "W": [1], name: axis}}


def plan(**changes):
    return SweepRequest.parse({**BASE, **changes}).plan()


def grid(**changes):
    return plan(**changes).parts[0].grid


# field by field: what is given, the field that is named, words that must be in the message
WRONG = [
    # models
    ({"models": ["scalin"]}, "models.0", ["no model 'scalin'", "did you mean 'scaling'"]),
    ({"models": ["scaling", "scaling"]}, "models", ["twice"]),
    ({"models": []}, "models", ["at least 1"]),
    ({"models": "scaling"}, "models", ["give a list", "'scaling'"]),
    ({"models": [1]}, "models.0", ["string", "1"]),
    ({"models": None}, "models", ["give a list"]),
    # names
    ({"fixed": {**POINT, "TT": 1}}, "fixed.TT", ["no parameter 'TT' in scaling", "'T'", "beta"]),
    ({"axes": {"temperature": [1]}}, "axes.temperature", ["no parameter", "Known: d, alpha"]),
    ({"cases": [{"q": 1}]}, "cases.q", ["no parameter 'q'"]),
    ({"axis": {}}, "axis", ["no field 'axis'", "did you mean 'axes'", "fixed"]),
    ({"fixed": {**BASE["fixed"], "T": 1}}, "T", ["twice", "keep it under axes, cases or fixed"]),
    ({"cases": [{"T": 1}]}, "T", ["twice"]),
    ({"fixed": {"d": 2, "beta": 3}}, "axes.alpha", ["needs alpha", "sweep it or fix it"]),
    ({"axes": {}}, "axes.T", ["needs T (temperature)", "sweep it or fix it"]),
    # values
    ({"fixed": {**BASE["fixed"], "d": 4}}, "fixed.d", ["4", "whole number, 1 <= d <= 3"]),
    ({"fixed": {**BASE["fixed"], "d": 2.5}}, "fixed.d", ["2.5", "whole number"]),
    ({"fixed": {**BASE["fixed"], "t": 0}}, "fixed.t", ["0 < t"]),
    ({"fixed": {**BASE["fixed"], "t": float("nan")}}, "fixed.t", ["finite", "nan"]),
    ({"fixed": {**BASE["fixed"], "t": float("inf")}}, "fixed.t", ["finite", "inf"]),
    ({"fixed": {**BASE["fixed"], "t": "much"}}, "fixed.t", ["number", "'much'"]),
    ({"fixed": {**BASE["fixed"], "t": None}}, "fixed.t", ["number"]),
    ({"fixed": {**BASE["fixed"], "t": [1]}}, "fixed.t", ["number"]),
    ({"fixed": {**BASE["fixed"], "t": True}}, "fixed.t", ["True is not a number"]),
    ({"fixed": {**BASE["fixed"], "t": 10**400}}, "fixed.t", ["number", "..."]),
    ({"fixed": [1]}, "fixed", ["give an object"]),
    ({"axes": [1]}, "axes", ["give an object"]),
    ({"cases": [{"t": -1}]}, "cases.t", ["-1 is not allowed", "0 < t"]),
    ({"cases": [{"t": 1}, {"V": 1}]}, "cases.0", ["lacks V", "every case"]),
    ({"cases": [{}]}, "cases.0", ["empty"]),
    ({"cases": {"t": 1}}, "cases", ["give a list"]),
    ({"cases": [1]}, "cases.0", ["give an object"]),
    # the rest
    ({"seed": -1}, "seed", ["greater than or equal to 0"]),
    ({"seed": 1.5}, "seed", ["integer"]),
    ({"seed": 2**64}, "seed", ["less than"]),
    ({"name": 5}, "name", ["string"]),
    ({"name": "x" * 201}, "name", ["200"]),
    ({"tags": "a"}, "tags", ["give a list"]),
    ({"tags": [1]}, "tags.0", ["string"]),
    ({"options": {"scalin": {}}}, "options.scalin", ["not in this sweep", "'scaling'"]),
    ({"options": {"scaling": {"speed": 1}}}, "options.scaling.speed", ["has no option 'speed'"]),
    ({"options": {"scaling": 1}}, "options.scaling", ["give an object"]),
    # exclusions
    ({"exclude": [{}]}, "exclude.0", ["empty"]),
    ({"exclude": {"T": 1}}, "exclude", ["give a list"]),
    ({"exclude": [{"q": 1}]}, "exclude.0.q", ["no parameter 'q'", "Known: "]),
    ({"exclude": [{"L": 1}]}, "exclude.0.L", ["no parameter 'L' in this sweep"]),
    ({"exclude": [{"T": 1}, {"T": "hot"}]}, "exclude.1.T", ["'hot'", "give a number, a list"]),
    ({"exclude": [{"T": {"above": 1}}]}, "exclude.0.T", ["eq, ne, lt, le, gt, ge"]),
    ({"exclude": [{"T": {}}]}, "exclude.0.T", ["give a number"]),
    ({"exclude": [{"T": []}]}, "exclude.0.T", ["give a number"]),
    ({"exclude": [{"T": [[1]]}]}, "exclude.0.T", ["give a number"]),
    ({"exclude": [{"T": None}]}, "exclude.0.T", ["None"]),
    ({"exclude": [{"T": True}]}, "exclude.0.T", ["True"]),
    ({"exclude": [{"T": float("nan")}]}, "exclude.0.T", ["nan"]),
    ({"exclude": [{"T": 10**400}]}, "exclude.0.T", ["inf"]),
    ({"exclude": [{"T": DATE}]}, "exclude.0.T", ["2020"]),
    ({"exclude": [{"T": {"lt": "Q"}}]}, "exclude.0.T.lt", ["'Q'", "parameter of this sweep"]),
    ({"exclude": [{"T": {"lt": [1]}}]}, "exclude.0.T.lt", ["neither a number nor a parameter"]),
    ({"exclude": [{"T": {"lt": None}}]}, "exclude.0.T.lt", ["None"]),
    ({"exclude": [{"T": {"lt": float("inf")}}]}, "exclude.0.T.lt", ["inf"]),
    ({"exclude": [{"T": {"lt": DATE}}]}, "exclude.0.T.lt", ["2020"]),
]


@pytest.mark.parametrize(("change", "field", "words"), WRONG)
def test_what_is_wrong_is_named_with_advice(change, field, words):
    found = problems({**BASE, **change})
    assert field in found, found
    assert all(word in found[field] for word in words), found[field]


@pytest.mark.parametrize(
    ("axis", "field", "words"),
    [
        ([], "axes.T", ["empty", "at least one"]),
        ({"list": []}, "axes.T", ["empty"]),
        (3, "axes.T", ["put it under `fixed`", "[3]"]),
        (None, "axes.T", ["give a list of numbers", FORMS]),
        ("1e-3", "axes.T", ["give a list of numbers", FORMS]),
        ({}, "axes.T", ["exactly one of " + FORMS, "none"]),
        ({"list": [1], "linspace": [1, 2, 3]}, "axes.T", ["list and linspace"]),
        ({"along": "W"}, "axes.T", ["exactly one of"]),
        ({"linspce": [1, 2, 3]}, "axes.T.linspce", ["did you mean 'linspace'"]),
        ([1, 2, 1.0], "axes.T", ["twice"]),
        ({"linspace": [1, 1, 2]}, "axes.T", ["twice"]),
        ([1, float("nan")], "axes.T.list.1", ["finite"]),
        ([1, float("-inf")], "axes.T.list.1", ["finite"]),
        ([1, "x"], "axes.T.list.1", ["number", "'x'"]),
        ([1, True], "axes.T.list.1", ["True is not a number"]),
        ([[1]], "axes.T.list.0", ["number"]),
        ([1, None], "axes.T.list.1", ["number"]),
        ({"list": {"a": 1}}, "axes.T.list", ["give a list"]),
        ([1, 0], "axes.T", ["0 is not allowed", "0 < T"]),
        ({"linspace": [-1, 1, 2]}, "axes.T", ["-1 is not allowed", "0 < T"]),
        ({"linspace": [1, 2]}, "axes.T.linspace.2", ["missing"]),
        ({"linspace": [1, 2, 3, 4]}, "axes.T.linspace", ["3"]),
        ({"linspace": [1, 2, 0]}, "axes.T.linspace.2", ["greater than or equal to 1"]),
        ({"linspace": [1, 2, -5]}, "axes.T.linspace.2", ["greater than or equal to 1"]),
        ({"linspace": [1, 2, 2.5]}, "axes.T.linspace.2", ["integer"]),
        ({"linspace": [1, 2, True]}, "axes.T.linspace.2", ["True is not a number"]),
        ({"linspace": [1, float("inf"), 2]}, "axes.T.linspace.1", ["finite"]),
        ({"linspace": [1, 2, 10**9]}, "axes.T.linspace.2", [f"{MAX_POINTS}"]),
        ({"linspace": [-1e308, 1e308, 3]}, "axes.T", ["is not allowed"]),
        ({"logspace": [0, 400, 3]}, "axes.T", ["inf is not allowed"]),
        ({"geomspace": [0, 1, 3]}, "axes.T", ["positive", "linspace"]),
        ({"geomspace": [-2, -1, 3]}, "axes.T", ["positive"]),
        ({"like": "Z"}, "axes.T", ["no axis 'Z'", "Known: W"]),
        ({"like": "T"}, "axes.T", ["no axis 'T' with values of its own"]),
        ({"like": "d"}, "axes.T", ["no axis 'd'"]),
        ({"like": 1}, "axes.T.like", ["string"]),
        ({"like": "W", "along": "W"}, "axes.T", ["leave out `along`"]),
        ({"list": [1, 2], "along": "W"}, "axes.T", ["2 values along 'W', which has 1"]),
        ({"list": [1, 2], "along": "Z"}, "axes.T", ["no axis 'Z'"]),
        (np.ones((2, 2)), "axes.T.list.0", ["number"]),
        (np.array(1.0), "axes.T", ["put it under `fixed`"]),
        ({1, 2}, "axes.T", ["give a list"]),
        (DATE, "axes.T", ["give a list"]),
    ],
)
def test_wrong_axes_are_named_with_advice(axis, field, words):
    found = problems(with_axis(axis))
    assert field in found, found
    assert all(word in found[field] for word in words), found[field]


def test_an_axis_tied_to_a_tied_one_is_refused():
    found = problems({**BASE, "axes": {"T": [0.1], "W": {"like": "T"}, "t": {"like": "W"}}})
    assert found == {"axes.t": "no axis 'W' with values of its own; Known: T"}


def test_all_problems_are_told_at_once():
    found = problems(
        {
            "models": ["scaling"],
            "axes": {"T": [-1], "tt": [1], "W": {"like": "X"}},
            "fixed": {"d": 7},
            "exclude": [{"Q": 1}],
            "options": {"else": {}},
        }
    )
    expected = ["axes.T", "axes.W", "axes.alpha", "axes.beta", "axes.tt"]
    assert sorted(found) == [*expected, "exclude.0.Q", "fixed.d", "options.else"]


@pytest.mark.parametrize("content", [None, 1, "scaling", [], [BASE], True])
def test_a_request_is_an_object(content):
    assert problems(content).keys() == {""}


def test_long_values_are_quoted_in_brief():
    found = problems({**BASE, "name": "n" * 10**6, "seed": "9" * 10**5})
    assert all(len(message) < 500 for message in found.values())


def test_too_many_cells_are_refused():
    axes = {"T": {"geomspace": [1e-9, 1e-1, 5000]}, "W": {"linspace": [1, 2, 4001]}}
    message = problems({**BASE, "axes": axes})["axes"]
    assert "20,005,000 cells = 5000 (T) x 4001 (W)" in message
    assert "at most 20,000,000 are allowed" in message
    assert "Take fewer points, or split the sweep" in message
    axes["W"] = {"linspace": [1, 2, 4000]}
    assert plan(axes=axes).cells == MAX_CELLS
    assert "at most 9 are allowed" in problems(BASE, max_cells=9)["axes"]
    assert SweepRequest.parse(BASE).plan(max_cells=10).cells == 10


def test_cases_count_as_cells():
    content = {**BASE, "cases": [{"t": 0.1}, {"t": 0.2}]}
    assert "20 cells = 2 (case) x 5 (T) x 2 (W)" in problems(content, max_cells=19)["axes"]


@pytest.mark.parametrize(
    "axes",
    [
        {"T": {"linspace": [1e-3, 1e-2, 10**9]}},
        {"T": {"linspace": [1e-3, 1e-2, 20_000_001]}},
        {"T": {"geomspace": [1e-3, 1e-2, MAX_POINTS]}, "W": {"linspace": [1, 2, 21]}},
        {"T": {"geomspace": [1e-3, 1e-2, 20_001]}, "W": {"linspace": [1, 2, 1000]}},
        {"T": [1e-3], "W": {"linspace": [1, 2, MAX_POINTS], "along": "T"}},
        {name: {"linspace": [1, 2, MAX_POINTS]} for name in ("T", "W", "t", "V", "rho", "L")},
    ],
)
def test_what_is_too_large_is_refused_without_listing_it(axes):
    fixed = {name: value for name, value in POINT.items() if name not in axes}
    tracemalloc.start()
    try:
        problems({"models": ["scaling"], "axes": axes, "fixed": fixed})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20


def test_a_large_grid_is_planned_without_listing_its_cells():
    axes = {"T": {"geomspace": [1e-9, 1e-1, 4000]}, "W": {"linspace": [1, 2, 5000]}}
    tracemalloc.start()
    try:
        planned = plan(axes=axes)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert planned.cells == 20_000_000
    assert peak < 2**23


def test_axes_in_every_spelling():
    spelled = grid(
        axes={
            "T": {"logspace": [-3, -1, 3]},
            "W": {"geomspace": [1, 100, 3]},
            "t": {"linspace": [0.1, 0.3, 3], "along": "W"},
            "V": {"like": "W"},
            "rho": [1],
            "L": {"list": [5, 7]},
        }
    )
    assert spelled.dimensions == (
        Dimension("T", {"T": (0.001, 0.01, 0.1)}),
        Dimension("W", {"W": (1.0, 10.0, 100.0), "t": (0.1, 0.2, 0.3), "V": (1.0, 10.0, 100.0)}),
        Dimension("rho", {"rho": (1.0,)}),
        Dimension("L", {"L": (5.0, 7.0)}),
    )
    assert spelled.fixed == {"d": 2.0, "alpha": 3.0, "beta": 3.0}


def test_dimensions_are_in_the_order_of_the_request():
    assert grid(axes={"W": [1], "T": [1e-3]}).names == ("W", "T")
    assert grid(axes={"T": [1e-3], "W": [1]}).names == ("T", "W")
    tied_first = {"W": {"like": "t"}, "T": [1e-3], "t": [0.1, 0.2]}
    assert grid(axes=tied_first).names == ("T", "t")


def test_cases_make_a_dimension_of_their_own():
    cases = [{"t": 0.1, "V": 1}, {"V": 2, "t": 0.3}]
    assert grid(cases=cases).dimensions[0] == Dimension("case", {"t": (0.1, 0.3), "V": (1.0, 2.0)})
    assert grid(cases=cases).shape == (2, 5, 2)


def test_a_request_may_fix_everything():
    whole = SweepRequest.parse({"models": ["scaling"], "fixed": {**POINT, "T": 1e-3}}).plan()
    assert (whole.cells, whole.parts[0].grid.shape) == (1, ())


def test_exclusions_in_every_spelling():
    exclude = [
        {"T": 1e-6},
        {"W": [1, 2.5], "T": {"gt": 1, "le": "W"}},
        {"t": {"ne": "V"}},  # both have their defaults
    ]
    assert grid(exclude=exclude).exclusions == (
        Exclusion((("T", "eq", 1e-6),)),
        Exclusion((("T", "gt", 1.0), ("T", "le", "W"), ("W", "in", (1.0, 2.5)))),
        Exclusion((("t", "ne", "V"),)),
    )


def test_numbers_of_numpy_are_numbers():
    request = SweepRequest(
        models=("scaling",),
        axes={"T": np.geomspace(1e-6, 1e-2, 5), "W": [np.int64(1), np.float32(2)]},
        fixed={"d": np.int8(2), "alpha": np.float64(3), "beta": 3},
        exclude=({"T": {"lt": np.float32(1e-9)}, "W": np.array([1, 2])},),
        seed=0,
    )
    python = {**BASE, "exclude": [{"T": {"lt": float(np.float32(1e-9))}, "W": [1, 2]}]}
    assert request.plan().sweep_id == SweepRequest.parse(python).plan().sweep_id


@pytest.mark.parametrize(
    "same",
    [
        {"name": "other"},
        {"tags": ["a", "b"]},
        {"fixed": {"beta": 3.0, "alpha": 3, "d": 2.0}},
        {"fixed": {**BASE["fixed"], "t": 0.02, "V": 0.02, "rho": 1}},
        {"axes": {"T": np.geomspace(1e-6, 1e-2, 5).tolist(), "W": {"linspace": [1, 2, 2]}}},
        {"axes": {"T": {"list": np.geomspace(1e-6, 1e-2, 5)}, "W": ["1", 2.0]}},
        {"seed": 0, "options": {}, "cases": [], "exclude": []},
        {"options": {"scaling": {}}},
    ],
)
def test_spelling_does_not_make_another_sweep(same):
    if isinstance(same.get("axes", {}).get("T"), dict):
        same = {"axes": {**same["axes"], "T": same["axes"]["T"]["list"]}}
    assert plan(**same).sweep_id == plan().sweep_id


def test_the_order_of_keys_does_not_make_another_sweep():
    content = {
        **BASE,
        "axes": {"T": [1e-3, 1e-2], "W": {"like": "T"}, "t": {"like": "T"}},
        "exclude": [{"T": {"lt": 1, "gt": 0.5}, "W": 1}],
    }
    turned = {
        **dict(reversed(content.items())),
        "axes": {"T": [1e-3, 1e-2], "t": {"like": "T"}, "W": {"like": "T"}},
        "exclude": [{"W": 1, "T": {"gt": 0.5, "lt": 1}}],
    }
    ids = {SweepRequest.parse(c).plan().sweep_id for c in (content, turned)}
    assert len(ids) == 1


def test_content_makes_another_sweep():
    changes = [
        {},
        {"seed": 1},
        {"axes": {**BASE["axes"], "W": [2, 1]}},
        {"axes": {**BASE["axes"], "W": [1, 2.0000000000000004]}},
        {"axes": dict(reversed(BASE["axes"].items()))},  # other dimensions
        {"axes": {**BASE["axes"], "L": [1]}},
        {"fixed": {**BASE["fixed"], "L": 1}},
        {"fixed": {**BASE["fixed"], "t": 0.03}},
        {"fixed": {**BASE["fixed"], "d": 3}},
        {"cases": [{"t": 0.02}]},
        {"exclude": [{"W": 1}]},
        {"exclude": [{"W": 2}]},
        {"exclude": [{"W": 2}, {"W": 1}]},
    ]
    ids = [plan(**change).sweep_id for change in changes]
    assert len(set(ids)) == len(ids)


def test_blocks_and_provenance_do_not_make_another_sweep():
    request = SweepRequest.parse(BASE)
    one = request.plan({"source": "here"}, block_cells=3)
    assert one.sweep_id == request.plan().sweep_id
    assert one.digest != request.plan().digest
    assert one.provenance["source"] == "here"
    assert SweepRequest.parse(json.loads(one.provenance["request"])) == request


@pytest.fixture
def toys(toy, install):
    """Two models that share parameters but not what they allow."""
    methods = Option("method", ("exact", 2), "how")
    strict = (
        Parameter("x", "place", "length", minimum=1, maximum=2),
        Parameter("scale", "frequency", "energy"),
        Parameter("size", "size", "length", default=7.0),
    )
    other = replace(toy, name="other", parameters=strict, options=(methods,))
    install(toy, other)
    return {"models": ["toy", "other"], "axes": {"x": [1, 2]}, "fixed": {"n": 1, "scale": 5}}


def test_each_model_gets_its_own_parameters_and_defaults(toys):
    first, second = SweepRequest.parse(toys).plan().parts
    assert first.grid.fixed == {"n": 1.0, "scale": 5.0}
    assert second.grid.fixed == {"scale": 5.0, "size": 7.0}
    assert first.options == {"zero_point": "yes"}
    assert second.options == {"method": "exact"}


def test_every_model_must_accept_the_values(toys):
    found = problems({**toys, "axes": {"x": [1, 5]}})
    assert found == {"axes.x": "5 is not allowed; finite number, 1 <= x <= 2"}
    assert SweepRequest.parse({**toys, "models": ["toy"], "axes": {"x": [1, 5]}}).plan()
    found = problems({**toys, "fixed": {"n": 1}})
    assert found == {"axes.scale": "model 'other' needs scale (frequency); sweep it or fix it"}


def test_an_exclusion_concerns_the_models_that_know_its_parameters(toys):
    content = {**toys, "exclude": [{"size": {"gt": 1}, "n": 1}, {"x": {"lt": "size"}}]}
    first, second = SweepRequest.parse(content).plan().parts
    assert first.grid.exclusions == ()  # it has no size in this sweep
    assert second.grid.exclusions == (Exclusion((("x", "lt", "size"),)),)


def test_options_are_content(toys):
    def options(**given):
        return SweepRequest.parse({**toys, "options": given}).plan()

    ids = {
        options(**given).sweep_id
        for given in ({}, {"other": {"method": "exact"}}, {"toy": {"zero_point": "yes"}})
    }
    assert len(ids) == 1
    assert options(other={"method": 2}).sweep_id not in ids
    assert options(other={"method": 2.0}).parts[1].options == {"method": 2}
    found = problems({**toys, "options": {"other": {"method": "rough"}}})
    assert found == {"options.other.method": "'rough' is not one of exact, 2"}
    found = problems({**toys, "options": {"other": {"zero_point": "no"}}})
    assert "did you mean" not in found["options.other.zero_point"]
    assert "Known: method" in found["options.other.zero_point"]


def test_the_version_of_a_model_is_content(toy, install):
    content = {"models": ["toy"], "fixed": {"x": 1, "n": 1}}
    install(toy)
    first = SweepRequest.parse(content).plan().sweep_id
    install(replace(toy, version="2"))
    assert SweepRequest.parse(content).plan().sweep_id != first


YAML = """
models: [scaling]
name: dipoles
axes:
  T: {geomspace: [1e-6, 1e-2, 5]}
  W: [1, 2]
fixed: {d: 2, alpha: 3, beta: 3.}
exclude:
  - T: 1e-6
  - {T: {gt: 1E-3, lt: 1.5e+2}, W: [+1e0, 2]}
"""
CONTENT = {**BASE, "exclude": [{"T": 1e-6}, {"T": {"gt": 1e-3, "lt": 150}, "W": [1, 2]}]}


@pytest.mark.parametrize(
    "text",
    [
        YAML,
        json.dumps(CONTENT),
        json.dumps(CONTENT, indent="\t"),
        yaml.safe_dump(CONTENT),
        "# a comment\n" + json.dumps(CONTENT),
    ],
)
def test_json_yaml_and_python_are_one_schema(text, tmp_path):
    expected = SweepRequest.parse(CONTENT)
    assert SweepRequest.from_text(text).plan().digest == expected.plan().digest
    (tmp_path / "request").write_text(text)
    assert SweepRequest.from_file(tmp_path / "request").plan().digest == expected.plan().digest
    assert SweepRequest.parse(expected) is expected


def test_a_request_survives_its_own_json():
    request = SweepRequest.parse(CONTENT)
    again = SweepRequest.from_text(request.model_dump_json(exclude_defaults=True))
    assert again == request
    assert again.plan().digest == request.plan().digest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing",
        "scaling",
        "[1]",
        "- a: 1",
        "{",
        '{"models": ["scaling"',
        "a: [1",
        "a: *b",
        "\x00",
        "\ud800",
        "T: 2020-13-45",
        "T: 0b_",
        "T: !!bool x",
        "T: !!int ''",
        "T: !!timestamp foo",
        "T: !!python/object/apply:os.getcwd []",
        "{[1]: 2}",
        "? {a: b}\n: 1",
        "T: " + "9" * 5000,
        "[" * 10**5,
        '{"a":' * 10**5,
        "- " * 5000,
    ],
)
def test_a_text_that_is_no_request_is_a_request_error(text):
    with pytest.raises(RequestError) as info:
        SweepRequest.from_text(text).plan()
    assert info.value.problems[0].field == ""
    assert info.value.problems[0].message


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("field", "place"),
    [
        ("models", "[{}]"),
        ("tags", "{}"),
        ("axes", "{{T: {}}}"),
        ("fixed", "{{T: {}}}"),
        ("exclude", "[{{T: {}}}]"),
        ("exclude", "[{{T: {{lt: {}}}}}]"),
        ("options", "{{scaling: {{speed: {}}}}}"),
    ],
)
def test_aliases_that_would_swell_are_quoted_in_brief(field, place):
    """Written out, the value has 9**29 items."""
    levels = [f"&a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    value = "[&a0 [x, x, x, x, x, x, x, x, x], " + ", ".join(levels) + "]"
    content = json.dumps({name: BASE[name] for name in BASE if name != field})
    with pytest.raises(RequestError) as info:
        SweepRequest.from_text(f"{content[:-1]}, {field}: {place.format(value)}}}").plan()
    assert len(str(info.value)) < 5000
    assert any(problem.field.startswith(field) for problem in info.value.problems)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("value", ["&a [*a]", "&a {T: *a}"])
@pytest.mark.parametrize("field", ["models", "axes", "fixed", "exclude", "options", "cases"])
def test_content_that_contains_itself_is_refused(field, value):
    wrapped = f"[{{T: {value}}}]" if field == "exclude" else f"{{T: {value}}}"
    with pytest.raises(RequestError):
        SweepRequest.from_text(f"{field}: {wrapped}\nmodels: [scaling]").plan()


def test_a_request_is_checked_when_it_is_made_in_python_too():
    with pytest.raises(ValidationError, match="the list is empty"):
        SweepRequest(models=["scaling"], axes={"T": []})


# what a client that is a random number generator might send
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(["T", "W", "scaling", "like", 10**400, -(10**400), 2**63, 1e-3])
)
names = st.text(max_size=3) | st.sampled_from(
    ["T", "W", "d", "list", "linspace", "geomspace", "logspace", "like", "along", "lt", "scaling"]
)
garbage = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=10,
)
fields = st.sampled_from(list(SweepRequest.model_fields)) | st.text(max_size=3)
axis_like = st.one_of(
    garbage,
    st.lists(st.floats() | st.integers()),
    st.dictionaries(
        st.sampled_from(["list", "linspace", "geomspace", "logspace", "like", "along"]),
        st.lists(st.floats() | st.integers(-3, 50), max_size=3) | st.sampled_from(["T", "W"]),
        max_size=2,
    ),
)
almost = st.fixed_dictionaries(
    {"models": st.just(["scaling"])},
    optional={
        "axes": st.dictionaries(st.sampled_from(["T", "W", "d", "alpha", "beta", "L"]), axis_like),
        "fixed": st.dictionaries(names, scalars),
        "cases": st.lists(st.dictionaries(names, scalars, max_size=2), max_size=3),
        "exclude": st.lists(
            st.dictionaries(
                st.sampled_from(["T", "W", "L", "q"]),
                garbage | st.dictionaries(st.sampled_from(["lt", "eq", "in"]), garbage),
            )
        ),
        "options": garbage,
        "seed": scalars,
    },
)


@settings(max_examples=300)
@given(st.dictionaries(fields, garbage, max_size=4) | garbage | almost)
def test_garbage_is_a_request_or_a_request_error(content):
    found = []
    try:
        planned = SweepRequest.parse(content).plan(max_cells=1000)
    except RequestError as error:
        found = [problem.message for problem in error.problems]
    assert all(found) if found else 1 <= planned.cells <= 1000


@given(st.text(max_size=30) | garbage.map(lambda content: yaml.safe_dump(content)))
def test_any_text_is_a_request_or_a_request_error(text):
    with pytest.raises(RequestError):
        SweepRequest.from_text(text).plan()


@given(
    values=st.lists(st.floats(1e-300, 1e300), min_size=1, max_size=5, unique=True),
    first=st.floats(1e-6, 1),
    number=st.integers(1, 6),
)
def test_a_valid_request_is_planned_with_the_numbers_it_gives(values, first, number):
    axes = {"T": values, "W": {"linspace": [first, 2, number]}}
    planned = grid(axes=json.loads(json.dumps(axes)))
    assert planned.dimensions[0].values["T"] == tuple(values)
    assert planned.dimensions[1].values["W"] == tuple(np.linspace(first, 2, number).tolist())
