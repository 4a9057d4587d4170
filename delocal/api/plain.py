"""Answers of free form: dictionaries that may hold NaN, and numbers and arrays of numpy.

FastAPI's own answer for a dictionary fails on both, with 500.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Response

OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


def plain_json(content: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer in JSON; what is not a finite number is null.

    Examples
    --------
    >>> import numpy as np
    >>> plain_json({"flags": [np.int8(1)], "values": np.array([1.5, np.nan]), 3: np.inf}).body
    b'{"flags":[1],"values":[1.5,null],"3":null}'
    """
    body = orjson.dumps(content, option=OPTIONS)
    return Response(body, headers=headers, media_type="application/json")
