"""The OpenAPI document: what FastAPI finds, and what stands before every route and it cannot know.

That is the guard with its policy, how a body is read, and how errors are answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from delocal.api.errors import PROBLEM, documented
from delocal.api.policy import POLICY, Rule
from delocal.api.schemas import ProblemDetail
from delocal.service.evaluation import EvaluationRequest
from delocal.service.request import Extension, SweepRequest

KEY = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key, or a token of the identity provider; none is needed where the "
        "service listens to this machine alone, unless `access.keys` says so.",
    }
}
BROKEN = {
    "5XX": {"description": "It cannot be answered at present, or a bug", "content": PROBLEM},
}
RULES = {route.replace(":path}", "}"): rule for route, rule in POLICY.items()}


def complete(app: FastAPI) -> None:
    """Make the document of `app` say all that its answers can be."""
    document = app.openapi()
    _add_schemas(document["components"]["schemas"])
    document["components"]["securitySchemes"] = KEY
    for route, operation in _operations(document):
        _add_answers(operation, RULES[route])
    app.openapi_schema = document


def _add_schemas(schemas: dict[str, Any]) -> None:
    """Add what routes refer to by name: requests and errors; FastAPI's errors are none of ours."""
    template = "#/components/schemas/{model}"
    for ours in (ProblemDetail, SweepRequest, Extension, EvaluationRequest):
        schema = ours.model_json_schema(ref_template=template)
        for name, found in {**schema.pop("$defs", {}), ours.__name__: schema}.items():
            if schemas.setdefault(name, found) != found:
                raise ValueError(f"two schemas are called {name}; rename one of the classes")
    for theirs in ("HTTPValidationError", "ValidationError"):
        schemas.pop(theirs, None)


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def _add_answers(operation: dict[str, Any], rule: Rule) -> None:
    """Add the answers of the guard, and of what reads the body and the parameters."""
    answers = operation["responses"]
    if "422" in answers:
        answers.update(documented(422))
    if rule.scope:
        operation["security"] = [{"key": [rule.scope]}]
        answers.update(documented(401, 403))
    if "requestBody" in operation:
        answers.update(documented(413))
    answers.update(documented(400, 429) | BROKEN)
    operation["responses"] = dict(sorted(answers.items()))
