"""Processes and ports of this machine, for tests that start more than Python functions."""

import contextlib
import os
import random
import signal
import socket
import subprocess

import psutil

PORTS = range(20_000, 32_000)
"""Linux gives those from 32768 on to whoever connects: one of these stays free until it is used."""
_given = set()


def free_port():
    """Return a port of this machine at which nobody listens, another one each time."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                return port


def listens(port):
    """Whether somebody answers at a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def children():
    """Return our processes, but for Python's own tracker of shared memory, which stays."""
    found = set()
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended meanwhile
            if not any("resource_tracker" in word for word in process.cmdline()):
                found.add(process.pid)
    return found


@contextlib.contextmanager
def sessions(folder):
    """Yield a function that starts a command in a session of its own, killed in the end.

    What a command writes to stderr is logged in the folder.
    """
    started = []

    def start(command, environment):
        with open(folder / f"process-{len(started)}.log", "wb") as log:
            process = subprocess.Popen(command, env=environment, stderr=log, start_new_session=True)
        started.append(process)
        return process

    try:
        yield start
    finally:
        for process in started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
