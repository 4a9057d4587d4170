"""What holds for every model."""

import numpy as np
import pytest

from delocal.physics.disorder import stream
from delocal.physics.model import Status, never
from delocal.physics.models import load_models
from tests.physics.cheap import CHEAP

MODELS = [model for model in load_models().values() if model.replicate is None]


def samples(parameter):
    """Allowed values of a parameter, inside its bounds."""
    low = max(parameter.minimum, -5.0)
    high = min(parameter.maximum, 7.0)
    if parameter.integer:
        return np.arange(np.ceil(low), np.floor(high) + 1)
    values = low + (high - low) * np.array([0.05, 0.31, 0.47, 0.62])
    return values if parameter.default is None else np.append(values, parameter.default)


def mesh(model, with_optional):
    given = [p for p in model.parameters if with_optional or not p.optional]
    values = [samples(parameter)[: 3 if len(given) > 5 else None] for parameter in given]
    assert all(p.accepts(v).all() for p, v in zip(given, values, strict=True))
    return dict(zip([p.name for p in given], np.ix_(*values), strict=True))


def evaluate(model, parameters):
    return model.evaluate(parameters, {option.name: option.choices[0] for option in model.options})


@pytest.fixture(params=MODELS, ids=lambda model: model.name)
def model(request):
    return request.param


@pytest.fixture(params=[True, False], ids=["with optional", "without"])
def parameters(model, request):
    return mesh(model, request.param)


def test_returns_its_variables(model, parameters):
    assert set(evaluate(model, parameters)) == {
        variable.name for variable in model.variables_for(set(parameters))
    }


def test_names_are_unique(model):
    names = [variable.name for variable in model.variables]
    assert len(names) == len(set(names))
    known = {parameter.name for parameter in model.parameters}
    for variable in model.variables:
        assert set(variable.depends or ()) | {variable.needs or model.parameters[0].name} <= known
        assert set(variable.dims) <= set(model.coordinates)


def test_shapes_broadcast_against_what_it_depends_on(model, parameters):
    results = evaluate(model, parameters)
    for variable in model.variables_for(set(parameters)):
        depends = parameters if variable.depends is None else variable.depends
        full = np.broadcast_shapes(*(parameters[name].shape for name in depends))
        extra = tuple(len(model.coordinates[dim]) for dim in variable.dims)
        shape = results[variable.name].shape
        assert shape[len(shape) - len(extra) :] == extra
        assert np.broadcast_shapes(shape[: len(shape) - len(extra)], full) == full, variable.name


def test_types_and_flags(model, parameters):
    results = evaluate(model, parameters)
    for variable in model.variables_for(set(parameters)):
        values = results[variable.name]
        assert isinstance(values, np.ndarray)
        assert np.can_cast(values.dtype, variable.dtype), variable.name
        if variable.flags is not None:
            assert np.isin(values, list(variable.flags.values())).all(), variable.name


def test_status_is_final_and_no_number_stands_outside_the_domain(model, parameters):
    results = evaluate(model, parameters)
    status = results["status"]
    assert np.isin(status, [Status.DONE, Status.OUTSIDE_DOMAIN, Status.NOT_CONVERGED]).all()
    assert (status == Status.DONE).any()
    for variable in model.variables_for(set(parameters)):
        if variable.dtype == "float64" and not variable.dims:
            values, cells = np.broadcast_arrays(results[variable.name], status)
            assert np.isnan(values[cells == Status.OUTSIDE_DOMAIN]).all(), variable.name


def test_a_mesh_equals_its_cells_bit_for_bit(model, parameters):
    shape = np.broadcast_shapes(*(values.shape for values in parameters.values()))
    cells = {name: np.broadcast_to(values, shape).ravel() for name, values in parameters.items()}
    on_mesh, one_by_one = evaluate(model, parameters), evaluate(model, cells)
    for variable in model.variables_for(set(parameters)):
        extra = tuple(len(model.coordinates[dim]) for dim in variable.dims)
        from_mesh = np.broadcast_to(on_mesh[variable.name], shape + extra)
        from_cells = np.broadcast_to(one_by_one[variable.name], (np.prod(shape), *extra))
        np.testing.assert_array_equal(
            from_mesh.reshape(from_cells.shape), from_cells, err_msg=variable.name
        )


def test_a_part_equals_the_whole_bit_for_bit(model, parameters):
    whole = evaluate(model, parameters)
    first = {name: values.ravel()[:1].reshape(()) for name, values in parameters.items()}
    alone = evaluate(model, first)
    for variable in model.variables_for(set(parameters)):
        corner = whole[variable.name]
        corner = corner[(0,) * (corner.ndim - len(variable.dims))]
        np.testing.assert_array_equal(alone[variable.name], corner, err_msg=variable.name)


def test_logarithms_agree_with_values(model, parameters):
    results = evaluate(model, parameters)
    for name in (name for name in results if f"log10_{name}" in results):
        value, log10 = results[name], results[f"log10_{name}"]
        held = (log10 > -300) & (log10 < 300)
        np.testing.assert_allclose(np.log10(value[held]), log10[held], rtol=1e-12, atol=1e-12)
        assert (value[log10 < -330] == 0).all()
        assert (value[log10 > 309] == np.inf).all()
        np.testing.assert_array_equal(np.isnan(value), np.isnan(log10))


def test_parameters_refuse_what_they_must(model):
    for parameter in model.parameters:
        assert not parameter.accepts(np.array([np.nan, np.inf])).any()
        assert not parameter.integer or not parameter.accepts(np.array([1.5])).any()
        if parameter.minimum > -np.inf:
            outside = parameter.minimum if parameter.open_bounds else parameter.minimum - 1
            assert not parameter.accepts(np.array([outside])).any()


@pytest.mark.parametrize("name", CHEAP)
def test_a_replica_follows_from_a_point_and_its_random_numbers_alone(name):
    model, (fixed, options) = load_models()[name], CHEAP[name]
    point = {p.name: p.default for p in model.parameters if p.default is not None} | fixed
    chosen = {option.name: option.choices[0] for option in model.options} | options
    found, again = (model.replicate(point, chosen, stream(name, 0), never) for _ in range(2))
    assert {v.name for v in model.variables_for(set(point)) if v.estimated} <= found.keys()
    for variable, values in found.items():
        np.testing.assert_array_equal(again[variable], values)
