"""Run every benchmark: ``python -m benchmarks``."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks import (
    bethe,
    bond_networks,
    dispatcher,
    engine,
    finder,
    hot_cold,
    kernel,
    nearly_localized,
    network,
    queries,
    scba,
    sweep,
)
from benchmarks.report import publish
from delocal.service.provenance import versions

if __name__ == "__main__":
    files = (
        kernel,
        finder,
        network,
        nearly_localized,
        scba,
        bond_networks,
        bethe,
        hot_cold,
        sweep,
        dispatcher,
        engine,
        queries,
    )
    rows = [row for file in files for row in file.rows()]
    holds = publish(rows, Path(__file__).parent / "results.json", versions())
    sys.exit(0 if holds else 1)
