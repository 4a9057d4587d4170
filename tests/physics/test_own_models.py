"""Models that others bring: registered, by an installed package, and refused with reasons."""

import dataclasses
import sys

import numpy as np
import pytest

import delocal
from delocal.physics import models
from delocal.physics.model import STATUS, Parameter, Status, Variable
from delocal.physics.models import adopt, forget, homes, load_models, register, shared_models

FIELDS = {
    "name": "activated",
    "version": "1",
    "kind": "closed-form",
    "title": "Activated conduction",
    "reference": "S. Arrhenius (1889)",
    "parameters": (Parameter.positive("T", "temperature", "energy"),),
    "variables": (STATUS, Variable("sigma", "conductivity", "1")),
}
SOURCE = """
import delocal
from delocal.physics.model import STATUS, Parameter, Variable

@delocal.register(
    name="{name}", version="3", kind="closed-form", title="", reference="",
    parameters=(Parameter("x", "a number", "1"),), variables=(STATUS,),
)
def law(parameters, options):
    return {{"status": 1 + 0 * parameters["x"]}}
"""


def arrhenius(parameters, options):
    T = parameters["T"]
    return {"status": np.full(T.shape, Status.DONE), "sigma": np.exp(-1 / T)}


@pytest.fixture(autouse=True)
def as_before():
    yield
    for name in list(models._registered):
        forget(name)


def test_a_registered_model_is_swept_evaluated_and_fitted():
    register(**FIELDS)(arrhenius)
    assert "activated" in delocal.models()
    ds = delocal.run(delocal.Sweep.grid("activated", T=[0.1, 0.2, 0.4]))["activated"].to_dataset()
    np.testing.assert_allclose(ds.sigma, np.exp(-1 / ds["T"]))
    assert delocal.evaluate("activated", T=0.5).sigma == pytest.approx(np.exp(-2))
    slopes = ds.delocal.fit("sigma", over="T").local_slope
    np.testing.assert_allclose(slopes, [5 / np.log(2), 2.5 / np.log(2)])
    assert "S. Arrhenius (1889)" in ds.delocal.cite()


def test_a_model_is_registered_again_as_it_is_worked_on_and_forgotten():
    first = register(**FIELDS)(arrhenius)
    second = register(dataclasses.replace(first, version="2"))
    assert load_models()["activated"] is second
    forget("activated")
    assert "activated" not in load_models()
    with pytest.raises(KeyError):
        forget("activated")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "scaling"}, "there is a model 'scaling' already"),
        ({"name": "My law"}, "lower-case words with hyphens"),
        ({"name": "law-replicas"}, "does not end in -replicas"),
        ({"version": ""}, "needs a version"),
        ({"variables": FIELDS["variables"][1:]}, "no variable `status`"),
        ({"variables": (STATUS, Variable("T", "twice"))}, "T stands twice"),
        ({"variables": (STATUS, Variable("y", "y", depends=("W",)))}, "y depends on W, which is"),
        ({"variables": (STATUS, Variable("y", "y", dims=("k",)))}, "y has the dimension k; give"),
        ({"kind": "monte-carlo"}, "`replicate` belongs to kind='monte-carlo'"),
    ],
)
def test_what_is_wrong_with_a_model_is_said(changes, message):
    with pytest.raises(ValueError, match=message):
        register(**{**FIELDS, **changes})(arrhenius)
    assert "activated" not in load_models()


@pytest.mark.parametrize("model", load_models().values(), ids=lambda model: model.name)
def test_our_own_models_pass_the_checks(model):
    models.check_model(model)


def test_other_processes_import_the_module_that_registers(tmp_path, monkeypatch):
    (tmp_path / "lab_laws.py").write_text(SOURCE.format(name="lab-law"))
    monkeypatch.syspath_prepend(tmp_path)
    adopt(["lab_laws"])
    try:
        assert load_models()["lab-law"].version == "3"
        assert homes() == ("lab_laws",)
        assert "lab-law" in shared_models()
    finally:
        del sys.modules["lab_laws"]


def test_a_model_of_a_notebook_stays_in_its_process():
    namespace = {"__name__": "__main__"}
    exec(SOURCE.format(name="of-a-notebook"), namespace)
    assert "of-a-notebook" in load_models()
    assert homes() == ()
    assert "of-a-notebook" not in shared_models()


def test_a_module_that_is_not_there_is_said():
    with pytest.raises(ValueError, match=r"'lab_lost' cannot be imported here .*PYTHONPATH"):
        adopt(["lab_lost"])


class Entry:
    """An entry point of an installed package."""

    def __init__(self, found):
        self.name, self._found = "law", found

    def load(self):
        return self._found


def test_an_installed_package_offers_models(monkeypatch):
    law = dataclasses.replace(register(**FIELDS)(arrhenius), name="installed")
    forget("activated")
    monkeypatch.setattr(models, "entry_points", lambda group: [Entry(law)])
    load_models.cache_clear()
    assert load_models()["installed"] is law
    assert "installed" in shared_models()
    assert homes() == ()
    register(law)  # by its own module, when the entry point loads it
    assert load_models()["installed"] is law
    register(dataclasses.replace(law, version="2"))
    with pytest.raises(ValueError, match="has another model 'installed'; rename one"):
        load_models()
    forget("installed")
    monkeypatch.setattr(models, "entry_points", lambda group: [Entry(None)])
    load_models.cache_clear()
    with pytest.raises(ValueError, match="is no Model but None"):
        load_models()
    monkeypatch.undo()
    load_models.cache_clear()


def test_an_installed_model_does_not_take_the_name_of_ours(monkeypatch):
    law = dataclasses.replace(load_models()["scaling"], version="other")
    monkeypatch.setattr(models, "entry_points", lambda group: [Entry(law)])
    load_models.cache_clear()
    with pytest.raises(ValueError, match="has another model 'scaling'; rename one"):
        load_models()
    monkeypatch.undo()
    load_models.cache_clear()
