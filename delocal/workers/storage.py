"""Where the files of a sweep lie: a folder of this machine, or a prefix of an S3 bucket.

A file here is whole or not there: readers and crashes never see half of one. Names have ``/``
between their parts and are relative to the place.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from zarr.abc.store import Store
from zarr.storage import LocalStore

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
AWAY = {errno.EHOSTUNREACH, errno.ETIMEDOUT, errno.ESTALE}
PROBE_BYTES = 2**20  # with this much room for a chunk or two it is worth trying again
PARTIAL = ".partial"  # the end of the names of what is being written

File = tuple[str, bytes]


@dataclass(frozen=True)
class Piece:
    """Some bytes of a file, the place of the first, how many there are in all, of which version."""

    content: bytes
    start: int
    size: int
    version: str


class Storage(Protocol):
    """What a sweep needs of a disk. OSError says what went wrong."""

    @property
    def location(self) -> str:
        """The place, such that another process finds it: an absolute path, or a URL."""

    def read(self, name: str) -> bytes | None:
        """Return a file, or None if there is none."""

    def read_piece(self, name: str, start: int, end: int | None) -> Piece | None:
        """Return ``[start:end]`` of a file, or None if there is no file.

        Only these bytes travel. A negative start counts from the end, and has no `end`; beyond
        the end of the file nothing is found, which is an empty piece.
        """

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all; its folder is there."""

    def write_all(self, files: Iterable[File]) -> None:
        """Write several files, each whole or not at all."""

    def prepare(self, name: str) -> None:
        """Make the folder of a file, where files lie in folders."""

    def create(self, name: str, content: bytes, others: Callable[[bytes], Iterable[File]]) -> None:
        """Fill a new place: `name` appears when all other files are there.

        `others(content)` gives these files; a name that ends in ``/`` is an empty folder. Of
        several who create the same place one has its content written.
        """

    def version(self, name: str) -> str | None:
        """Return what changes whenever a file is written, or None if there is none."""

    def age(self, name: str) -> float:
        """Return how many seconds ago a file was written; FileNotFoundError if there is none."""

    def remove(self, name: str) -> None:
        """Remove a file; none is fine."""

    def names(self, below: str = "") -> Iterator[str]:
        """Yield the name of every file in the folder `below` and its own folders."""

    def folders(self) -> list[str]:
        """Return the names of the folders right here."""

    def clear(self, last: str) -> None:
        """Remove everything; before all else the file `last`, by which others know the place."""

    def zarr(self, folder: str) -> Store:
        """Return a folder as zarr-python and xarray open it, for reading."""


def storage_at(place: str | Path) -> Storage:
    """Return the storage at a path, or at an address ``s3://bucket/prefix``.

    Examples
    --------
    >>> storage_at("sweeps").location == str(Path("sweeps").resolve())
    True
    """
    if not str(place).startswith("s3://"):
        return Folder(Path(place))
    from delocal.workers.obstore import Bucket  # a library that local sweeps do without

    return Bucket(str(place))


def within(place: str | Path, name: str) -> str:
    """Return the place `name` below another.

    Examples
    --------
    >>> within("s3://bucket/sweeps/", "a"), within(Path("data"), "a")
    ('s3://bucket/sweeps/a', 'data/a')
    """
    return f"{str(place).rstrip('/')}/{name}"


@dataclass(frozen=True)
class Folder:
    """A folder of a file system."""

    path: Path

    @property
    def location(self) -> str:
        """Its absolute path."""
        return str(self.path.resolve())

    def read(self, name: str) -> bytes | None:
        """Return a file, or None if there is none."""
        try:
            return (self.path / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def read_piece(self, name: str, start: int, end: int | None) -> Piece | None:
        """Return ``[start:end]`` of a file, or None if there is no file."""
        try:
            with open(self.path / name, "rb") as file:
                found = os.fstat(file.fileno())
                first, behind, _ = slice(start, end).indices(found.st_size)
                file.seek(first)
                content = file.read(max(behind - first, 0))
                return Piece(content, first, found.st_size, _version(found))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all; its folder is there."""
        write_bytes(f"{self.path}/{name}", content)

    def write_all(self, files: Iterable[File]) -> None:
        """Write several files, each whole or not at all."""
        for name, content in files:
            write_bytes(f"{self.path}/{name}", content)

    def prepare(self, name: str) -> None:
        """Make the folder of a file."""
        os.makedirs(f"{self.path}/{name.rpartition('/')[0]}", exist_ok=True)

    def create(self, name: str, content: bytes, others: Callable[[bytes], Iterable[File]]) -> None:
        """Build the folder beside its place, and move it there."""
        building = self.path.with_name(f"{self.path.name}.{uuid.uuid4().hex[:8]}{PARTIAL}")
        new = Folder(building)
        try:
            for other, filled in others(content):
                new.prepare(other)
                if not other.endswith("/"):
                    new.write(other, filled)
            new.write(name, content)
            self._take(building, name)
        except BaseException:  # a disk that is full must not keep what nobody will finish
            shutil.rmtree(building, ignore_errors=True)
            raise

    def _take(self, built: Path, name: str) -> None:
        """Move what was built here, unless somebody else was faster."""
        try:
            os.replace(built, self.path)
        except OSError as error:  # a full folder is not replaced
            shutil.rmtree(built)
            if not (self.path / name).exists():
                message = f"{self.path} is not empty and holds no sweep; choose another folder"
                raise FileExistsError(message) from error

    def version(self, name: str) -> str | None:
        """Return what tells the file from those before it, or None if there is no file."""
        try:
            return _version(os.stat(f"{self.path}/{name}"))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def age(self, name: str) -> float:
        """Return how many seconds ago a file or folder was changed."""
        return time.time() - (self.path / name).stat().st_mtime

    def remove(self, name: str) -> None:
        """Remove a file; none is fine."""
        (self.path / name).unlink(missing_ok=True)

    def names(self, below: str = "") -> Iterator[str]:
        """Yield the name of every file in the folder `below` and its own folders."""
        for folder, _, files in os.walk(self.path / below):
            place = Path(folder).relative_to(self.path)
            yield from ((place / file).as_posix() for file in files)

    def folders(self) -> list[str]:
        """Return the names of the folders right here."""
        if not self.path.exists():
            return []
        return sorted(entry.name for entry in os.scandir(self.path) if entry.is_dir())

    def clear(self, last: str) -> None:
        """Remove the folder and all that is in it."""
        self.remove(last)
        if self.path.exists():
            shutil.rmtree(self.path)

    def zarr(self, folder: str) -> Store:
        """Return a Zarr store of the files in a folder."""
        return LocalStore(self.path / folder, read_only=True)


def _version(found: os.stat_result) -> str:
    """Return time, number and size of a file: one written anew is another file."""
    return f"{found.st_mtime_ns:x}-{found.st_ino:x}-{found.st_size:x}"


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file whole or not at all: readers and crashes never see half of it.

    In the same folder: a rename between folders would wait for every other one on the disk.
    Nothing is flushed to the disk itself: see the decision about power cuts.
    """
    partial = f"{path}.{uuid.uuid4().hex[:8]}{PARTIAL}"
    try:
        with open(partial, "wb") as file:
            file.write(content)
        os.replace(partial, path)
    except OSError:  # no room, most likely: give back what was taken
        with suppress(OSError):
            os.unlink(partial)
        raise


def try_to_write(storage: Storage, size: int) -> None:
    """Write so many bytes to a place that is there, and remove them; OSError says why not."""
    probe = f"{uuid.uuid4().hex[:8]}{PARTIAL}"
    storage.write(probe, os.urandom(size))
    storage.remove(probe)


def unavailable(error: BaseException) -> bool:
    """Whether an error says that a place is full or away at present: time heals it, or somebody.

    Examples
    --------
    >>> unavailable(OSError(errno.ENOSPC, "no space left")), unavailable(OSError("bad disk"))
    (True, False)
    """
    return isinstance(error, OSError) and error.errno in NO_ROOM | AWAY
