"""Run the benchmarks: ``python -m benchmarks`` all of them, ``python -m benchmarks finder`` some.

Only a run of all writes `results.json`.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import structlog

from benchmarks import (
    bethe,
    bond_networks,
    dispatcher,
    engine,
    fairness,
    finder,
    hot_cold,
    kernel,
    nearly_localized,
    network,
    peers,
    queries,
    scaling,
    scba,
    spectral_diffusion,
    sweep,
)
from benchmarks.report import publish
from delocal.service.provenance import versions

FILES = (
    kernel,
    finder,
    network,
    nearly_localized,
    scba,
    bond_networks,
    bethe,
    hot_cold,
    spectral_diffusion,
    sweep,
    peers,
    dispatcher,
    engine,
    scaling,
    fairness,
    queries,
)
BY_NAME = {file.__name__.rpartition(".")[2]: file for file in FILES}

if __name__ == "__main__":
    quiet = structlog.make_filtering_bound_logger(logging.WARNING)  # as a service logs no task
    structlog.configure(wrapper_class=quiet)
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("only", nargs="*", choices=[*BY_NAME, []], help="run these alone")
    only = parser.parse_args().only
    rows = [row for name in only or BY_NAME for row in BY_NAME[name].rows()]
    path = None if only else Path(__file__).parent / "results.json"
    sys.exit(0 if publish(rows, path, versions()) else 1)
