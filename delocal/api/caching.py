"""What a caller may keep, and how it asks whether that is still good: RFC 9110, 9111 and 8246."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version

from fastapi import Response

from delocal.service.ledger import SweepRecord

TAG = re.compile(r'(?:W/)?("[^"]*")')


def strong_tag(file_version: str) -> str:
    """Return the ETag of a file by its version.

    Examples
    --------
    >>> strong_tag("18c-2a-400"), strong_tag('"d41d8c"')
    ('"18c-2a-400"', '"d41d8c"')
    """
    return '"' + file_version.removeprefix("W/").strip('"') + '"'


def answer_tag(*parts: str | Iterable[tuple[str, str]] | None) -> str:
    """Return the ETag of an answer that follows from these, and from our version."""
    content = repr((version("delocal"), *parts)).encode()
    return f'"{hashlib.blake2b(content, digest_size=16).hexdigest()}"'


def is_known(headers: Mapping[str, str], tag: str) -> bool:
    """Whether the caller has what the `tag` stands for.

    Examples
    --------
    >>> [is_known({"if-none-match": given}, '"b"') for given in ('"a", W/"b"', "*", '"a"', "b")]
    [True, True, False, False]
    """
    given = headers.get("if-none-match", "")
    return given.strip() == "*" or tag in TAG.findall(given)


def not_modified(headers: Mapping[str, str]) -> Response:
    """Return 304 with the headers that the whole answer would have."""
    return Response(status_code=304, headers=dict(headers))


def keeping(record: SweepRecord) -> dict[str, str]:
    """Return how long a file of a sweep may be kept: by its caller alone, who had the right to it.

    A sweep that runs fills its files; one that has failed cells may be told to fill them again.
    """
    if not record.state.ended:
        return {"Cache-Control": "no-store"}
    rule = "max-age=31536000, immutable" if record.final else "no-cache"
    return {"Cache-Control": f"private, {rule}"}
