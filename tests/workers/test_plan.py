"""The plan of a sweep: defaults, sizes of blocks, identity, and its way through JSON."""

import json
from dataclasses import replace

import pytest

from delocal.physics.model import Parameter
from delocal.workers.grid import Dimension, Exclusion, Grid
from delocal.workers.plan import BLOCK_CELLS, Plan, model_of, plan_part

AXES = (Dimension("x", {"x": (0.1, 1 / 3, 7.0)}), Dimension("n", {"n": (1.0, 2.0)}))


@pytest.fixture
def plan(toy):
    grid = Grid(
        AXES, {"unknown": 1.0}, (Exclusion((("x", "in", (0.1, 7.0)), ("n", "lt", "scale"))),)
    )
    return Plan("id", (plan_part(toy, grid, {"zero_point": "no"}, 4),), {"source": "a test"})


def test_json_keeps_a_plan(plan):
    again = Plan.from_json(json.loads(json.dumps(plan.to_json())))
    assert again == plan
    assert again.digest == plan.digest


def test_a_part_has_the_parameters_of_its_model_and_the_defaults(plan):
    part = plan.part("toy")
    assert part.grid.parameters == {"x", "n", "scale"}
    assert part.grid.fixed == {"scale": 2.0}
    assert part.grid.exclusions == (Exclusion((("x", "in", (0.1, 7.0)), ("n", "lt", "scale"))),)
    assert plan.cells == part.grid.size == 6
    with pytest.raises(KeyError):
        plan.part("other")


def test_each_model_has_its_own_defaults(toy):
    wider = replace(toy.parameter("scale"), default=3.0)
    other = replace(toy, name="other", parameters=(*toy.parameters[:2], wider))
    parts = [plan_part(model, Grid(AXES), {}) for model in (toy, other)]
    assert [part.grid.fixed for part in parts] == [{"scale": 2.0}, {"scale": 3.0}]


def test_what_is_swept_or_fixed_needs_no_default(toy):
    swept = Grid((*AXES, Dimension("scale", {"scale": (1.0, 4.0)})))
    assert plan_part(toy, swept, {}).grid == swept
    assert plan_part(toy, Grid(AXES, {"scale": 5.0}), {}).grid.fixed == {"scale": 5.0}


def test_a_parameter_may_default_to_zero(toy):
    zero = Parameter("field", "field", "energy", default=0.0)
    model = replace(toy, parameters=(*toy.parameters, zero))
    assert plan_part(model, Grid(AXES), {}).grid.fixed == {"scale": 2.0, "field": 0.0}


def test_the_digest_tells_how_the_sweep_is_cut(toy, plan):
    grid = plan.part("toy").grid
    digests = {
        Plan("id", (plan_part(toy, grid, options, cells),), {}).digest
        for cells in (1, 2, 6)
        for options in ({"zero_point": "no"}, {"zero_point": "yes"})
    }
    assert len(digests) == 6
    assert Plan("id", plan.parts, {"source": "elsewhere"}).digest == plan.digest
    assert Plan("other", plan.parts, {}).digest != plan.digest


@pytest.mark.parametrize(
    ("seconds_per_cell", "most"), [(1e-9, BLOCK_CELLS), (1e-3, 1000), (0.3, 3), (1e3, 1)]
)
def test_blocks_of_an_expensive_model_are_small(toy, seconds_per_cell, most):
    model = replace(toy, seconds_per_cell=seconds_per_cell)
    axes = tuple(Dimension(name, {name: tuple(map(float, range(1000)))}) for name in ("x", "n"))
    side_x, side_n = plan_part(model, Grid(axes), {}).block_shape
    assert most / 2 < side_x * side_n <= most


def test_another_version_of_a_model_is_refused(toy, install, plan):
    install(toy)
    assert model_of(plan.part("toy")) is toy
    install(replace(toy, version="2"))
    with pytest.raises(ValueError, match=r"needs model 'toy' version 1; .* has version 2"):
        model_of(plan.part("toy"))
    install()
    with pytest.raises(ValueError, match="no such model"):
        model_of(plan.part("toy"))
