"""A cluster of processes on this machine."""

from __future__ import annotations

import logging

from distributed import LocalCluster

from delocal.workers.clusters.processes import DEATH_SECONDS
from delocal.workers.clusters.spec import Cluster, ClusterSpec, refuse_options

RESERVED = {
    "n_workers": "cluster.workers, or cluster.maximum, says how many",
    "threads_per_worker": "workers have one thread",
    "processes": "workers are processes",
}


def start(spec: ClusterSpec, workers: int) -> Cluster:
    """Start worker processes, which end with this one; `options` are those of LocalCluster."""
    refuse_options(spec, RESERVED)
    found: Cluster = LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        **{
            "dashboard_address": "127.0.0.1:0",  # its HTTP server, on any free port
            "silence_logs": logging.ERROR,
            "death_timeout": DEATH_SECONDS,
            **spec.options,
        },
    )
    return found
