"""/v1/models and /v1/examples: what can be swept, and what papers swept."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Response
from pydantic import WithJsonSchema

from delocal.api.errors import documented
from delocal.api.plain import plain_json
from delocal.api.routes.data import EXAMPLE as DATA_EXAMPLE
from delocal.api.routes.deps import CurrentService
from delocal.service.evaluation import EvaluationRequest
from delocal.service.reproduce import describe_examples
from delocal.service.results import to_plain
from delocal.service.sweeps import describe_models
from delocal.service.sweeps import one_model as describe_one

router = APIRouter(tags=["models"])
EXAMPLE = EvaluationRequest.model_json_schema()["examples"][0]
# Parsed by EvaluationRequest itself, whose errors say more; documented as what it is.


Content = Annotated[
    dict[str, Any],
    WithJsonSchema({"$ref": "#/components/schemas/EvaluationRequest"}),
    Body(openapi_examples={"kappa": {"value": EXAMPLE}}),
]


@router.get(
    "/models",
    summary="Every model with its parameters, variables and options",
    response_class=Response,
    responses={200: {"model": list[dict[str, Any]]}},
)
def list_models() -> Response:
    """Parameters come with units, allowed values and defaults."""
    return plain_json(describe_models())


@router.get(
    "/models/{name}",
    summary="One model",
    response_class=Response,
    responses={200: {"model": dict[str, Any]}, **documented(404, 422)},
)
def one_model(name: str) -> Response:
    """The same as its entry in the list."""
    return plain_json(describe_one(name))


@router.post(
    "/models/{name}/evaluate",
    summary="Evaluate a model at a few points, here and now",
    response_class=Response,
    responses={
        200: {"content": {"application/json": {"example": DATA_EXAMPLE}}},
        **documented(404, 422),
    },
)
def evaluate(name: str, content: Content, service: CurrentService) -> Response:
    """Answer as `/data` does; nothing is stored. A Monte Carlo model is sampled by a sweep."""
    found = service.evaluations.evaluate(name, EvaluationRequest.parse(content))
    failures = {"failures": found.failures} if found.failures else {}
    return plain_json(to_plain(found.dataset) | failures)


@router.get("/examples", summary="Requests for the sweeps that figures of the papers need")
def list_examples() -> list[dict[str, Any]]:
    """For each figure or table, `requests` by label: each can be submitted as it is."""
    return describe_examples()
