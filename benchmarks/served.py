"""A service in a process of its own, as a user starts it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from delocal.api.client import Client


@dataclass(frozen=True)
class Served:
    """A running service: its client, its process, its data."""

    client: Client
    process: psutil.Process
    data: Path

    @property
    def scheduler(self) -> str:
        """Address of its Dask scheduler."""
        description: str = self.client.get("/readyz")["cluster"]
        return description.removeprefix("Dask at ").split(",")[0]


@contextmanager
def served(data: Path, workers: int = 2) -> Iterator[Served]:
    """Start ``delocal serve`` on a free port, and end it with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "delocal",
        "serve",
        "--port",
        str(port),
        "--data",
        str(data),
        "--workers",
        str(workers),
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=dict(os.environ))
    client = Client(f"http://127.0.0.1:{port}", patience=0)
    try:
        _wait_until_ready(client, process)
        yield Served(client, psutil.Process(process.pid), data)
    finally:
        client.close()
        process.terminate()
        process.wait(timeout=30)


@contextmanager
def scratch() -> Iterator[Path]:
    """Return a folder beside the project's, on the disk that a user would use."""
    with tempfile.TemporaryDirectory(prefix="delocal-bench-") as folder:
        yield Path(folder)


def _wait_until_ready(client: Client, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the service ended with code {process.returncode}")
        try:
            client.get("/readyz")
        except ConnectionError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("the service did not answer within a minute")
