"""Run every long statistic: ``python -m validation``."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.report import publish
from delocal.service.provenance import versions
from validation import finder, scaling

if __name__ == "__main__":
    holds = publish(
        [*scaling.rows(), *finder.rows()], Path(__file__).parent / "results.json", versions()
    )
    sys.exit(0 if holds else 1)
