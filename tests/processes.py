"""Processes and ports of this machine, for tests that start more than Python functions."""

import contextlib
import os
import signal
import socket
import subprocess


def free_port():
    """Return a port of this machine at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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
