"""The finder at a hundred million spins: what it takes, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.report import Row

COMMAND = "python -m validation"
CODE = """
import resource, sys, time
import numpy as np
from delocal.physics.resonances import resonant_pairs

spins, d, threads = int(sys.argv[1]), 3, 2
rng = np.random.default_rng(20163)
box = spins ** (1 / d)
positions, energies = rng.random((spins, d)), rng.random(spins)
positions *= box
energies -= 0.5
energies *= 100.0
began = time.perf_counter()
i, j = resonant_pairs(positions, energies, box=box, alpha=3.0, threads=threads)
seconds = time.perf_counter() - began
print(seconds, len(i) / spins, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def rows(spins: int = 10**8) -> list[Row]:
    """Return time, pairs and memory of one search in d = 3, alpha = 3, W = 100."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(spins)], capture_output=True, check=True, text=True
    )
    seconds, pairs, gib = map(float, done.stdout.split())
    name = f"finder, d=3, N={spins:,}, two threads: "
    return [
        Row(f"{name}s", seconds, None, "lower", COMMAND),
        Row(f"{name}pairs per spin", pairs, None, "higher", COMMAND),
        Row(f"{name}peak of the process with its input, GiB", gib, 12.0, "lower", COMMAND),
    ]
