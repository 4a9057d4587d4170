"""The REST application on top of a running service."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI
from fastapi.responses import RedirectResponse

from delocal.api import errors
from delocal.api.routes import data, models, sweeps
from delocal.api.schemas import ProblemDetail
from delocal.service.errors import NotReady
from delocal.service.request import SweepRequest
from delocal.service.settings import Service

DESCRIPTION = """
Sweeps of theories and Monte Carlo of energy transport in Anderson insulators over
(d, alpha, beta, T, W). Submit a sweep, follow it, and query its datasets: as JSON under
`/data`, or with `xarray.open_zarr` on the `zarr` link.
"""


def create_app(service: Service) -> FastAPI:
    """Return the application that serves `service`; closing the service is the caller's."""
    app = FastAPI(title="delocal", version=version("delocal"), description=DESCRIPTION)
    app.state.service = service
    errors.install(app)
    app.include_router(sweeps.router, prefix="/v1")
    app.include_router(data.router, prefix="/v1")
    app.include_router(models.router, prefix="/v1")

    @app.get("/healthz", tags=["service"], summary="Whether the process answers")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get(
        "/readyz",
        tags=["service"],
        summary="Whether ledger and cluster answer",
        responses=errors.documented(503),
    )
    def readyz() -> dict[str, str | int]:
        try:
            cluster = service.executor.description
        except OSError as error:
            raise NotReady(f"the cluster does not answer: {error}") from error
        return {"active_sweeps": len(service.ledger.active()), "cluster": cluster}

    @app.get("/", include_in_schema=False)
    def home() -> RedirectResponse:
        return RedirectResponse("/docs")

    _add_schemas(app)
    return app


def _add_schemas(app: FastAPI) -> None:
    """Put what routes refer to by name into the OpenAPI document: requests and errors."""
    document = app.openapi()
    schemas = document["components"]["schemas"]
    template = "#/components/schemas/{model}"
    for ours in (ProblemDetail, SweepRequest):
        schema = ours.model_json_schema(ref_template=template)
        schemas.update(schema.pop("$defs", {}))
        schemas[ours.__name__] = schema
    app.openapi_schema = document
