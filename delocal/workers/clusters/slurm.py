"""Workers as jobs of Slurm, through dask-jobqueue; the scheduler runs beside the service."""

from __future__ import annotations

import logging
import re
import shlex
import subprocess
from typing import Any

from dask_jobqueue.slurm import SLURMCluster

from delocal.workers.clusters.processes import DEATH_SECONDS, environment
from delocal.workers.clusters.security import security_of
from delocal.workers.clusters.spec import (
    Cluster,
    ClusterSpec,
    refuse_options,
    refuse_plain,
)

log = logging.getLogger(__name__)

RESERVED = {
    "n_workers": "cluster.workers, or cluster.maximum, says how many",
    "processes": "there is one process for each of `cores`",
    "nanny": "each worker has its nanny",
    "security": "cluster.tls names the certificates",
    "protocol": "cluster.tls says whether it is TLS",
}
WALLTIME = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")


class SlurmCluster(SLURMCluster):
    """A cluster of jobs that knows which of them have ended."""

    def lost(self) -> list[str]:
        """Return the jobs that were submitted and that Slurm does not know any more."""
        submitted = {job.job_id: name for name, job in self.workers.items() if job.job_id}
        if not submitted:
            return []
        command = ["squeue", "--noheader", "--format=%i", "--jobs", ",".join(submitted)]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            # Where every one of these jobs has ended long ago, squeue says so by failing.
            if "Invalid job id" not in (getattr(error, "stderr", "") or ""):
                log.warning("squeue does not say which jobs run: %s", error)
                return []
            return list(submitted.values())
        return [submitted[job] for job in submitted.keys() - set(answer.stdout.split())]


def start(spec: ClusterSpec, workers: int) -> Cluster:
    """Start a scheduler here and submit jobs; `options` are those of SLURMCluster.

    A job has `cores` workers, by default one. Workers end by themselves before their wall time
    does, not all at once, and jobs that ended are submitted again while they are wanted.
    """
    refuse_options(spec, RESERVED)
    cluster: Cluster = SlurmCluster(**arguments(spec))
    try:
        refuse_plain(cluster.scheduler_address, spec.insecure)
        cluster.scale(workers)
    except Exception:
        cluster.close()
        raise
    return cluster


def arguments(spec: ClusterSpec) -> dict[str, Any]:
    """Return the arguments of SLURMCluster: what was asked for, and what workers need.

    Raises ValueError if scheduler and workers would talk in the clear beyond this machine.
    """
    options = {"cores": 1, "walltime": "01:00:00", **spec.options}
    cores = options["cores"]
    scheduler = {"dashboard_address": "127.0.0.1:0", **options.get("scheduler_options", {})}
    if spec.tls is None:
        refuse_plain(f"tcp://{scheduler.get('host', 'the scheduler')}", spec.insecure)
    lifetime, stagger = lifetimes(wall_seconds(str(options["walltime"])))
    exports = [f"export {n}={shlex.quote(v)}" for n, v in environment(spec.tls).items()]
    return {
        "memory": f"{2 * cores}GiB",
        "death_timeout": DEATH_SECONDS,
        **options,
        "processes": cores,
        "scheduler_options": scheduler,
        "security": security_of(spec.tls),
        "job_script_prologue": [*exports, *options.get("job_script_prologue", ())],
        "worker_extra_args": [
            "--no-dashboard",
            *("--lifetime", f"{lifetime}s", "--lifetime-stagger", f"{stagger}s"),
            *options.get("worker_extra_args", ()),
        ],
    }


def lifetimes(wall: int) -> tuple[int, int]:
    """Return after how many seconds a worker ends, and by how many this varies.

    The last one ends before 6/10 of the margin to the wall time are left: a minute, or a tenth
    of the wall time if that is longer.

    Examples
    --------
    >>> lifetimes(3600)
    (3240, 144)
    """
    margin = min(max(60, wall // 10), wall // 2)
    return wall - margin, 4 * margin // 10


def wall_seconds(walltime: str) -> int:
    """Return a wall time of Slurm in seconds; ValueError if it is none.

    Examples
    --------
    >>> [wall_seconds(text) for text in ("90", "30:00", "2:00:00", "1-12", "1-00:30")]
    [5400, 1800, 7200, 129600, 88200]
    """
    match = WALLTIME.fullmatch(walltime.strip())
    if match is None:
        raise ValueError(
            f"cluster.options: walltime {walltime!r} is none of Slurm's; "
            "try HH:MM:SS or DAYS-HH:MM:SS"
        )
    days, *parts = match.groups()
    numbers = [int(part) for part in parts if part is not None]
    if days is None:  # the last of two numbers is seconds, a single one is minutes
        hours, minutes, seconds = {1: [0, *numbers, 0], 2: [0, *numbers]}.get(len(numbers), numbers)
    else:
        hours, minutes, seconds = [*numbers, 0, 0][:3]
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds
