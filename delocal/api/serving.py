"""A service behind HTTP: in the foreground until it is told to stop, or in a thread."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from delocal.api.app import create_app
from delocal.service.settings import Service, Settings


class Server(uvicorn.Server):
    """A server that tells its service when it is about to stop, so that event streams end."""

    def __init__(self, service: Service) -> None:
        super().__init__(uvicorn.Config(create_app(service), log_level="warning"))
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop on a signal."""
        self._service.stopping.set()
        super().handle_exit(sig, frame)


def serve(settings: Settings, host: str, port: int, ready: Callable[[Service], None]) -> None:
    """Serve until Ctrl-C or SIGTERM, then stop in order.

    Raises
    ------
    OSError
        Before anything is started, if the port is taken.
    """
    listener = listen(host, port)
    # uvicorn raises the signal again once it has stopped; by default that would end the process
    # before the service is closed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    service = Service(settings)
    try:
        ready(service)
        Server(service).run(sockets=[listener])
    finally:
        service.close()
        listener.close()


@contextmanager
def serving(settings: Settings) -> Iterator[tuple[str, Service]]:
    """Serve in a thread of this process, on a free port, until the block ends."""
    listener = listen("127.0.0.1", 0)
    service = Service(settings)
    server = Server(service)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", service
    finally:
        service.stopping.set()
        server.should_exit = True
        thread.join(timeout=10)
        service.close()
        listener.close()


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens at `host` and `port`; OSError says what to do if it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small answers at once only on a socket that says that it speaks TCP; without,
    # each waits 40 ms for an acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
        return listener
    except OSError as error:
        listener.close()
        raise OSError(f"cannot listen at {host}:{port} ({error}); try another --port") from error
