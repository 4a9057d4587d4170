"""Energy transport in Anderson insulators: theories, Monte Carlo, and sweeps over both.

>>> import delocal
>>> "scaling" in delocal.models()
True
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from delocal.physics.models import load_models, register

if TYPE_CHECKING:
    from delocal.api.client import Client, connect
    from delocal.service.request import SweepRequest
    from delocal.service.run import open_sweep, run
    from delocal.service.sweep_grid import Sweep
    from delocal.workers.dataset import evaluate

__all__ = [
    "Client",
    "Sweep",
    "SweepRequest",
    "connect",
    "evaluate",
    "models",
    "open_sweep",
    "register",
    "run",
]

# Each name is imported when it is first used: the physics needs numpy, scipy and numba alone.
_HOMES = {
    "Client": "delocal.api.client",
    "connect": "delocal.api.client",
    "Sweep": "delocal.service.sweep_grid",
    "SweepRequest": "delocal.service.request",
    "open_sweep": "delocal.service.run",
    "run": "delocal.service.run",
    "evaluate": "delocal.workers.dataset",
}


def models() -> list[str]:
    """Return the names of the models that can be swept."""
    return list(load_models())


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'delocal' has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        layer = _HOMES[name].split(".")[1]
        extra = "client" if layer == "api" else layer
        raise ModuleNotFoundError(
            f"delocal.{name} needs {error.name}: pip install 'delocal[{extra}]'", name=error.name
        ) from error


if importlib.util.find_spec("xarray") is not None:  # else there is no dataset to ask
    importlib.import_module("delocal.service.accessor")  # registers ds.delocal
