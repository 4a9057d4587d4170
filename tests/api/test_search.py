"""The list of sweeps as a caller searches and pages through it."""

import pytest

from delocal.api.routes import sweeps as routes
from delocal.physics.models import load_models
from tests.api.test_rest import REQUEST, submit, wait

COLD = {"axes": {"T": [1e-6, 1e-5], "d": [2, 3]}, "tags": ["cold"]}
FIXED = {"alpha": 3, "beta": 3}


@pytest.fixture
def ids(rest):
    """The ids of three small sweeps, the newest first."""
    contents = [{**COLD, "models": ["scaling"], "fixed": {**FIXED, "W": W}} for W in (1, 2, 3)]
    return [wait(rest, submit(rest, content))["id"] for content in contents][::-1]


def listed(rest, query):
    response = rest.get(f"/v1/sweeps?{query}")
    assert response.status_code == 200, response.text
    return [sweep["id"] for sweep in response.json()["sweeps"]]


def test_conditions_of_a_search_are_query_parameters(rest, ids):
    whole = wait(rest, submit(rest, REQUEST))["id"]
    assert listed(rest, "text=dipoles") == [whole]
    assert listed(rest, "tag=cold&W=2:") == ids[:2]
    assert listed(rest, "model=scaling&T=1e-3") == [whole]
    assert listed(rest, "state=done,failed&alpha=2.5") == [whole]
    assert listed(rest, "state=running") == []
    assert listed(rest, "since=2020-01-01&until=2020-01-02T12:00Z") == []
    assert listed(rest, "since=2020-01-01") == [whole, *ids]


def test_a_page_links_to_the_next_with_the_same_conditions(rest, ids):
    found, address = [], "/v1/sweeps?tag=cold&limit=1&T=1e-6:1e-5"
    while address:
        response = rest.get(address)
        page = response.json()
        found += [sweep["id"] for sweep in page["sweeps"]]
        assert response.links.get("next", {}).get("url") == page["next"]
        address = page["next"]
    assert found == ids
    assert rest.get("/v1/sweeps?limit=1").headers["Link"].endswith('; rel="next"')


def test_the_audit_is_paged_in_the_same_way(rest, ids):
    response = rest.get("/v1/audit?limit=2")
    assert response.links["next"]["url"] == response.json()["next"]
    assert rest.get(response.json()["next"]).json()["next"] is None


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("temperature=1", "no parameter 'temperature'"),
        ("T=1,2", "give one number, or a range"),
        ("state=runing", "did you mean 'running'"),
        ("model=scalin", "did you mean 'scaling'"),
        ("since=yesterday", "since"),
    ],
)
def test_a_mistake_in_a_search_is_named(rest, query, message):
    response = rest.get(f"/v1/sweeps?{query}")
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    assert message in response.json()["detail"]


def test_no_parameter_of_a_model_has_the_name_of_another_condition():
    names = {p.name for model in load_models().values() for p in model.parameters}
    assert not names & routes.RESERVED
