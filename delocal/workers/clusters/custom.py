"""A cluster that a function of the operator starts."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from delocal.workers.clusters.spec import Cluster, ClusterSpec


def start(spec: ClusterSpec, workers: int) -> Cluster | str:
    """Call ``function(**options)``, which returns a cluster of Dask, or a scheduler's address.

    A cluster is asked for workers if their number is set, and is closed in the end; what is at
    an address is left alone.
    """
    found = _function(spec.function or "")(**spec.options)
    if isinstance(found, str):
        return found
    if not hasattr(found, "scheduler_address") or not hasattr(found, "close"):
        raise ValueError(
            f"cluster.function = {spec.function} returned {found!r}; "
            "allowed are the address of a scheduler, or a cluster object of Dask"
        )
    if spec.bounds[1]:
        found.scale(workers)
    cluster: Cluster = found
    return cluster


def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"cluster.function = {name!r} cannot be imported ({error}); "
            "it is package.module:function, of a package that is installed beside delocal"
        ) from error
    if not callable(found):
        raise ValueError(f"cluster.function = {name!r} is no function but {found!r}")
    return found  # type: ignore[no-any-return]
