"""A Zarr store in which a chunk that was stored and is lost is an error.

Zarr takes a chunk that is not there for one that nobody wrote yet, and reads it as NaN.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self

from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import WrapperStore


class LostChunk(OSError):
    """A chunk that was stored is not there any more; the message says which, and what helps."""

    @classmethod
    def of(cls, name: str, place: str) -> LostChunk:
        """Return the error of the chunk `name` of the sweep at `place`."""
        advice = "`delocal doctor --repair` computes it again, or `delocal run` into its folder"
        return cls(f"{name} of {place} was stored, and is missing: {advice}")


class LossAware(WrapperStore[Store]):
    """A store of Zarr whose lost chunks are errors.

    Parameters
    ----------
    store
        That is read.
    place
        Of the sweep, for messages.
    promises
        Whether a file that is missing was stored.
    """

    def __init__(self, store: Store, place: str, promises: Callable[[str], bool]) -> None:
        super().__init__(store)
        self._place = place
        self._promises = promises

    def _with_store(self, store: Store) -> Self:
        return type(self)(store, self._place, self._promises)

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return a file, or bytes of it; None if there is none, LostChunk if there was one."""
        found = await super().get(key, prototype, byte_range)
        if found is None and await asyncio.to_thread(self._promises, key):
            found = await super().get(key, prototype, byte_range)  # it may just have been written
            if found is None:
                raise LostChunk.of(key, self._place)
        return found
