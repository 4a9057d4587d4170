"""What is stored comes back bit for bit: any shape, any cut, any bits, NaN with what it carries."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from delocal.physics.model import STATUS, Model, Parameter, Variable
from delocal.workers.dataset import Layout
from delocal.workers.grid import Dimension, Grid
from delocal.workers.plan import Plan, plan_part
from delocal.workers.store import SweepStore
from delocal.workers.zarr_format import decode_chunk, encode_chunk

PARAMETERS = ("a", "b", "c")
DTYPES = ("float64", "int64", "int8")
ODD = np.array(
    [0x7FF0000000000001, 0x7FF8DEADBEEF0001, -1, 0x7FF0000000000000, 1, 0, -(2**63)], dtype="i8"
).view("f8")  # signalling and quiet NaN with a payload, -NaN, inf, the least number, 0 and -0
bits = st.integers(0, 2**32 - 1)


@st.composite
def variables(draw, number):
    depends = st.none() | st.lists(st.sampled_from(PARAMETERS), unique=True).map(tuple)
    return Variable(
        f"v{number}",
        "some bits",
        depends=draw(depends),
        dims=draw(st.sampled_from([(), ("wrt",)])),
        dtype=draw(st.sampled_from(DTYPES)),
    )


@st.composite
def sweeps(draw):
    """A model of any variables, a grid of any shape, and any cut of it into blocks."""
    shape = draw(st.lists(st.integers(1, 5), max_size=3))
    model = Model(
        name="bits",
        version="1",
        kind="closed-form",
        title="Any bits",
        reference="none",
        parameters=tuple(Parameter(name, name, "1", default=0.0) for name in PARAMETERS),
        variables=(STATUS, *(draw(variables(n)) for n in range(draw(st.integers(1, 4))))),
        evaluate=lambda parameters, options: {},
        coordinates={"wrt": tuple("xyz"[: draw(st.integers(1, 3))])},
    )
    axes = [
        Dimension(n, {n: tuple(map(float, range(s)))}) for n, s in zip("abc", shape, strict=False)
    ]
    part = plan_part(model, Grid(tuple(axes)), {}, draw(st.integers(1, 30)))
    return model, Plan("sweep", (part,), {})


def some_bits(rng, shape, dtype):
    """Return an array of random bits, among them those that arithmetic would not keep."""
    found = rng.integers(0, 256, size=math.prod(shape) * 8, dtype=np.uint8).view(dtype)
    found = found[: math.prod(shape)].reshape(shape).copy()
    if dtype == "float64":
        odd = rng.random(shape) < 0.3
        found[odd] = rng.choice(ODD, size=odd.sum())
    return found


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(sweep=sweeps(), seed=bits)
def test_any_sweep_comes_back_bit_for_bit(install, tmp_path_factory, sweep, seed):
    model, plan = sweep
    install(model)
    (part,) = plan.parts
    layout, rng = Layout.of_grid(part.grid, model), np.random.default_rng(seed)
    whole = {v.name: some_bits(rng, layout.shape(v), v.dtype) for v in model.variables}
    store = SweepStore(tmp_path_factory.mktemp("store") / "sweep")
    store.create(plan)
    for block in rng.permutation(len(part.blocks)).tolist():
        store.write("bits", block, block_of(model, part, layout, whole, block))
    store = SweepStore(store.root)
    by_xarray = store.open_model("bits")
    ours = store.read(part, {})
    for name, values in whole.items():
        assert ours[name].tobytes() == values.tobytes(), name
        assert by_xarray[name].dtype == values.dtype
        assert by_xarray[name].values.tobytes() == values.tobytes(), name


def block_of(model, part, layout, whole, block):
    box = part.blocks.box(block)
    return {v.name: whole[v.name][layout.place(v, box)] for v in model.variables}


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    chunks=st.lists(st.integers(1, 9), max_size=4),
    dtype=st.sampled_from(DTYPES),
    seed=bits,
    data=st.data(),
)
def test_any_chunk_comes_back_bit_for_bit(chunks, dtype, seed, data):
    used = tuple(data.draw(st.integers(1, side)) for side in chunks)
    values = some_bits(np.random.default_rng(seed), used, dtype)
    content = encode_chunk(values, chunks)
    found = decode_chunk(content, dtype, chunks)[tuple(map(slice, used))]
    assert found.tobytes() == values.tobytes()
    for place in (0, len(content) // 2, len(content) - 1):
        flipped = bytearray(content)
        flipped[place] ^= 1 << data.draw(st.integers(0, 7))
        with pytest.raises(ValueError, match=r"crc32c|cut off"):
            decode_chunk(bytes(flipped), dtype, chunks)
