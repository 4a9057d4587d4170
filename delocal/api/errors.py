"""Errors of the service as HTTP answers: problem+json, RFC 9457."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from delocal.api.policy import Routes
from delocal.api.schemas import ProblemDetail
from delocal.service.errors import (
    Conflict,
    Damaged,
    DelocalError,
    NoKey,
    NoRoom,
    NotAllowed,
    NotFound,
    NotReady,
    Problem,
    QuotaUsedUp,
    RequestError,
    SelectionError,
    TooLarge,
    TooManyRequests,
    Unreadable,
)
from delocal.workers.lost import LostChunk
from delocal.workers.storage import NO_ROOM, unavailable

MEDIA_TYPE = "application/problem+json"
PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetail"}}}
STATUS: dict[type[DelocalError], tuple[int, str]] = {
    Unreadable: (400, "The request cannot be read"),
    RequestError: (422, "The request is wrong"),
    SelectionError: (422, "The selection is wrong"),
    TooLarge: (413, "Too much at once"),
    NotFound: (404, "Not found"),
    NotReady: (503, "Not ready"),
    Conflict: (409, "The state does not allow that"),
    NoKey: (401, "A key is needed"),
    NotAllowed: (403, "The key is not good for that"),
    TooManyRequests: (429, "Too many requests"),
    QuotaUsedUp: (429, "The quota is used up"),
    NoRoom: (507, "No room to store that"),
    Damaged: (500, "The data are damaged"),
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that may answer with these errors.

    What is answered before a route, `delocal.api.document` adds to all of them.
    """
    titles: dict[int, str] = {}
    for status, title in STATUS.values():
        titles.setdefault(status, title)
    return {str(s): {"description": titles[s], "content": PROBLEM} for s in statuses}


def problem(
    status: int, title: str, detail: str, problems: list[Problem] | None = None
) -> Response:
    """Return an error answer."""
    errors = [{"field": p.field, "message": p.message} for p in problems or []]
    body = ProblemDetail(title=title, status=status, detail=detail, errors=errors)
    text = json.dumps(body.model_dump())  # ASCII: a lone surrogate in a name cannot break it
    return Response(text, status_code=status, media_type=MEDIA_TYPE)


def answer(error: DelocalError) -> Response:
    """Return the answer that an error of the service is."""
    status, title = STATUS[type(error)]
    problems = error.problems if isinstance(error, RequestError | SelectionError) else None
    response = problem(status, title, str(error), problems)
    if isinstance(error, NoKey):
        response.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TooManyRequests):
        response.headers["Retry-After"] = str(math.ceil(error.retry_after))
    return response


def install(app: FastAPI, routes: Callable[[], Routes]) -> None:
    """Make every error of `app` a problem+json answer; `RequestLog` has the unexpected ones."""

    @app.exception_handler(DelocalError)
    def _ours(_: Request, error: DelocalError) -> Response:
        return answer(error)

    @app.exception_handler(OSError)
    def _disk(request: Request, error: OSError) -> Response:
        if not unavailable(error):
            raise error
        advice = f"{error}. Ask again when there is room, or when it answers: nothing is lost"
        return problem(*STATUS[NoRoom if error.errno in NO_ROOM else NotReady], advice)

    @app.exception_handler(LostChunk)
    def _lost(_: Request, error: LostChunk) -> Response:
        return answer(Damaged(str(error)))

    @app.exception_handler(ValueError)
    def _bytes(_: Request, error: ValueError) -> Response:
        if "checksum" not in str(error):  # what the codec of a chunk says; it has no class for it
            raise error
        advice = "a chunk is not what was stored; `delocal doctor --repair` computes it again"
        return answer(Damaged(f"{error}: {advice}"))

    @app.exception_handler(RequestValidationError)
    def _validation(_: Request, error: RequestValidationError) -> Response:
        problems = [
            Problem(".".join(str(part) for part in e["loc"]), str(e["msg"])) for e in error.errors()
        ]
        return problem(422, "The request is wrong", "\n".join(map(str, problems)), problems)

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        title = HTTPStatus(error.status_code).phrase
        response = problem(error.status_code, title, str(error.detail))
        response.headers.update(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            response.headers["Allow"] = ", ".join(routes().allowed(request.scope["path"]))
        return response
