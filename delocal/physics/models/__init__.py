"""The sweepable models: one in each file of this folder, and those that others bring.

A file here is a model. A package that is installed beside delocal offers more through its entry
points of the group ``delocal.models``, each the name of a `Model`. A program registers its own.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import entry_points
from typing import Any, overload

from delocal.physics.model import Evaluate, Model
from delocal.physics.model_checks import check_model

GROUP = "delocal.models"
_registered: dict[str, Model] = {}


@cache
def load_models() -> dict[str, Model]:
    """Return every model by its name, in the order of the names."""
    own, installed = _own(), _installed()
    for name, model in installed.items():
        if name in own or _registered.get(name, model) is not model:
            raise ValueError(f"an installed package has another model {name!r}; rename one of them")
    return dict(sorted({**own, **installed, **_registered}.items()))


def shared_models() -> dict[str, Model]:
    """Return the models that other processes have, or can import: all but those of a notebook."""
    return {n: m for n, m in load_models().items() if n not in _registered or _home(m)}


@overload
def register(model: Model, /) -> Model: ...
@overload
def register(model: None = None, /, **fields: Any) -> Callable[[Evaluate], Model]: ...
def register(model: Model | None = None, /, **fields: Any) -> Any:
    """Make a model of your own known: it is swept, stored, fitted and served as any other.

    Parameters
    ----------
    model
        The model. Left out, this is a decorator for its `evaluate`, and returns the model.
    **fields
        With the decorator: the other fields of :class:`delocal.physics.model.Model`.

    Returns
    -------
    Model
        The model, or the decorator that makes it.

    Raises
    ------
    ValueError
        Something is wrong with the model, which the error lists, or its name is taken.
    TypeError
        It is no model.

    Notes
    -----
    In this process it is known at once. Dask workers import the module in which `evaluate` is
    defined, and that module must register it: a file or package that they can import. What is
    defined in a notebook runs with `delocal.run`, and in a service that computes in its own
    process. A model registered again replaces the one before: raise its `version` when its numbers
    change, for results are known by name and version.

    Examples
    --------
    >>> from delocal.physics.model import STATUS, Parameter, Status, Variable
    >>> @register(
    ...     name="square", version="1", kind="closed-form", title="A square", reference="",
    ...     parameters=(Parameter("x", "a number", "1"),),
    ...     variables=(STATUS, Variable("y", "its square")),
    ... )
    ... def square(parameters, options):
    ...     return {"status": Status.DONE + 0 * parameters["x"], "y": parameters["x"] ** 2}
    >>> square.name in load_models()
    True
    >>> forget("square")
    """
    if model is None:
        return lambda evaluate: register(Model(evaluate=evaluate, **fields))
    if not isinstance(model, Model):
        raise TypeError(f"register takes a Model, not {model!r}; see delocal.physics.model.Model")
    check_model(model)
    if model.name in _own():
        raise ValueError(f"there is a model {model.name!r} already; choose another name")
    _registered[model.name] = model
    load_models.cache_clear()
    return model


def forget(name: str) -> None:
    """Forget a model that was registered; KeyError if none was under this name."""
    del _registered[name]
    load_models.cache_clear()


def homes() -> tuple[str, ...]:
    """Return the modules that another process imports to have the models registered here."""
    return tuple(sorted({_home(model) for model in _registered.values()} - {""}))


def adopt(modules: Iterable[str]) -> None:
    """Import modules that register models; ValueError says which cannot be imported, and why."""
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise ValueError(
                f"the models of {module!r} cannot be imported here ({error}); install that "
                "package, or put its file into a folder of PYTHONPATH, where service and workers "
                "run"
            ) from error


def _home(model: Model) -> str:
    """Return the module that registers a model; empty if no other process can import it."""
    module = str(getattr(model.evaluate, "__module__", "__main__"))
    return "" if module.startswith("__") else module


def _own() -> dict[str, Model]:
    """Return the models of this folder."""
    files = pkgutil.iter_modules(__path__)
    found = [importlib.import_module(f"{__name__}.{file.name}").model for file in files]
    return {model.name: model for model in found}


def _installed() -> dict[str, Model]:
    """Return the models that installed packages offer."""
    found = {}
    for entry in entry_points(group=GROUP):
        model = entry.load()
        if not isinstance(model, Model):
            raise ValueError(f"entry point {entry.name} of {GROUP} is no Model but {model!r}")
        check_model(model)
        found[model.name] = model
    return found
