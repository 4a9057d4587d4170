"""Who may use which route. The table is written out twice on purpose: here, and in the policy."""

import pytest
from fastapi.routing import iter_route_contexts
from starlette.routing import WebSocketRoute

from delocal.api.app import create_app
from delocal.api.policy import POLICY, rule_of
from tests.api.conftest import ELSEWHERE, client_of

EVERYBODY = None
MATRIX = {
    "GET /": EVERYBODY,
    "GET /web/{path:path}": EVERYBODY,
    "GET /docs": EVERYBODY,
    "GET /openapi.json": EVERYBODY,
    "GET /healthz": EVERYBODY,
    "GET /readyz": EVERYBODY,
    "GET /metrics": "sweeps:read",
    "GET /v1/examples": "sweeps:read",
    "GET /v1/models": "sweeps:read",
    "GET /v1/models/{name}": "sweeps:read",
    "GET /v1/figures/phase-diagram": "sweeps:read",
    "POST /v1/models/{name}/evaluate": "sweeps:read",
    "POST /v1/sweeps": "sweeps:write",
    "GET /v1/sweeps": "sweeps:read",
    "GET /v1/sweeps/{sweep_id}": "sweeps:read",
    "DELETE /v1/sweeps/{sweep_id}": "sweeps:write",
    "POST /v1/sweeps/{sweep_id}:restore": "sweeps:write",
    "POST /v1/sweeps/{sweep_id}:purge": "sweeps:write",
    "GET /v1/sweeps/{sweep_id}/events": "sweeps:read",
    "GET /v1/sweeps/{sweep_id}/failures": "sweeps:read",
    "POST /v1/sweeps/{sweep_id}:cancel": "sweeps:write",
    "POST /v1/sweeps/{sweep_id}:extend": "sweeps:write",
    "POST /v1/sweeps/{sweep_id}:retry": "sweeps:write",
    "POST /v1/sweeps/{sweep_id}:share": "data:read",
    "GET /v1/sweeps/{sweep_id}/data": "data:read",
    "GET /v1/sweeps/{sweep_id}/figures": "data:read",
    "GET /v1/sweeps/{sweep_id}/figures/{name}": "data:read",
    "GET /v1/sweeps/{sweep_id}/fits": "data:read",
    "GET /v1/sweeps/{sweep_id}/zarr/{path:path}": "data:read",
    "GET /v1/shared/{token}/data": EVERYBODY,
    "GET /v1/shared/{token}/zarr/{path:path}": EVERYBODY,
    "GET /v1/keys": "admin",
    "POST /v1/keys": "admin",
    "DELETE /v1/keys/{key_id}": "admin",
    "GET /v1/audit": "admin",
}
CHANGES_NOTHING = {"POST /v1/models/{name}/evaluate"}
SCOPES = ["sweeps:read", "sweeps:write", "data:read", "admin"]
CALLERS = [None, *SCOPES]
NOBODY_THERE = "0123456789abcdef"


def routes_of(app):
    """Return every route that the application answers, whether it is in the schema or not.

    A folder of files is one route, which is only read.
    """
    contexts = list(iter_route_contexts(app.routes))
    assert not any(isinstance(context.original_route, WebSocketRoute) for context in contexts)
    return {
        f"{method} {context.path}"
        for context in contexts
        for method in (context.methods or {"GET"})
    }


def test_every_route_has_an_entry_here_and_in_the_policy(service):
    routes = {r for r in routes_of(create_app(service)) if not r.startswith("HEAD ")}
    assert routes == set(MATRIX)
    assert routes == set(POLICY)


def test_what_only_looks_needs_what_looking_needs(service):
    heads = [r for r in routes_of(create_app(service)) if r.startswith("HEAD ")]
    assert heads
    for route in heads:
        path = route.partition(" ")[2]
        assert rule_of("HEAD", path) == POLICY[f"GET {path}"]


def test_a_route_that_was_forgotten_is_for_administrators():
    assert rule_of("GET", "/v1/new").scope == "admin"


def test_whatever_changes_something_is_in_the_audit():
    for route, rule in POLICY.items():
        changes = not route.startswith("GET ") and route not in CHANGES_NOTHING
        assert bool(rule.act) == changes, route
    acts = [rule.act for rule in POLICY.values() if rule.act]
    assert len(set(acts)) == len(acts)


@pytest.fixture
def callers(service):
    texts = {scope: service.keys.create(scope, [scope])[1] for scope in SCOPES}
    return {
        None: {},
        **{scope: {"Authorization": f"Bearer {text}"} for scope, text in texts.items()},
    }


@pytest.mark.parametrize("route", MATRIX)
def test_the_scope_of_a_route_is_needed_and_enough(service, callers, route):
    method, _, template = route.partition(" ")
    names = {"sweep_id": NOBODY_THERE, "name": "scaling", "path:path": "zarr.json"}
    names |= {"key_id": "000000000000", "token": service.sharing.token(NOBODY_THERE, 60)[0]}
    for name, value in names.items():
        template = template.replace(f"{{{name}}}", value)
    needed = MATRIX[route]
    with client_of(service, ELSEWHERE, local=False) as client:
        for caller in CALLERS:
            headers = callers[caller]
            response = client.request(method, template, headers=headers, follow_redirects=False)
            if needed is EVERYBODY or caller in (needed, "admin"):
                assert response.status_code not in (401, 403), (caller, response.text)
            else:
                assert response.status_code == (403 if caller else 401), (caller, response.text)
                assert response.headers["Content-Type"] == "application/problem+json"
                assert ("WWW-Authenticate" in response.headers) == (caller is None)
            if method == "GET":
                head = client.head(template, headers=headers, follow_redirects=False)
                assert head.status_code in (response.status_code, 405), caller


def test_a_path_that_leads_nowhere_says_so_to_everybody(service):
    with client_of(service, ELSEWHERE, local=False) as client:
        assert client.get("/v1/nothing").status_code == 404
        assert client.put("/v1/sweeps").status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/v1/sweeps/",
        "//v1/sweeps",
        "/v1//sweeps",
        "/v1/./sweeps",
        "/v1/models/../sweeps",
        "/v1/%73weeps",
        "/V1/sweeps",
        "/v1/sweeps;x",
        "/docs/../v1/sweeps",
        "/docs%2f..%2fv1/sweeps",
        "/v1/shared/x/zarr/../../../sweeps",
    ],
)
def test_no_spelling_of_a_path_gets_around_the_guard(service, path):
    with client_of(service, ELSEWHERE, local=False) as client:
        response = client.get(path)
        assert response.status_code in (401, 404)
        assert "sweeps" not in response.json()
