"""The part of the Zarr v3 format that we write: metadata documents and chunks.

Everything is read with zarr-python and xarray. It is written here because a sweep writes many
variables in each block: through zarr-python a chunk of 1 MiB costs about a millisecond, of which
compression is a tenth, and the documents of a new sweep a third of a second (`make bench`).

Zarr specification v3.0; codecs ``bytes``, ``blosc``, ``crc32c`` and ``vlen-utf8``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import google_crc32c
import numpy as np
from numcodecs import VLenUTF8
from numcodecs.blosc import SHUFFLE, compress, decompress
from numpy.typing import NDArray

BLOSC_BLOCK = 2**18  # fixed, so that the bytes do not depend on the number of threads
BLOSC_HEADER = 16
CHECKSUM = 4  # bytes of a crc32c


def array_document(
    shape: Sequence[int],
    chunks: Sequence[int],
    dtype: str,
    dims: Sequence[str],
    attributes: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the metadata of an array of ``float64``, ``int64``, ``int8`` or ``string``."""
    fill: Any = {"float64": "NaN", "string": ""}.get(dtype, 0)
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(chunks)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": fill,
        "codecs": _codecs(dtype),
        "attributes": dict(attributes),
        "dimension_names": list(dims),
        "storage_transformers": [],
    }


def group_document(
    attributes: Mapping[str, Any], members: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """Return the metadata of a group, with that of everything below it consolidated.

    Consolidation is what lets a reader over HTTP, which cannot list, find the arrays.
    """
    return {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": dict(attributes),
        "consolidated_metadata": {
            "kind": "inline",
            "must_understand": False,
            "metadata": dict(members),
        },
    }


def chunk_name(position: Sequence[int]) -> str:
    """Return the file name of a chunk.

    Examples
    --------
    >>> chunk_name((0, 12)), chunk_name(())
    ('c.0.12', 'c')
    """
    return ".".join(["c", *map(str, position)])


def encode_chunk(values: NDArray[Any], chunks: Sequence[int]) -> bytes:
    """Return the bytes of one chunk; values cut off at the border are filled up to `chunks`."""
    if values.shape != tuple(chunks):
        full = np.full(chunks, np.nan if values.dtype.kind == "f" else 0, dtype=values.dtype)
        full[tuple(slice(size) for size in values.shape)] = values
        values = full
    little = np.asarray(values, dtype=values.dtype.newbyteorder("<"), order="C")
    body: bytes = compress(little, b"lz4", 5, SHUFFLE, BLOSC_BLOCK)
    return _with_checksum(body)


def encode_labels(labels: Sequence[str] | Sequence[float]) -> bytes:
    """Return the bytes of the one chunk of a coordinate: a ``string`` or ``float64`` array."""
    if not isinstance(labels[0], str):
        return encode_chunk(np.asarray(labels, dtype=np.float64), [len(labels)])
    return _with_checksum(bytes(VLenUTF8().encode(np.asarray(labels, dtype=object))))


def decode_chunk(content: bytes, dtype: str, chunks: Sequence[int]) -> NDArray[Any]:
    """Return the values of one whole chunk; ValueError says what is wrong with its bytes.

    Examples
    --------
    >>> decode_chunk(encode_chunk(np.arange(2.0), [3]), "float64", [3])
    array([ 0.,  1., nan])
    """
    body = content[:-CHECKSUM]
    if not checksum_holds(content):
        size = int.from_bytes(body[12:16], "little")  # of the whole chunk, by blosc's header
        if len(body) < BLOSC_HEADER or len(body) < size:
            raise ValueError(f"cut off: {len(content):,} bytes are left")
        raise ValueError("its crc32c does not match: a bit has flipped")
    values = np.frombuffer(decompress(body), np.dtype(dtype).newbyteorder("<"))
    if values.size != math.prod(chunks):
        raise ValueError(f"holds {values.size:,} values instead of {math.prod(chunks):,}")
    return values.reshape(tuple(chunks))


def checksum_holds(content: bytes) -> bool:
    """Whether the bytes of a chunk are those that were written."""
    body = content[:-CHECKSUM]
    return len(content) >= CHECKSUM and _with_checksum(body) == content


def chunk_names(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the file name of each chunk of an array, from its metadata."""
    chunks = document["chunk_grid"]["configuration"]["chunk_shape"]
    counts = [-(-n // c) for n, c in zip(document["shape"], chunks, strict=True)]
    return map(chunk_name, itertools.product(*map(range, counts)))


def _codecs(dtype: str) -> list[dict[str, Any]]:
    if dtype == "string":
        return [{"name": "vlen-utf8"}, {"name": "crc32c"}]
    blosc = {
        "typesize": np.dtype(dtype).itemsize,
        "cname": "lz4",
        "clevel": 5,
        "shuffle": "shuffle",
        "blocksize": BLOSC_BLOCK,
    }
    return [
        {"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "blosc", "configuration": blosc},
        {"name": "crc32c"},
    ]


def _with_checksum(body: bytes) -> bytes:
    checksum: int = google_crc32c.value(body)
    return body + checksum.to_bytes(4, "little")
