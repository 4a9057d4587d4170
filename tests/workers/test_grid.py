"""The algebra of a sweep: whatever its axes, its blocks hold each cell exactly once."""

import json
import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delocal.workers.grid import Blocks, Dimension, Exclusion, Grid, block_shape

LETTERS = "abcdefgh"
MEANING = {
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: x != y,
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
    "in": lambda x, y: x in y,
}
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-3, 3).map(float)
shapes = st.lists(st.integers(1, 6), max_size=4).map(tuple)


@st.composite
def conditions(draw, names):
    name, comparison = draw(st.sampled_from(names)), draw(st.sampled_from(sorted(MEANING)))
    if comparison == "in":
        return name, comparison, tuple(draw(st.lists(numbers, min_size=1, max_size=3)))
    return name, comparison, draw(numbers | st.sampled_from(names))


@st.composite
def grids(draw):
    """Any product of zipped axes with fixed parameters and exclusions, 0-d among them."""
    letters, dimensions = iter(LETTERS), []
    for size in draw(st.lists(st.integers(1, 4), max_size=3)):
        zipped = [next(letters) for _ in range(draw(st.integers(1, 2)))]
        column = st.lists(numbers, min_size=size, max_size=size).map(tuple)
        dimensions.append(Dimension(zipped[0], {name: draw(column) for name in zipped}))
    fixed = {name: draw(numbers) for name in [next(letters), next(letters)]}
    names = [*fixed, *(name for d in dimensions for name in d.values)]
    exclusions = draw(st.lists(st.lists(conditions(names), min_size=1, max_size=2), max_size=2))
    return Grid(tuple(dimensions), fixed, tuple(Exclusion(tuple(e)) for e in exclusions))


@st.composite
def cut_grids(draw):
    grid = draw(grids())
    sides = tuple(draw(st.integers(1, size)) for size in grid.shape)
    return grid, Blocks(grid.shape, sides)


def bits(value):
    return struct.pack("<d", value)


def indices(box):
    return [
        tuple(part.start + i for part, i in zip(box, place, strict=True))
        for place in np.ndindex(tuple(part.stop - part.start for part in box))
    ]


@given(cut_grids())
def test_blocks_hold_each_cell_exactly_once(cut):
    grid, blocks = cut
    found = [index for block in blocks for index in indices(blocks.box(block))]
    assert sorted(found) == list(np.ndindex(grid.shape))
    assert len(found) == grid.size
    assert len(blocks) == len(list(blocks)) == math.prod(blocks.counts)


@given(cut_grids())
def test_a_mesh_holds_the_points_of_its_box_bit_for_bit(cut):
    grid, blocks = cut
    for block in blocks:
        box = blocks.box(block)
        shape = tuple(part.stop - part.start for part in box)
        mesh = {name: np.broadcast_to(a, shape) for name, a in grid.mesh(box).items()}
        for place, index in zip(np.ndindex(shape), indices(box), strict=True):
            point = grid.point(index)
            assert mesh.keys() == point.keys() == grid.parameters
            assert all(bits(mesh[name][place]) == bits(value) for name, value in point.items())


@given(cut_grids())
def test_exclusions_mean_what_they_say_in_every_block(cut):
    grid, blocks = cut
    for block in blocks:
        mask = grid.excluded(blocks.box(block))
        expected = [
            any(
                all(
                    MEANING[comparison](point[name], point.get(operand, operand))
                    for name, comparison, operand in exclusion.conditions
                )
                for exclusion in grid.exclusions
            )
            for point in map(grid.point, indices(blocks.box(block)))
        ]
        assert mask.dtype == bool
        assert mask.ravel().tolist() == expected


@given(grids())
def test_json_keeps_a_grid_bit_for_bit(grid):
    again = Grid.from_json(json.loads(json.dumps(grid.to_json())))
    assert again == grid
    for index in np.ndindex(grid.shape):
        here, there = grid.point(index), again.point(index)
        assert {n: bits(v) for n, v in here.items()} == {n: bits(v) for n, v in there.items()}


@given(grids(), st.sets(st.sampled_from([*LETTERS, "z"])))
def test_a_model_sees_its_own_parameters_and_no_cell_twice(grid, own):
    part = grid.restricted_to(own)
    assert part.parameters == grid.parameters & own
    assert all(exclusion.parameters <= part.parameters for exclusion in part.exclusions)
    kept = [d for d in grid.dimensions if set(d.values) & own]
    assert part.names == tuple(d.name for d in kept)
    assert part.shape == tuple(d.size for d in kept)
    for index in np.ndindex(grid.shape):
        at = dict(zip(grid.names, index, strict=True))
        point = {n: v for n, v in grid.point(index).items() if n in own}
        assert part.point(tuple(at[name] for name in part.names)) == point


def test_a_restricted_grid_excludes_only_by_what_it_knows():
    exclusions = (
        Exclusion((("a", "eq", 1.0),)),
        Exclusion((("a", "lt", "b"),)),
        Exclusion((("a", "eq", 2.0), ("c", "eq", 0.0))),
    )
    grid = Grid((Dimension("a", {"a": (1.0, 2.0)}),), {"b": 5.0}, exclusions)
    assert grid.restricted_to({"a"}).exclusions == exclusions[:1]
    assert grid.restricted_to({"a", "b"}).exclusions == exclusions[:2]
    # `c` is a parameter of the model that this sweep does not give
    assert grid.restricted_to({"a", "b", "c"}).exclusions == exclusions[:2]


@given(shapes, st.integers(-2, 2000))
def test_block_shape_is_as_large_as_allowed_but_for_a_halving(shape, cells):
    sides = block_shape(shape, cells)
    assert len(sides) == len(shape)
    assert all(1 <= side <= size for side, size in zip(sides, shape, strict=True))
    assert math.prod(sides) <= max(cells, 1)
    if math.prod(shape) > cells > 0:
        assert math.prod(sides) > cells / 2 or math.prod(sides) == 1
    if math.prod(shape) <= cells:
        assert sides == shape


@given(shapes, st.integers(1, 100))
def test_equal_boxes_cover_the_shape(shape, cells):
    blocks = Blocks(shape, block_shape(shape, cells))
    seen = np.zeros(shape, dtype=int)
    for block in blocks:
        seen[blocks.box(block)] += 1
    assert (seen == 1).all()


def test_a_grid_without_axes_is_one_cell():
    grid = Grid((), {"a": 0.1})
    blocks = Blocks(grid.shape, block_shape(grid.shape, 10))
    assert (grid.shape, grid.size, grid.names, len(blocks)) == ((), 1, (), 1)
    assert (blocks.counts, blocks.position(0), blocks.box(0)) == ((), (), ())
    assert grid.mesh(()) == grid.point(()) == {"a": 0.1}
    assert grid.excluded(()).shape == ()


def test_axes_of_one_point_stay_dimensions():
    grid = Grid((Dimension("a", {"a": (1.0,)}), Dimension("b", {"b": (2.0,)})))
    assert block_shape(grid.shape, 1) == grid.shape == (1, 1)
    box = Blocks(grid.shape, (1, 1)).box(0)
    assert {name: array.shape for name, array in grid.mesh(box).items()} == {
        "a": (1, 1),
        "b": (1, 1),
    }


def test_a_long_grid_is_never_listed():
    blocks = Blocks((10**6, 10**6, 10**6), (100, 100, 100))
    assert len(blocks) == 10**12
    assert blocks.box(10**12 - 1) == (slice(10**6 - 100, 10**6),) * 3


@pytest.mark.parametrize("index", [-13, 12])
def test_no_block_outside_the_grid(index):
    with pytest.raises(ValueError, match="out of bounds"):
        Blocks((3, 4), (1, 1)).box(index)
