"""The command line, a module for each topic.

Exit codes: 0 it is done; 1 it is done, and the answer is no (a sweep that failed, a damaged
block); 2 the caller made a mistake; 3 not now, the same may work later; 130 Ctrl-C.
"""

# In the order in which `delocal --help` shows them.
from delocal.api.cli import (  # isort: skip
    running,
    sweeps,
    watching,
    results,
    fits,
    figures,
    theory,
    upkeep,
    keys,
    cluster,
)
from delocal.api.cli.base import app
from delocal.api.cli.main import main

__all__ = [
    "app",
    "cluster",
    "figures",
    "fits",
    "keys",
    "main",
    "results",
    "running",
    "sweeps",
    "theory",
    "upkeep",
    "watching",
]
