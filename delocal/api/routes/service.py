"""/healthz, /readyz, /metrics: what those who run the service ask."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from delocal.api.errors import documented, problem
from delocal.api.routes.deps import CurrentService
from delocal.service.prometheus import MEDIA_TYPE
from delocal.service.readiness import problems

router = APIRouter(tags=["service"])


@router.get("/healthz", summary="Whether the process answers")
async def healthz() -> dict[str, str]:
    """Asks no part: a process that answers need not be started again."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    summary="Whether every part works, or which does not",
    response_model=None,
    responses=documented(503),
)
def readyz(service: CurrentService) -> dict[str, Any] | Response:
    """With `503`, `errors` has an entry for each part that is down, with the reason."""
    found = problems(service)
    if found:
        detail = "; ".join(map(str, found))
        return problem(503, "Not ready", detail, found)
    return {
        "active_sweeps": len(service.ledger.active()),
        "cluster": service.executor.description,
    }


@router.get(
    "/metrics",
    summary="Numbers for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
)
def metrics(service: CurrentService) -> Response:
    """Text of version 0.0.4 or later of its format."""
    return Response(service.metrics.text(), media_type=MEDIA_TYPE)
