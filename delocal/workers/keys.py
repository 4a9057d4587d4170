"""Identity by content: equal content, equal key, on any machine and in any order."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

SWEEP_ID = re.compile("[0-9a-f]{16}")
"""The id of a sweep: how its key begins."""


def canonical(content: Any) -> str:
    """Return the one JSON text of `content`: sorted keys, no spaces, shortest exact floats.

    Whole floats are written as integers, so that ``2`` and ``2.0`` are the same content.

    Examples
    --------
    >>> canonical({"b": 2.0, "a": [0.1, None]})
    '{"a":[0.1,null],"b":2}'
    """
    return json.dumps(_plain(content), sort_keys=True, separators=(",", ":"), allow_nan=False)


def content_key(content: Any) -> str:
    """Return the SHA-256 of the canonical text of `content`, in hexadecimal."""
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def _plain(content: Any) -> Any:
    if isinstance(content, dict):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    if isinstance(content, float) and content.is_integer() and abs(content) < 2**53:
        return int(content)
    return content
