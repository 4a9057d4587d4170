"""A service behind HTTP: in the foreground until it is told to stop, or in a thread."""

from __future__ import annotations

import math
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import structlog
import uvicorn

from delocal.api.app import create_app
from delocal.api.security import is_loopback
from delocal.service.keys import Keys
from delocal.service.logs import quiet_logs
from delocal.service.settings import Service, Settings

log = structlog.get_logger()

LAST_SECONDS = 5.0  # for the threads of a process that has stopped to end


class Server(uvicorn.Server):
    """A server that tells its service when it is about to stop, so that event streams end.

    Requests that are open then are answered, for as long as `stop_seconds` allows.
    """

    def __init__(self, service: Service, *, local: bool = True) -> None:
        config = uvicorn.Config(
            create_app(service, local=local),
            log_config=None,  # as configured for the whole process
            access_log=False,  # `RequestLog` has a line for each request
            server_header=False,
            timeout_graceful_shutdown=math.ceil(service.settings.stop_seconds),
        )
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop on a signal."""
        self._service.stopping.set()
        super().handle_exit(sig, frame)


def serve(settings: Settings, host: str, port: int, ready: Callable[[Service], None]) -> None:
    """Serve until Ctrl-C or SIGTERM, then stop in order.

    Open requests are answered, event streams end, what is leased is given back, and workers that
    were started here stop.

    Raises
    ------
    OSError
        Before anything is started, if the port is taken.
    PermissionError
        Likewise, if others could reach the service and nobody has a key.
    """
    require_keys(settings, host)
    listener = listen(host, port)
    signals = Signals()
    service = Service(settings)
    try:
        server = Server(service, local=is_loopback(host))
        signals.pass_to(server)
        ready(service)
        server.run(sockets=[listener])
    finally:
        service.close()
        listener.close()
        log.info("stopped")
    if signals.seen:
        raise SystemExit(128 + signals.seen[0])


class Signals:
    """Keeps SIGTERM and Ctrl-C until there is a server to stop.

    A handler that raised would do so in the middle of anything, such as the start of a worker or
    a callback of the garbage collector, where an exception is lost and the signal with it.
    """

    def __init__(self) -> None:
        self.seen: list[int] = []
        self._server: Server | None = None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)

    def pass_to(self, server: Server) -> None:
        """Stop `server` if a signal came, and when one comes."""
        self._server = server
        if self.seen:
            server.handle_exit(self.seen[0], None)

    def _handle(self, number: int, _: FrameType | None) -> None:
        self.seen.append(number)
        if self._server is not None:  # uvicorn, once it has stopped, raises the signal again
            self._server.handle_exit(number, None)
        elif len(self.seen) > 1:  # somebody insists
            raise SystemExit(128 + number)


def end_soon() -> None:
    """End this process within `LAST_SECONDS`, even if a thread of it does not end.

    A request that took longer than `stop_seconds` was broken off, but the thread that works on it
    cannot be stopped, and Python would wait for it.
    """
    code = 128 + signal.SIGTERM
    last = threading.Timer(LAST_SECONDS, os._exit, args=(code,))
    last.daemon = True
    last.start()


def require_keys(settings: Settings, host: str) -> None:
    """PermissionError if anybody who reaches `host` could use the service."""
    if is_loopback(host) or settings.access.keys == "never" or settings.oidc.issuer:
        return
    ledger = settings.open_ledger()
    try:
        if Keys(ledger.engine).any_usable():
            return
    finally:
        ledger.close()
    raise PermissionError(
        f"others can reach {host}, and nobody has a key: make one with "
        f"`delocal keys create NAME --data {settings.data}`, or set DELOCAL_ACCESS__KEYS=never "
        "if whoever reaches it may use it"
    )


@contextmanager
def serving(settings: Settings) -> Iterator[tuple[str, Service]]:
    """Serve in a thread of this process, on a free port, until the block ends."""
    quiet_logs()
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
