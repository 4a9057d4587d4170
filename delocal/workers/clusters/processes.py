"""Schedulers and workers as processes: their commands, their environment."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlsplit

from delocal.workers.clusters.spec import is_loopback

# An idle cluster with the defaults costs 7 % of a core; with these about 1 %.
QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.worker.memory.monitor-interval": "1s",
    "distributed.scheduler.work-stealing": False,  # would ignore the order of submission
    "distributed.scheduler.allowed-failures": 0,  # attempts are counted by the ledger
}
WORKER_ENVIRONMENT = {
    # One process for each core with one thread: more threads inside numpy only get in the way.
    **dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
    ),
    # Blocks come and go: memory given back to the system after each costs a page fault for
    # every 4 KiB of the next. Dask's own setting gives it back at once.
    "MALLOC_TRIM_THRESHOLD_": str(2**28),
    "MALLOC_MMAP_THRESHOLD_": str(2**28),
}
DEATH_SECONDS = 60  # a worker that finds no scheduler for this long ends
FILES = ("ca.crt", "tls.crt", "tls.key")  # as in a Kubernetes secret of certificates


def environment(tls: Path | None = None) -> dict[str, str]:
    """Return the environment variables of a scheduler or worker.

    Examples
    --------
    >>> environment()["DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL"]
    '1s'
    """
    config = {**QUIET, "distributed.comm.require-encryption": tls is not None}
    return {
        **WORKER_ENVIRONMENT,
        **{
            "DASK_" + key.replace(".", "__").replace("-", "_").upper(): str(value)
            for key, value in config.items()
        },
    }


def scheduler_command(
    host: str, port: int, tls: Path | None, http: str = "127.0.0.1:0"
) -> list[str]:
    """Return the command of a scheduler; `http` is where its pages of numbers are served."""
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    command += ["--host", host, "--port", str(port), "--dashboard-address", http]
    return [*command, "--protocol", "tls" if tls else "tcp", *tls_arguments(tls)]


def worker_command(
    address: str,
    workers: int,
    tls: Path | None,
    *,
    name: str | None = None,
    host: str | None = None,
    memory: str = "auto",
    death_seconds: int = DEATH_SECONDS,
) -> list[str]:
    """Return the command of `workers` processes of one thread each, each with its nanny.

    Without TLS whoever reaches a worker runs code in it: beside a scheduler on this machine it
    listens on this machine alone, whose address is the default of `host` then.
    """
    if host is None and tls is None and is_loopback(urlsplit(address).hostname or ""):
        host = "127.0.0.1"
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nanny"]
    command += ["--nworkers", str(workers), "--nthreads", "1", "--no-dashboard"]
    command += ["--dashboard-address", "127.0.0.1:0"]  # of pages of numbers, there all the same
    command += ["--memory-limit", memory, "--death-timeout", str(death_seconds)]
    command += ["--name", name] if name else []
    command += ["--host", host] if host else []
    return [*command, *tls_arguments(tls)]


def tls_arguments(tls: Path | None) -> list[str]:
    """Return the arguments that name the certificates in the folder `tls`."""
    if tls is None:
        return []
    certificates = certificate_files(tls)
    return [
        word
        for option, file in zip(("ca-file", "cert", "key"), certificates, strict=True)
        for word in (f"--tls-{option}", str(file))
    ]


def certificate_files(folder: Path) -> list[Path]:
    """Return the files of the CA, the certificate and its key; FileNotFoundError with advice."""
    files = [folder.resolve() / name for name in FILES]
    for file in files:
        if not file.is_file():
            raise FileNotFoundError(
                f"{file} is missing: cluster.tls is a folder with {', '.join(FILES)}, "
                "as `delocal tls make --out DIR` makes them"
            )
    return files
