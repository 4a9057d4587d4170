"""The sweepable models, one in each file. This folder is the registry: a file is a model."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from delocal.physics.model import Model


@cache
def load_models() -> dict[str, Model]:
    """Return every model of this folder by its name, in the order of the names."""
    found = [
        importlib.import_module(f"{__name__}.{module.name}").model
        for module in pkgutil.iter_modules(__path__)
    ]
    return {model.name: model for model in sorted(found, key=lambda model: model.name)}
