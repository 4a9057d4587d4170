"""Every model where numbers end: a finite value or a status, no warning, no error but in words.

The warnings are errors by the configuration of the tests.
"""

import itertools
import re

import numpy as np
import pytest

from delocal.physics.model import Cancelled, Status
from delocal.physics.models import load_models
from tests.physics.test_monte_carlo_models import CHEAP

LEAST, MOST = 1e-300, 1e300
PATIENCE = 100  # questions of a replica whether it is still wanted
EXPONENTS = ("alpha", "beta")
POINTS = 100
FEW = {"bethe": 2, "nearly-localized": 20}  # of a dear model
MODELS = load_models()
EVALUATED = [name for name, model in MODELS.items() if model.replicate is None]


def beside(value):
    """Return a number and its two neighbours."""
    return [value, np.nextafter(value, -np.inf), np.nextafter(value, np.inf)]


def critical(d):
    """Return the exponents at which regions meet, from both sides and on the border."""
    return [x for border in (d / 2, d, 2 * d, 3 * d) for x in beside(border)]


def ends(parameter):
    """Return the least and the largest numbers that a parameter may be, and some in between."""
    if parameter.integer:
        low, high = parameter.minimum, min(parameter.maximum, 1000)
        return [low, min(low + 1, high), high]
    lowest = parameter.minimum
    if parameter.open_bounds:
        lowest = LEAST if lowest == 0 else np.nextafter(lowest, np.inf)
    highest = parameter.maximum
    if parameter.open_bounds and highest < np.inf:
        highest = np.nextafter(highest, -np.inf)
    middle = [x for x in (0.3, 1.0, 3.0, parameter.default) if x is not None]
    found = np.array([max(lowest, -MOST), min(highest, MOST), *middle])
    return found[parameter.accepts(found)]


def points(model, number, rng, with_optional):
    """Return points with each parameter at one of its ends, or in between."""
    given = [p for p in model.parameters if with_optional or not p.optional]
    found = {p.name: rng.choice(ends(p), number) for p in given}
    for name in EXPONENTS:
        if name in found:
            found[name] = np.array([rng.choice(critical(d)) for d in found["d"]])
    if all(name in found for name in EXPONENTS):  # and from both sides of each other
        some = np.arange(number) % 4
        for which, neighbour in enumerate((found["alpha"], *beside_all(found["alpha"]))):
            found["beta"] = np.where(some == which, neighbour, found["beta"])
    return found


def beside_all(values):
    return np.nextafter(values, -np.inf), np.nextafter(values, np.inf)


def options_of(model):
    """Yield the defaults, and each other choice beside them."""
    defaults = {option.name: option.choices[0] for option in model.options}
    yield defaults
    for option in model.options:
        for choice in option.choices[1:]:
            yield {**defaults, option.name: choice}


def check(model, results, given):
    """A cell that is done has a number; one that is not says so, and has none."""
    names = [
        variable.name
        for variable in model.variables_for(given)
        if variable.dtype == "float64" and not variable.dims
    ]
    status, *numbers = np.broadcast_arrays(results["status"], *(results[name] for name in names))
    assert np.isin(status, [Status.DONE, Status.OUTSIDE_DOMAIN, Status.NOT_CONVERGED]).all()
    none = np.all([np.isnan(values) for values in numbers], axis=0)
    assert not none[status == Status.DONE].any()
    assert none[status == Status.OUTSIDE_DOMAIN].all()


@pytest.mark.parametrize("name", EVALUATED)
def test_a_model_has_an_answer_at_the_ends_of_its_parameters(name):
    model, rng = MODELS[name], np.random.default_rng(0)
    for options in options_of(model):
        for with_optional in (True, False):
            given = points(model, FEW.get(name, POINTS), rng, with_optional)
            results = model.evaluate(given, options)
            check(model, {n: np.asarray(values) for n, values in results.items()}, set(given))


def test_whether_a_power_law_exists_is_a_matter_of_exponents_alone():
    """A NaN of the scaling theory says that there is no such law, not that T was too cold."""
    rng = np.random.default_rng(0)
    extreme = points(MODELS["scaling"], 1000, rng, with_optional=True)
    usual = {"T": 1e-3, "W": 1.0, "t": 0.02, "V": 0.02, "rho": 1.0, "L": 10.0}
    usual |= {name: extreme[name] for name in ("d", "alpha", "beta")}
    here, there = (MODELS["scaling"].evaluate(given, {}) for given in (extreme, usual))
    for name in (name for name in here if name.endswith("_exponent")):
        np.testing.assert_array_equal(here[name], there[name], err_msg=name)
    laws = [name for name in here if name.startswith("log10_")]
    assert laws
    for name in laws:
        law = name.removeprefix("log10_")
        np.testing.assert_array_equal(np.isnan(here[name]), np.isnan(here[law]), err_msg=name)


def variations(name):
    """Yield a cheap point of a Monte Carlo model with one or two parameters at an end."""
    fixed, _ = CHEAP[name]
    parameters = {p.name: p for p in MODELS[name].parameters}
    for p in parameters.values():
        if p.optional:
            yield from ({p.name: value} for value in ends(p))
            yield {p.name: 1.0, "t": LEAST} if "t" in parameters else {}
    energies = [n for n, p in parameters.items() if p.units.startswith("energy")]
    for energy in energies:
        for value in (LEAST, MOST):
            yield {energy: value}
    if {"T", "W"} <= set(parameters):
        yield {"T": LEAST, "W": MOST}
        yield {"T": MOST, "W": MOST}
    for exponent in EXPONENTS:
        if exponent in parameters:
            for value in critical(fixed.get("d", 1)):
                yield {exponent: value}
    if set(EXPONENTS) <= set(parameters):
        for value in beside(fixed["alpha"]):
            yield {"beta": value}


def answer(model, point, options):
    """Return what a replica comes to; None if it is refused in words, or dear and not wrong so far.

    What is refused is stored as a failed cell with these words.
    """
    asked = itertools.count()
    try:
        return model.replicate(
            point, options, np.random.default_rng(0), lambda: next(asked) > PATIENCE
        )
    except ValueError as error:
        if re.search("; (take|enlarge) ", str(error)):
            return None
        raise
    except Cancelled:
        return None


@pytest.mark.parametrize("name", CHEAP)
def test_a_replica_has_an_answer_at_the_ends_of_its_parameters(name):
    model = MODELS[name]
    fixed, chosen = CHEAP[name]
    options = {o.name: chosen.get(o.name, o.choices[0]) for o in model.options}
    defaults = {p.name: p.default for p in model.parameters if p.default is not None}
    for change in variations(name):
        point = {n: float(value) for n, value in {**defaults, **fixed, **change}.items()}
        model.evaluate({n: np.array([value]) for n, value in point.items()}, options)
        found = answer(model, point, options)
        if found is None:
            continue
        status = found.get("status", Status.DONE)
        assert status in (Status.DONE, Status.OUTSIDE_DOMAIN, Status.NOT_CONVERGED), change
        numbers = [np.asarray(v, float) for n, v in found.items() if n != "status"]
        if status == Status.DONE:
            assert any(np.isfinite(values).any() for values in numbers), change
