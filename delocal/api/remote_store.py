"""The Zarr store of a sweep as its service shows it, read through a client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Literal, NoReturn

from zarr.abc.store import (
    ByteRequest,
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)
from zarr.core.buffer import Buffer, BufferPrototype

Read = Callable[[str], bytes | None]


class RemoteStore(Store):
    """A store that can be read and not listed: its metadata are consolidated.

    Every chunk comes with the key, patience, time limit and cache of the client.

    Parameters
    ----------
    read
        Returns a file by its name in the store, None if there is none.
    """

    supports_writes = supports_deletes = supports_listing = False
    supports_partial_writes: Literal[False] = False

    def __init__(self, read: Read) -> None:
        super().__init__(read_only=True)
        self._read = read

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemoteStore) and other._read == self._read

    def __hash__(self) -> int:
        return hash(self._read)

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return a file or a part of it, None if it is not there."""
        content = await asyncio.to_thread(self._read, key)
        if content is None:
            return None
        return prototype.buffer.from_bytes(content[_span(byte_range)])

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Return parts of files."""
        return list(await asyncio.gather(*(self.get(k, prototype, r) for k, r in key_ranges)))

    async def exists(self, key: str) -> bool:
        """Whether there is such a file."""
        return await asyncio.to_thread(self._read, key) is not None

    async def set(self, key: str, value: Buffer) -> NoReturn:
        """PermissionError: nothing can be written."""
        raise PermissionError("the datasets of a service are read only; load() a copy to change")

    async def delete(self, key: str) -> NoReturn:
        """PermissionError: nothing can be removed."""
        raise PermissionError("the datasets of a service are read only")

    def list(self) -> AsyncIterator[str]:
        """NotImplementedError: HTTP lists nothing, as `supports_listing` tells Zarr."""
        raise NotImplementedError("the datasets of a service are not listed")

    def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """NotImplementedError, as `list`."""
        return self.list()

    def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """NotImplementedError, as `list`."""
        return self.list()


def _span(asked: ByteRequest | None) -> slice:
    match asked:
        case RangeByteRequest(start, end):
            return slice(start, end)
        case OffsetByteRequest(offset):
            return slice(offset, None)
        case SuffixByteRequest(suffix):
            return slice(-suffix, None)
    return slice(None)
