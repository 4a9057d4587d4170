"""Who may talk to whom: TLS between client, scheduler and workers."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

from distributed import Security

from delocal.workers.clusters.processes import certificate_files


def security_of(tls: Path | None) -> Security | None:
    """Return what the certificates in the folder `tls` allow, for each role; None without."""
    if tls is None:
        return None
    authority, certificate, key = map(str, certificate_files(tls))
    roles = ("client", "scheduler", "worker")
    return Security(
        require_encryption=True,
        tls_ca_file=authority,
        **{f"tls_{role}_cert": certificate for role in roles},
        **{f"tls_{role}_key": key for role in roles},
    )


class NobodyThere(OSError):
    """Nobody listens at an address; that may change by itself."""


def reach(address: str, security: Security | None, seconds: float) -> None:
    """Connect to a scheduler once, TLS included, and raise what is in the way.

    A client whose first connection fails in an unforeseen way, as where TLS meets plain TCP,
    would stay half open. NobodyThere if it is no matter of what is spoken.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("tcp", "tls"):
        return  # others, such as that of dask-gateway, are not plain sockets
    if parts.scheme == "tcp" and security is not None and security.require_encryption:
        raise ConnectionError("encryption required: cluster.tls is set, so the address is tls://")
    try:
        plain = socket.create_connection((parts.hostname, parts.port), timeout=seconds)
    except OSError as error:
        raise NobodyThere(str(error)) from error
    with plain:
        if parts.scheme == "tls":
            if security is None:
                raise ConnectionError("it speaks TLS, and cluster.tls is not set")
            context = security.get_connection_args("client")["ssl_context"]
            context.wrap_socket(plain).close()


def whole_story(error: BaseException) -> str:
    """Return an error with what it came from: behind a time-out stands why nobody answered."""
    told = [str(error)]
    cause = error.__cause__ or error.__context__
    while cause is not None:
        if str(cause) and str(cause) not in told[-1]:
            told.append(str(cause))
        cause = cause.__cause__ or cause.__context__
    return ": ".join(told)
