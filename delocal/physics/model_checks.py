"""What is wrong with a model that somebody wrote, before anything is computed with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import get_args

from delocal.physics.model import Kind, Model

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")  # of a group of a store, and of an address


def check_model(model: Model) -> None:
    """Raise ValueError with all that is wrong with a `model`, and what is right."""
    if problems := list(_problems(model)):
        raise ValueError(f"model {model.name!r}: " + "; ".join(problems))


def _problems(model: Model) -> Iterator[str]:
    if not NAME.fullmatch(model.name):
        yield "its name is not of lower-case words with hyphens, such as my-law"
    if model.name.endswith("-replicas") or not model.version:
        yield "it needs a version, such as '1', and a name that does not end in -replicas"
    names = [p.name for p in model.parameters] + [v.name for v in model.variables]
    names += list(model.coordinates)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        yield f"{', '.join(twice)} stands twice among parameters, variables and coordinates"
    if "status" not in names:
        yield "it has no variable `status`; put delocal.physics.model.STATUS first"
    parameters = {parameter.name for parameter in model.parameters}
    for variable in model.variables:
        needed = {*(variable.depends or ()), *([variable.needs] if variable.needs else [])}
        if strange := sorted(needed - parameters):
            yield f"{variable.name} depends on {', '.join(strange)}, which is no parameter"
        if strange := sorted(set(variable.dims) - set(model.coordinates)):
            yield f"{variable.name} has the dimension {', '.join(strange)}; give its coordinate"
    if model.kind not in get_args(Kind):
        yield f"kind {model.kind!r} is none of {', '.join(get_args(Kind))}"
    if (model.replicate is None) == (model.kind == "monte-carlo"):
        yield "`replicate` belongs to kind='monte-carlo', and to no other"
    if model.replicate is not None and model.target not in names:
        yield f"its target {model.target!r} is none of its variables"
