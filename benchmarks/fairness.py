"""How a small sweep fares behind one of ten million cells, and what it leaves to that one."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np

from benchmarks.engine import start
from benchmarks.report import Row
from benchmarks.served import scratch
from benchmarks.sweep import request
from delocal.service.request import SweepRequest
from delocal.service.settings import Service

COMMAND = "python -m benchmarks"
WORKERS = 2
POLL = 0.01
WATCHED = 1.0  # seconds for which the large sweep is watched alone
SEEDS = count(1)  # no two sweeps are the same


def rows(
    huge: tuple[int, int, int, int] = (20, 25, 400, 50), blocks: int = 10, repeats: int = 5
) -> list[Row]:
    """Return the time of a sweep of `blocks` blocks behind a large one over that alone.

    Its blocks take 0.15 s, as three of the large one. Medians of `repeats`.
    """
    alone, behind, kept = [], [], []
    with scratch() as folder:
        service = start(folder, WORKERS)
        try:
            _small(service, blocks)  # workers compile and load
            for i in range(repeats):
                alone.append(_small(service, blocks)[1])
                large = _submit(service, request(huge, t=0.03 + 0.001 * i))
                while _done(service, large) < 10:
                    time.sleep(POLL)
                usual = _rate(service, large, lambda: time.sleep(WATCHED))
                during = _rate(service, large, lambda: behind.append(_small(service, blocks)))
                if service.sweeps.get(large).state.ended:
                    raise RuntimeError("the large sweep ended too soon; make it larger")
                service.sweeps.cancel(large)
                while service.dispatcher.in_flight:
                    time.sleep(POLL)
                kept.append(during / usual)
        finally:
            service.close()
    ratio = float(np.median([elapsed for _, elapsed in behind]) / np.median(alone))
    begun = max(first for first, _ in behind)
    cells = SweepRequest.parse(request(huge)).plan().cells
    what = f"sweep of {blocks} blocks behind one of {cells:,} cells: "
    return [
        Row(f"{what}its time / alone", ratio, 2.2, "lower", COMMAND),
        Row(f"{what}seconds until its first block", begun, 2.0, "lower", COMMAND),
        Row(f"{what}share left", float(np.median(kept)), 0.40, "higher", COMMAND),
    ]


def _small(service: Service, blocks: int) -> tuple[float, float]:
    """Return the seconds from the request to the first block, and to the end."""
    content: dict[str, Any] = {
        "models": ["resonances"],
        "fixed": {"d": 3, "alpha": 3, "T": 50, "W": 100, "t": 1},
        "options": {"resonances": {"spins": 100_000}},
        "sampling": {"replicas": 10 * blocks},
        "seed": next(SEEDS),
    }
    began, first = time.perf_counter(), 0.0
    sweep = _submit(service, content)
    while not (record := service.sweeps.get(sweep)).state.ended:
        if not first and record.blocks_done:
            first = time.perf_counter() - began
        time.sleep(POLL)
    elapsed = time.perf_counter() - began
    return first or elapsed, elapsed


def _rate(service: Service, sweep: str, action: Callable[[], None]) -> float:
    """Return the blocks per second of a sweep while something else happens."""
    before, began = _done(service, sweep), time.perf_counter()
    action()
    return (_done(service, sweep) - before) / (time.perf_counter() - began)


def _submit(service: Service, content: dict[str, Any]) -> str:
    return service.sweeps.submit(SweepRequest.parse(content)).id


def _done(service: Service, sweep: str) -> int:
    return service.sweeps.get(sweep).blocks_done
