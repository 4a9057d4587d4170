"""The guard before every route: who asks, what the policy says, how much and how often.

It looks at the path and the headers alone, so that a body is read only when somebody may send it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlsplit

import sqlalchemy as sa
import structlog
from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from delocal.api.errors import answer
from delocal.api.policy import Route, Routes
from delocal.api.rate_limit import Allowance, RateLimiter
from delocal.service.errors import (
    DelocalError,
    NoKey,
    NotAllowed,
    TooLarge,
    TooManyRequests,
    Unreadable,
)
from delocal.service.keys import HOW, NOBODY, TRUSTED, Caller
from delocal.service.settings import Service

log = structlog.get_logger()

LENGTH = re.compile(r"[0-9]{1,18}")
Authenticator = Callable[[str], Caller]


class Guard:
    """Lets a request through, or answers it with a problem.

    Parameters
    ----------
    app
        What is guarded.
    service
        With its keys and settings.
    routes
        Finds what a request needs.
    local
        Whether the service listens to this machine alone.
    authenticate
        Returns who holds a bearer token; NoKey if it is not good.
    """

    def __init__(
        self,
        app: ASGIApp,
        service: Service,
        routes: Callable[[], Routes],
        local: bool,
        authenticate: Authenticator,
    ) -> None:
        self._app = app
        self._service = service
        self._access = service.settings.access
        self._routes = routes
        self._local = local
        self._authenticate = authenticate
        self._limiter = RateLimiter(self._access.rate, self._access.burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route = self._routes().find(scope["method"], scope["path"])
        state = scope.setdefault("state", {})
        state.update(route=route, caller=NOBODY)
        headers: dict[str, str] = {}
        try:
            _check_path(scope)
            self._check_size(scope)
            state["caller"] = await self._admit(scope, route, headers)
        except DelocalError as error:
            response = answer(error)
            response.headers.update(headers)
            await response(scope, receive, send)
            return
        await self._app(
            scope, self._counted(receive), self._with_headers(scope, route, headers, send)
        )

    def _check_size(self, scope: Scope) -> None:
        """Refuse a body that says that it is too long, before it is read."""
        length = Headers(scope=scope).get("content-length", "0")
        if not LENGTH.fullmatch(length) or int(length) > self._access.max_body:
            raise TooLarge(self._too_long(f"{length[:20]} bytes"))

    def _counted(self, receive: Receive) -> Receive:
        """Return `receive` with an end for a body that does not say how long it is."""
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._access.max_body:
                raise HTTPException(413, self._too_long("this one"))
            return message

        return counted

    def _too_long(self, what: str) -> str:
        return (
            f"a request may have {self._access.max_body} bytes (access.max_body), not {what}; "
            'write axes as ranges, such as {"geomspace": [1e-6, 1e-2, 41]}'
        )

    async def _admit(self, scope: Scope, route: Route | None, headers: dict[str, str]) -> Caller:
        """Return who asks, if they may; what they are to be told goes into `headers`."""
        needed = route.rule.scope if route else None
        cost = route.rule.cost if route else 1.0
        try:
            caller = await self._identify(scope) if needed else NOBODY
        except NoKey:
            self._limit(_address(scope), cost, headers)
            raise
        if caller is not TRUSTED:
            self._limit(caller.id or _address(scope), cost, headers)
        if needed and not caller.may(needed):
            have = ", ".join(sorted(caller.scopes))
            raise NotAllowed(f"this needs a key with the scope {needed}; this one has {have}")
        return caller

    async def _identify(self, scope: Scope) -> Caller:
        if self._access.keys == "never":
            return TRUSTED
        scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return await run_in_threadpool(self._authenticate, token.strip())
        if scheme:
            raise NoKey(f"keys travel as Bearer, not as {scheme[:20]}; {HOW}")
        if self._access.keys == "auto" and self._local and _from_here(scope):
            return TRUSTED
        raise NoKey(f"no key was given; {HOW}")

    def _limit(self, caller: str, cost: float, headers: dict[str, str]) -> None:
        if not cost:
            return
        allowance: Allowance = self._limiter.take(caller, cost)
        headers.update(self._limiter.headers(allowance))
        if not allowance.allowed:
            raise TooManyRequests(
                f"too many requests; {self._access.rate:g} in a second on end, "
                f"{self._access.burst} at once. Ask again after {headers['Retry-After']} s",
                allowance.retry_after,
            )

    def _with_headers(
        self, scope: Scope, route: Route | None, headers: dict[str, str], send: Send
    ) -> Send:
        """Return `send` that adds `headers`, once an act is in the audit."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = MutableHeaders(scope=message)
                if route and route.rule.act and message["status"] in (201, 202, 204):
                    await self._note(scope, route, found.get("location"))
                found.update(headers)
            await send(message)

        return sending

    async def _note(self, scope: Scope, route: Route, location: str | None) -> None:
        """Enter an act into the audit; that it cannot be is no reason to hide that it was done."""
        state, named = scope["state"], route.parameters.values()
        subject = next(iter(named), None) or (urlsplit(location or "").path.split("/")[-1] or None)
        caller: Caller = state["caller"]
        act = {
            "caller": caller.id or caller.name,
            "action": route.rule.act,
            "subject": subject,
            "address": _address(scope),
            "request_id": state.get("request_id"),
        }
        try:
            await run_in_threadpool(self._service.audit.add, **act)
        except sa.exc.SQLAlchemyError as error:
            log.error("an act is not in the audit", **act, error=str(error))


def _check_path(scope: Scope) -> None:
    """Refuse a NUL, which neither a database nor a file system takes in an id or a name."""
    if "\0" in scope["path"]:
        raise Unreadable("no path may hold a NUL (%00); leave it out")


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own, that nobody else can reach.

    Examples
    --------
    >>> [is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "example.org")]
    [True, True, True, False, False]
    """
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def _from_here(scope: Scope) -> bool:
    """Whether a request is from this machine, and was meant for it.

    A web page elsewhere can have a name of its own that leads here; the browser then says that
    name.
    """
    name = urlsplit(f"//{Headers(scope=scope).get('host', '')}").hostname or ""
    return is_loopback(_address(scope)) and is_loopback(name)


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


CurrentCaller = Annotated[Caller, Depends(_caller)]
