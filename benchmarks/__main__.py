"""Run every benchmark: ``python -m benchmarks``."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks import finder, kernel, network, queries, sweep
from benchmarks.report import publish
from delocal.service.provenance import versions

if __name__ == "__main__":
    rows = [*kernel.rows(), *finder.rows(), *network.rows(), *sweep.rows(), *queries.rows()]
    holds = publish(rows, Path(__file__).parent / "results.json", versions())
    sys.exit(0 if holds else 1)
