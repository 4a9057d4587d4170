"""What a service sent before, kept by its ETag in a folder of the user."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

LIMIT_BYTES = 2**30
ROOM = 0.8  # what is left of the limit when the oldest have gone
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kept:
    """An answer and the version that it is, as the service named it."""

    etag: str
    content: bytes


class ResponseCache:
    """Answers in a folder; those that nobody used for longest go when there are too many.

    What is kept is asked for again with its ETag each time: the service says whether it is still
    good, and only then it is taken from here.

    Parameters
    ----------
    folder
        Where; the cache folder of the user, ``~/.cache/delocal`` on Linux, if it is None.
        Several processes may share it.
    limit
        Bytes in all; 0 keeps nothing.
    """

    def __init__(self, folder: str | Path | None = None, limit: int = LIMIT_BYTES) -> None:
        self.folder = Path(folder or platformdirs.user_cache_path("delocal") / "answers")
        self.limit = limit
        self._size: int | None = None  # not looked yet
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return ResponseCache, (self.folder, self.limit)

    def find(self, name: str) -> Kept | None:
        """Return what is kept under a name, or None."""
        if not self.limit:
            return None
        file = self._file(name)
        try:
            etag, _, content = file.read_bytes().partition(b"\n")
            os.utime(file)  # used now
        except OSError:
            return None
        return Kept(etag.decode("latin-1"), content)

    def keep(self, name: str, etag: str, content: bytes) -> None:
        """Keep an answer; where nothing can be written, work goes on without."""
        if len(content) >= self.limit * ROOM:
            return
        file, partial = self._file(name), self.folder / f"{uuid.uuid4().hex}.partial"
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            partial.write_bytes(etag.encode("latin-1") + b"\n" + content)
            partial.replace(file)
        except OSError as error:
            log.warning("answers are not kept any more: %s", error)
            self.limit = 0
            with suppress(OSError):
                partial.unlink()
            return
        self._make_room(len(content))

    def size(self) -> int:
        """Return the bytes that are kept."""
        return sum(size for _, size, _ in self._files())

    def clear(self) -> int:
        """Remove everything, and return how many bytes that were."""
        with self._lock:
            self._size = 0
            return self._remove_oldest(0)

    def _make_room(self, added: int) -> None:
        with self._lock:
            self._size = self.size() if self._size is None else self._size + added
            if self._size > self.limit:
                self._remove_oldest(int(ROOM * self.limit))
                self._size = self.size()

    def _remove_oldest(self, left: int) -> int:
        """Remove files until at most `left` bytes are there; return what went."""
        files, gone = sorted(self._files()), 0
        surplus = sum(size for _, size, _ in files) - left
        for _, size, file in files:
            if gone >= surplus:
                break
            file.unlink(missing_ok=True)  # another process may have been faster
            gone += size
        return gone

    def _files(self) -> list[tuple[float, int, Path]]:
        """Return when each file was used last, its size, and its path."""
        found = []
        for file in self.folder.iterdir() if self.folder.is_dir() else ():
            with suppress(FileNotFoundError):
                stat = file.stat()
                found.append((stat.st_mtime, stat.st_size, file))
        return found

    def _file(self, name: str) -> Path:
        return self.folder / hashlib.sha256(name.encode()).hexdigest()
