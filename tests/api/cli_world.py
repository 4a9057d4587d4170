"""A folder and a service in which commands can be typed, for tests of the command line."""

import itertools
import shlex

from typer.testing import CliRunner

from delocal.api import cli

DIPOLES = {
    "models": ["scaling"],
    "axes": {"alpha": [3, 4, 5], "beta": {"like": "alpha"}, "T": {"geomspace": [1e-6, 1e-2, 5]}},
    "fixed": {"d": 2, "W": 1},
}
COLDER = {"axes": {"T": [1e-7]}}
SLOW = {
    "models": ["percolation"],
    "axes": {"density": [0.5, 1.0]},
    "fixed": {"d": 2, "alpha": 3, "beta": 3, "box": 30},
    "sampling": {"replicas": 10_000},
}
numbers = itertools.count(1)


def slow():
    """Return a request, unlike any before, that takes minutes."""
    return {**SLOW, "seed": next(numbers)}


def run(line, code=0):
    """Run a line as it is typed; return what it says."""
    _, *words = shlex.split(line)
    result = CliRunner().invoke(cli.app, words)
    assert result.exit_code == code, (line, result.output, result.exception)
    return result.stdout
