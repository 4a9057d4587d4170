"""Some bytes of a file over HTTP: the header ``Range`` of RFC 9110, section 14.

One range of bytes is answered, also one that counts from the end, as readers of shards want it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from fastapi import Response

from delocal.api.errors import problem
from delocal.workers.storage import Piece

MEDIA_TYPE = "application/octet-stream"
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.IGNORECASE)


def asked_span(headers: Mapping[str, str]) -> tuple[int, int | None] | None:
    """Return the first byte asked for and the one behind the last, or None for the whole file.

    A negative first counts from the end. What is no range, or several, is the whole, as the RFC
    allows.

    Examples
    --------
    >>> asked_span({"range": "bytes=2-5"}), asked_span({"range": "bytes=-4"})
    ((2, 6), (-4, None))
    >>> asked_span({"range": "bytes=5-2"}), asked_span({"range": "bytes=0-1,4-5"}), asked_span({})
    (None, None, None)
    """
    found = RANGE.fullmatch(headers.get("range", "").strip())
    if found is None:
        return None
    first, last = found.groups()
    if not first:
        return (-int(last), None) if last.strip("0") else None
    if not last:
        return int(first), None
    return (int(first), int(last) + 1) if int(last) >= int(first) else None


def piece_response(piece: Piece, headers: Mapping[str, str]) -> Response:
    """Return 206 with some bytes of a file, or 416 if there are none where they were asked for."""
    if not piece.content:
        detail = f"the file has {piece.size:,} bytes, and none in the range asked for"
        refused = problem(416, "No such bytes", detail)
        refused.headers["Content-Range"] = f"bytes */{piece.size}"
        return refused
    last = piece.start + len(piece.content) - 1
    place = f"bytes {piece.start}-{last}/{piece.size}"
    return Response(piece.content, 206, {**headers, "Content-Range": place}, MEDIA_TYPE)
