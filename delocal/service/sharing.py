"""Links to a dataset that are good without a key, until they expire.

A link holds the sweep, the second in which it expires, and an HMAC of both. It stands in the path,
not in the query, because Zarr appends names of files to it. The key of the HMAC is a file in the
data folder that only the service can read; without that file every link is void.
"""

from __future__ import annotations

import base64
import hmac
import os
import re
import secrets
import time
from pathlib import Path

from delocal.service.errors import NoKey, Problem, RequestError

SECRET_FILE = "share.key"
TOKEN = re.compile(r"([0-9a-f]{16})\.(\d{1,12})\.([\w-]{43})", re.ASCII)


class Sharing:
    """Signs links to sweeps, and checks them."""

    def __init__(self, folder: Path, max_days: float) -> None:
        self._folder = folder
        self._max_seconds = max_days * 86_400

    def token(self, sweep_id: str, seconds: float) -> tuple[str, int]:
        """Return what a link to a sweep holds, and when it expires, in seconds since 1970."""
        if not 0 < seconds <= self._max_seconds:
            most = f"{self._max_seconds:g}"
            message = f"{seconds:g} is not allowed; 0 < seconds <= {most} (access.share_days)"
            raise RequestError([Problem("seconds", message)])
        expires = int(time.time() + seconds)
        return f"{sweep_id}.{expires}.{self._signature(sweep_id, expires)}", expires

    def check(self, token: str) -> str:
        """Return the sweep that a link opens; NoKey if it is forged or has expired."""
        found = TOKEN.fullmatch(token)
        if not found or not hmac.compare_digest(found[3], self._signature(found[1], int(found[2]))):
            raise NoKey("this link was not made here; ask for another")
        if int(found[2]) <= time.time():
            raise NoKey("this link has expired; ask for another")
        return found[1]

    def _signature(self, sweep_id: str, expires: int) -> str:
        message = f"/v1/sweeps/{sweep_id}/\n{expires}".encode()
        digest = hmac.digest(self._secret(), message, "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def _secret(self) -> bytes:
        """Return the key of the signatures, made when it is first needed."""
        path = self._folder / SECRET_FILE
        if not path.exists():
            _create(path)
        if (mode := path.stat().st_mode & 0o777) & 0o077:
            raise PermissionError(f"{path} has mode {mode:o}, so others can read it; chmod 600 it")
        return path.read_bytes()


def _create(path: Path) -> None:
    """Write a key as a whole or not at all; of several services one wins."""
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
    file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "wb") as writing:
        writing.write(secrets.token_bytes(32))
        writing.flush()
        os.fsync(writing.fileno())
    try:
        os.link(partial, path)
    except FileExistsError:
        pass
    finally:
        partial.unlink()
