"""Whether a worker is of the same version as the service: results must not depend on who ran."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

from delocal.physics.models import adopt, shared_models
from delocal.workers.local import ClusterLost

Identity = Mapping[str, Any]


class WrongWorker(ClusterLost):
    """A worker of another version got a task: no fault of the task, which is run elsewhere."""


def identity() -> dict[str, Any]:
    """Return the version of this code and of each model that other processes can have."""
    models = {model.name: model.version for model in shared_models().values()}
    return {"delocal": _version(), "models": models}


def introduce(modules: tuple[str, ...]) -> Identity:
    """Return the identity of this process once it has imported what registers further models."""
    adopt(modules)
    return identity()


def digest() -> str:
    """Return a short text that is equal for equal identities."""
    return hashlib.sha256(json.dumps(identity(), sort_keys=True).encode()).hexdigest()[:16]


@cache
def _version() -> str:
    return version("delocal")


def difference(theirs: Identity, ours: Identity) -> str:
    """Return in words how another identity differs from `ours`; empty if it does not.

    Examples
    --------
    >>> ours = {"delocal": "1.2", "models": {"scaling": "2"}}
    >>> difference({"delocal": "1.1", "models": {"scaling": "1"}}, ours)
    "delocal 1.1 there, 1.2 here; model 'scaling' 1 there, 2 here"
    """
    found = []
    if theirs["delocal"] != ours["delocal"]:
        found.append(f"delocal {theirs['delocal']} there, {ours['delocal']} here")
    for name in sorted({*theirs["models"], *ours["models"]}):
        there, here = (who["models"].get(name, "missing") for who in (theirs, ours))
        if there != here:
            found.append(f"model {name!r} {there} there, {here} here")
    return "; ".join(found)


def refusal(worker: str, answer: object, ours: Identity) -> str:
    """Return why a worker that gave this `answer` gets no work; empty if it does."""
    advice = f"install delocal {ours['delocal']} there, or the image that the service runs"
    if isinstance(answer, Exception):
        return f"worker {worker} cannot run delocal ({answer}); {advice}"
    if not isinstance(answer, Mapping):
        return f"worker {worker} does not say which delocal it has; {advice}"
    differs = difference(answer, ours)
    return f"worker {worker} is of another version: {differs}; {advice}" if differs else ""
