"""Monte Carlo in a sweep: how many replicas, and which variables they and their summary have."""

from __future__ import annotations

from dataclasses import dataclass, replace

from delocal.physics.model import STATUS, Model, Parameter, Variable

REPLICA = "replica"  # the dimension along which replicas lie
N_REPLICAS = Variable("n_replicas", "replicas in the mean", dtype="int64")
TARGET_REACHED = Variable.flag(
    "target_reached",
    "whether the relative error asked for was reached",
    comment="yes where none was asked for",
)
CORE_SECONDS = Variable(
    "core_seconds", "time of one core spent", "s", reproducible=False, comment="not reproducible"
)
SECONDS_PER_PERCENT = Variable(
    "seconds_per_percent",
    "time of one core that an error of one percent takes",
    "s",
    reproducible=False,
    comment="seconds of the replicas in the mean, times (100 stderr / mean)**2 of the model's "
    "target; not reproducible",
)


@dataclass(frozen=True)
class Sampling:
    """How many replicas a Monte Carlo cell gets.

    Parameters
    ----------
    replicas
        To begin with; also the step in which error bars are looked at, doubled each time.
    max_replicas
        At most; where the target is not reached by then, the cell says so.
    target_rel_error
        Standard error over absolute mean at which a cell is done; None means after `replicas`.
    seed
        Of the random numbers.
    """

    replicas: int
    max_replicas: int
    target_rel_error: float | None
    seed: int


def replicas_of(model: Model) -> Model:
    """Return `model` with the variables of its single replicas."""
    index = Parameter(REPLICA, "index of the replica", "1", minimum=0, integer=True)
    estimates = tuple(v for v in model.variables if v.estimated)
    return replace(
        model,
        title=f"{model.title}: single replicas",
        parameters=(*model.parameters, index),
        variables=(STATUS, *estimates, CORE_SECONDS),
    )


def summary_of(model: Model) -> Model:
    """Return `model` with the variables of a summary: means, errors, number, cost."""
    variables: list[Variable] = []
    for variable in model.variables:
        variables.append(variable)
        if variable.estimated or variable.derived:
            variables.append(stderr_of(variable))
    counted = (N_REPLICAS, TARGET_REACHED, CORE_SECONDS, SECONDS_PER_PERCENT)
    return replace(model, variables=(*variables, *counted))


def stderr_of(variable: Variable) -> Variable:
    """Return the variable that holds the standard error of `variable`."""
    return replace(
        variable,
        name=f"{variable.name}_stderr",
        long_name=f"standard error of the {variable.long_name}",
        equation="",
        comment="of the mean over independent replicas",
        estimated=False,
        derived=False,
    )
