"""Which key may use which route: the whole of it, on one page.

A route that is not listed here needs the scope `admin`; a test fails until it is listed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute

from delocal.service.keys import Scope


@dataclass(frozen=True)
class Rule:
    """What a route needs.

    Parameters
    ----------
    scope
        That a key must have; None is a route for everybody.
    act
        What the audit calls it, if it changes anything.
    cost
        In requests, for the rate limit: reading a store is many small files.
    """

    scope: Scope | None
    act: str | None = None
    cost: float = 1.0


EVERYBODY = Rule(None)
READ = Rule(Scope.SWEEPS_READ)
DATA = Rule(Scope.DATA_READ)
FILES = Rule(Scope.DATA_READ, cost=0.02)
ADMIN = Rule(Scope.ADMIN)

POLICY: dict[str, Rule] = {
    "GET /": EVERYBODY,
    "GET /web/{path:path}": Rule(None, cost=0.02),
    "GET /docs": EVERYBODY,
    "GET /openapi.json": EVERYBODY,
    "GET /healthz": EVERYBODY,
    "GET /readyz": EVERYBODY,
    "GET /metrics": READ,
    "GET /v1/examples": READ,
    "GET /v1/models": READ,
    "GET /v1/models/{name}": READ,
    "GET /v1/figures/phase-diagram": READ,
    "POST /v1/models/{name}/evaluate": READ,
    "POST /v1/sweeps": Rule(Scope.SWEEPS_WRITE, act="sweep.submit"),
    "GET /v1/sweeps": READ,
    "GET /v1/sweeps/{sweep_id}": READ,
    "DELETE /v1/sweeps/{sweep_id}": Rule(Scope.SWEEPS_WRITE, act="sweep.delete"),
    "POST /v1/sweeps/{sweep_id}:restore": Rule(Scope.SWEEPS_WRITE, act="sweep.restore"),
    "POST /v1/sweeps/{sweep_id}:purge": Rule(Scope.SWEEPS_WRITE, act="sweep.purge"),
    "GET /v1/sweeps/{sweep_id}/events": READ,
    "GET /v1/sweeps/{sweep_id}/failures": READ,
    "POST /v1/sweeps/{sweep_id}:cancel": Rule(Scope.SWEEPS_WRITE, act="sweep.cancel"),
    "POST /v1/sweeps/{sweep_id}:extend": Rule(Scope.SWEEPS_WRITE, act="sweep.extend"),
    "POST /v1/sweeps/{sweep_id}:retry": Rule(Scope.SWEEPS_WRITE, act="sweep.retry"),
    "POST /v1/sweeps/{sweep_id}:share": Rule(Scope.DATA_READ, act="sweep.share"),
    "GET /v1/sweeps/{sweep_id}/data": DATA,
    "GET /v1/sweeps/{sweep_id}/figures": DATA,
    "GET /v1/sweeps/{sweep_id}/figures/{name}": DATA,
    "GET /v1/sweeps/{sweep_id}/fits": DATA,
    "GET /v1/sweeps/{sweep_id}/zarr/{path:path}": FILES,
    # The link itself is the permission, checked where it is used.
    "GET /v1/shared/{token}/data": EVERYBODY,
    "GET /v1/shared/{token}/zarr/{path:path}": Rule(None, cost=0.02),
    "GET /v1/keys": ADMIN,
    "POST /v1/keys": Rule(Scope.ADMIN, act="key.create"),
    "DELETE /v1/keys/{key_id}": Rule(Scope.ADMIN, act="key.revoke"),
    "GET /v1/audit": ADMIN,
}


@dataclass(frozen=True)
class Route:
    """A route of the application: the template of its path, and what it needs."""

    template: str
    rule: Rule
    parameters: dict[str, str]


class Routes:
    """Finds the rule of a request before anything of its body is read."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = [
            (re.compile(context.path_regex), context.path or "", context.methods)
            for context in iter_route_contexts(routes)
        ]

    def find(self, method: str, path: str) -> Route | None:
        """Return the route that will answer, or None if none will (404 or 405)."""
        for regex, template, methods in self._routes:
            if (methods is None or method in methods) and (found := regex.match(path)):
                return Route(template, rule_of(method, template), found.groupdict())
        return None

    def allowed(self, path: str) -> list[str]:
        """Return the methods of a path: of `/v1/sweeps/{sweep_id}:share`, not of a sweep `a:share`.

        The longest template that fits is the most exact one.
        """
        fitting = [
            (template, methods or set())
            for regex, template, methods in self._routes
            if regex.match(path)
        ]
        exact = max((template for template, _ in fitting), key=len, default="")
        return sorted(set().union(*(methods for template, methods in fitting if template == exact)))


def rule_of(method: str, template: str) -> Rule:
    """Return what a route needs."""
    return POLICY.get(f"{'GET' if method == 'HEAD' else method} {template}", ADMIN)
