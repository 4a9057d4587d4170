"""A line in the log, and a number in the metrics, for each request; headers for each answer."""

from __future__ import annotations

import re
import time
import uuid

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from delocal.api.errors import problem
from delocal.api.policy import Route
from delocal.service.settings import Service

log = structlog.get_logger()

REQUEST_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
PROBES = {"/healthz", "/readyz", "/metrics"}  # asked every few seconds by machines
MOST_LOGGED = 500  # characters of a path
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


class RequestLog:
    """Names each request, and tells what became of it."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._metrics = service.metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        began, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers["X-Request-Id"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:
            log.exception("unexpected error", path=scope["path"][:MOST_LOGGED])
            if status:  # too late for another answer: the connection breaks
                raise
            detail = f"unexpected; the service's log says more under {request_id}"
            await problem(500, "Internal error", detail)(scope, receive, sending)
        finally:
            self._tell(scope, status, time.perf_counter() - began)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        state = scope["state"]
        route: Route | None = state.get("route")
        template = route.template if route else "none"
        method = scope["method"] if route else "any"  # labels are few, whatever is asked
        self._metrics.count_request(method, template, status, seconds)
        caller, client = state.get("caller"), scope.get("client")
        told = {
            "method": scope["method"],
            "path": _shown(scope["path"], route),
            "route": template,
            "status": status,  # 0: the other side went away before an answer
            "seconds": round(seconds, 6),
            "key": caller.id if caller else None,
            "client": client[0] if client else None,
        }
        if route and "sweep_id" in route.parameters:
            told["sweep"] = route.parameters["sweep_id"][:16]
        if status >= 500:
            log.error("request", **told)
        elif template in PROBES:
            log.debug("request", **told)
        else:
            log.info("request", **told)


def _request_id(scope: Scope) -> str:
    """Return the id that the caller, or a proxy, gave the request; else a new one."""
    given = Headers(scope=scope).get("x-request-id", "")
    return given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _shown(path: str, route: Route | None) -> str:
    """Return a path without the signature of a shared link, which is as good as a key."""
    if route and (token := route.parameters.get("token")):
        path = path.replace(token, token.partition(".")[0] + ".[signature]")
    return path[:MOST_LOGGED]
