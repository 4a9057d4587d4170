"""A sweep in an S3 bucket. The only file that imports obstore.

Keys, region and endpoint come from the environment (``AWS_ACCESS_KEY_ID``, ``AWS_REGION``,
``AWS_ENDPOINT_URL``, ...) or from the role of the machine: they are never part of a request, a
task or a setting.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    InvalidPathError,
    NotFoundError,
    NotSupportedError,
    PermissionDeniedError,
    PreconditionError,
)
from obstore.store import S3Store
from zarr.abc.store import Store
from zarr.storage import ObjectStore

from delocal.workers.storage import File, Piece

if TYPE_CHECKING:
    from obstore import OffsetRange, SuffixRange

RETRIES = 5
AT_A_TIME = 16  # requests: each waits for the network, not for a core
PATIENCE = timedelta(seconds=30)  # then the bucket is away, and its sweeps wait
DRAFT = "draft.json"  # whose plan a place gets, where several create it at once
FULL = ("StorageFull", "QuotaExceeded", "InsufficientCapacity", "507 ")


@dataclass(frozen=True)
class Bucket:
    """A prefix of a bucket, by its address ``s3://bucket/prefix``."""

    address: str

    def __post_init__(self) -> None:
        if not self._bucket:
            raise ValueError(f"{self.address!r} names no bucket; write s3://bucket/prefix")

    @property
    def location(self) -> str:
        """Its address."""
        return self.address.rstrip("/")

    def read(self, name: str) -> bytes | None:
        """Return an object, or None if there is none."""
        try:
            with _translated(self.location):
                return bytes(self._store.get(name).bytes())
        except FileNotFoundError:
            return None

    def read_piece(self, name: str, start: int, end: int | None) -> Piece | None:
        """Return ``[start:end]`` of an object, or None if there is no object."""
        try:
            with _translated(self.location):
                found = self._store.get(name, options={"range": _range(start, end)})
                content, meta = bytes(found.bytes()), found.meta
                return Piece(content, found.range[0], meta["size"], str(meta["e_tag"]))
        except FileNotFoundError:
            return None
        except OSError:  # S3 refuses a range that begins beyond the end
            with _translated(self.location):
                meta = self._store.head(name)
            if start < meta["size"]:
                raise
            return Piece(b"", meta["size"], meta["size"], str(meta["e_tag"]))

    def write(self, name: str, content: bytes) -> None:
        """Put an object: S3 shows the old one or the new one, nothing between."""
        with _translated(self.location, writing=True):
            self._store.put(name, content)

    def write_all(self, files: Iterable[File]) -> None:
        """Put several objects, some at a time."""
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            for _ in pool.map(lambda file: self.write(*file), files):
                pass

    def prepare(self, name: str) -> None:
        """Do nothing: there are no folders."""

    def create(self, name: str, content: bytes, others: Callable[[bytes], Iterable[File]]) -> None:
        """Put everything, and `name` last.

        Who is first puts a draft of it. Whoever comes while it is not finished, or after its
        creator died, finishes that draft instead of an own one, so that files never mix.
        """
        if not self._put_if_absent(DRAFT, content):
            content = self.read(DRAFT) or content
        self.write_all(file for file in others(content) if not file[0].endswith("/"))
        self._put_if_absent(name, content)

    def version(self, name: str) -> str | None:
        """Return the ETag of an object, or None if there is none."""
        try:
            with _translated(self.location):
                return str(self._store.head(name)["e_tag"])
        except FileNotFoundError:
            return None

    def age(self, name: str) -> float:
        """Return how many seconds ago an object was put."""
        with _translated(self.location):
            written: datetime = self._store.head(name)["last_modified"]
        return (datetime.now(UTC) - written).total_seconds()

    def remove(self, name: str) -> None:
        """Delete an object; none is fine."""
        with _translated(self.location, writing=True):
            self._store.delete(name)

    def names(self, below: str = "") -> Iterator[str]:
        """Yield the name of every object below a prefix."""
        with _translated(self.location):
            for some in self._store.list(below or None):
                yield from (found["path"] for found in some)

    def folders(self) -> list[str]:
        """Return the prefixes right here."""
        with _translated(self.location):
            found = self._store.list_with_delimiter()["common_prefixes"]
        return sorted(prefix.strip("/") for prefix in found)

    def clear(self, last: str) -> None:
        """Delete everything, the object `last` before all others and the draft after them."""
        self.remove(last)
        found = [name for name in self.names() if name != DRAFT]
        with _translated(self.location, writing=True):
            if found:
                self._store.delete(found)
        self.remove(DRAFT)

    def zarr(self, folder: str) -> Store:
        """Return a Zarr store of the objects below a prefix."""
        return ObjectStore(
            _store(self._bucket, f"{self._prefix}/{folder}".strip("/")), read_only=True
        )

    def _put_if_absent(self, name: str, content: bytes) -> bool:
        """Put an object that is not there; where the server cannot tell, put it."""
        try:
            with _translated(self.location, writing=True):
                self._store.put(name, content, mode="create")
        except FileExistsError:
            return False
        except NotImplementedError:
            self.write(name, content)
        return True

    @property
    def _bucket(self) -> str:
        return self.address.removeprefix("s3://").partition("/")[0]

    @property
    def _prefix(self) -> str:
        return self.address.removeprefix("s3://").partition("/")[2].strip("/")

    @property
    def _store(self) -> S3Store:
        return _store(self._bucket, self._prefix)


def _range(start: int, end: int | None) -> tuple[int, int] | OffsetRange | SuffixRange:
    """Return a range as obstore wants it."""
    if start < 0:
        return {"suffix": -start}
    return {"offset": start} if end is None else (start, end)


@lru_cache(maxsize=256)
def _store(bucket: str, prefix: str) -> S3Store:
    """Return a client, kept with its open connections."""
    return S3Store(
        bucket,
        prefix=prefix or None,
        retry_config={"max_retries": RETRIES, "retry_timeout": PATIENCE},
    )


@contextmanager
def _translated(where: str, writing: bool = False) -> Iterator[None]:
    """Turn the errors of obstore into those of a file system."""
    try:
        yield
    except (FileNotFoundError, NotFoundError, InvalidPathError) as error:
        raise FileNotFoundError(f"{where}: {error}") from error
    except (AlreadyExistsError, PreconditionError) as error:
        raise FileExistsError(f"{where}: {error}") from error
    except NotSupportedError as error:
        raise NotImplementedError(f"{where}: {error}") from error
    except PermissionDeniedError as error:
        # As on a disk mounted read-only, somebody has to allow it, and then everything goes on.
        number = errno.EROFS if writing else errno.EACCES
        raise OSError(number, f"the bucket refuses, check its policy: {error}", where) from error
    except BaseError as error:
        full = writing and any(word in str(error) for word in FULL)
        raise OSError(errno.ENOSPC if full else errno.EHOSTUNREACH, str(error), where) from error
