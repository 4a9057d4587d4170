"""/v1/models and /v1/examples: what can be swept, and what papers swept."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from delocal.api.errors import documented
from delocal.service.reproduce import describe_examples
from delocal.service.sweeps import describe_models
from delocal.service.sweeps import one_model as describe_one

router = APIRouter(tags=["models"])


@router.get("/models", summary="Every model with its parameters, variables and options")
def list_models() -> list[dict[str, Any]]:
    """Parameters come with units, allowed values and defaults."""
    return describe_models()


@router.get("/models/{name}", summary="One model", responses=documented(404, 422))
def one_model(name: str) -> dict[str, Any]:
    """The same as its entry in the list."""
    return describe_one(name)


@router.get("/examples", summary="Requests for the sweeps that figures of the papers need")
def list_examples() -> list[dict[str, Any]]:
    """For each figure or table, `requests` by label: each can be submitted as it is."""
    return describe_examples()
