"""The REST application on top of a running service."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from delocal.api import docs_page, document, errors, page, tracing
from delocal.api.policy import Routes
from delocal.api.request_log import RequestLog
from delocal.api.routes import data, figures, fits, keys, models, shared, sweeps
from delocal.api.routes import service as operations
from delocal.api.security import Authenticator, Guard
from delocal.service.keys import PREFIX, Caller
from delocal.service.settings import Service

DESCRIPTION = """
Sweeps of theories and Monte Carlo of energy transport in Anderson insulators over
(d, alpha, beta, T, W). Submit a sweep, follow it, and query its datasets: as JSON under
`/data`, or with `xarray.open_zarr` on the `zarr` link.
"""
HEARD = ["Authorization", "If-None-Match", "If-Range", "Last-Event-ID", "Range", "X-Request-Id"]
TOLD = [
    "Content-Range",
    "ETag",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-Id",
]


def create_app(service: Service, *, local: bool = True) -> FastAPI:
    """Return the application that serves `service`; closing the service is the caller's.

    Parameters
    ----------
    service
        What is served.
    local
        Whether only this machine can reach it: then no key is needed, unless settings say so.
    """
    app = FastAPI(
        title="delocal",
        version=version("delocal"),
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    routes = functools.cache(lambda: Routes(app.routes))
    errors.install(app, routes)
    for resource in (sweeps, data, figures, fits, shared, models, keys):
        app.include_router(resource.router, prefix="/v1")
    app.include_router(operations.router)
    docs_page.install(app)
    page.install(app)
    _add_guards(app, service, routes, local)
    if service.settings.traces:
        tracing.install(app)
    document.complete(app)
    return app


def _add_guards(app: FastAPI, service: Service, routes: Callable[[], Routes], local: bool) -> None:
    """Put before the routes, from the inside out: the guard, CORS, the log."""
    app.add_middleware(
        Guard,
        service=service,
        routes=routes,
        local=local,
        authenticate=make_authenticator(service),
    )
    if origins := service.settings.access.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "HEAD", "POST", "DELETE"],
            allow_headers=HEARD,
            expose_headers=TOLD,
        )
    app.add_middleware(RequestLog, service=service)


def make_authenticator(service: Service) -> Authenticator:
    """Return what tells who holds a bearer token: the keys, and an identity provider if any."""
    if service.settings.oidc.issuer is None:
        return service.keys.check
    try:
        from delocal.api.oidc import Provider
    except ModuleNotFoundError as error:
        raise ValueError(f"oidc.issuer needs {error.name}: pip install 'delocal[oidc]'") from error
    provider = Provider(service.settings.oidc)

    def authenticate(text: str) -> Caller:
        ours = text.startswith(f"{PREFIX}_")
        return service.keys.check(text) if ours else provider.check(text)

    return authenticate
