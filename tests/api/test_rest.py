"""The REST routes: what the issue of a request looks like, right and wrong."""

import json

import pytest

from delocal.service.request import SweepRequest
from tests.waiting import eventually

REQUEST = {
    "models": ["scaling"],
    "name": "dipoles",
    "axes": {
        "d": [2, 3],
        "alpha": {"linspace": [2.2, 6.0, 20]},
        "beta": {"like": "alpha"},
        "T": {"geomspace": [1e-6, 1e-2, 41]},
        "W": [1, 2],
    },
    "fixed": {"t": 0.02, "V": 0.02, "rho": 1},
}


def submit(rest, content=REQUEST):
    response = rest.post("/v1/sweeps", json=content)
    assert response.status_code == 202, response.text
    return response.json()


def wait(rest, sweep):
    def done():
        status = rest.get(f"/v1/sweeps/{sweep['id']}").json()
        return status["state"] == "done" and status

    return eventually(done)


def test_the_request_of_the_manual_runs(rest):
    response = rest.post("/v1/sweeps", json=REQUEST)
    sweep = response.json()
    assert response.headers["Location"].endswith(f"/v1/sweeps/{sweep['id']}")
    status = wait(rest, sweep)
    assert status["cells"] == {"total": 3280, "done": 2788, "outside_domain": 492}
    assert status["blocks"] == {"total": 1, "done": 1}
    assert set(status["links"]) == {"self", "data", "figures", "events", "failures", "zarr"}
    assert SweepRequest.parse(status["request"]).plan().sweep_id == sweep["id"]


def test_a_dry_run_costs_nothing(rest):
    response = rest.post("/v1/sweeps?dry_run=true", json=REQUEST)
    assert response.status_code == 200
    assert response.json()["cells"] == 3280
    assert response.json()["exists"] is False
    assert rest.get("/v1/sweeps").json()["sweeps"] == []


def test_an_identical_request_is_the_same_sweep(rest):
    spelled = {**REQUEST, "name": "again", "axes": {**REQUEST["axes"], "W": {"list": [1.0, 2.0]}}}
    assert submit(rest)["id"] == submit(rest, spelled)["id"]
    assert len(rest.get("/v1/sweeps").json()["sweeps"]) == 1


def test_sweeps_are_listed_page_by_page(rest):
    ids = [submit(rest, {**REQUEST, "fixed": {"t": t}})["id"] for t in (0.1, 0.2, 0.3)]
    first = rest.get("/v1/sweeps?limit=2").json()
    assert [sweep["id"] for sweep in first["sweeps"]] == [ids[2], ids[1]]
    second = rest.get(first["next"]).json()
    assert [sweep["id"] for sweep in second["sweeps"]] == [ids[0]]
    assert second["next"] is None


def test_a_wrong_request_is_a_problem_with_every_field(rest):
    wrong = {"models": ["scalin"], "axes": {"T": [], "W": 3}}
    response = rest.post("/v1/sweeps", json=wrong)
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert {error["field"] for error in problem["errors"]} == {"axes.T", "axes.W"}
    assert "put it under `fixed`" in problem["detail"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/sweeps/0123456789abcdef", 404),
        ("/v1/sweeps/0123456789abcdef/data", 404),
        ("/v1/sweeps/0123456789abcdef/events", 404),
        ("/v1/sweeps/0123456789abcdef/zarr/zarr.json", 404),
        ("/v1/sweeps/nonsense", 404),
        ("/v1/models/scalin", 404),
        ("/v1/nothing", 404),
        ("/v1/sweeps?limit=0", 422),
        ("/v1/sweeps?before=99999999999999999999999", 422),
    ],
)
def test_every_error_is_problem_json(rest, path, status):
    response = rest.get(path)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == status


@pytest.mark.parametrize("body", [b"{bad", b"[]", b"null", b'{"models": ["scaling"], "x": NaN}'])
def test_a_body_that_is_no_request_is_a_problem(rest, body):
    headers = {"Content-Type": "application/json"}
    response = rest.post("/v1/sweeps", content=body, headers=headers)
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"


def test_data_are_selected_by_value(rest):
    sweep = submit(rest)
    url = f"/v1/sweeps/{sweep['id']}/data?variables=kappa_sd,status&d=3&W=2&T=1e-4&alpha=3:4"
    found = rest.get(url).json()
    assert found["sizes"] == {"alpha": 6}
    assert found["data"]["status"]["values"] == [1] * 6
    assert found["coords"]["beta"]["values"] == found["coords"]["alpha"]["values"]
    assert found["coords"]["T"]["values"] == pytest.approx(1e-4)


def test_what_is_not_finite_is_null(rest):
    sweep = submit(rest)
    url = f"/v1/sweeps/{sweep['id']}/data?variables=kappa_sd,log10_kappa_sd&d=2&W=1&T=1e-6"
    response = rest.get(url)
    json.loads(response.text, parse_constant=pytest.fail)
    values = response.json()["data"]["log10_kappa_sd"]["values"]
    assert values.count(None) == 20 - 9  # kappa_sd exists for 2 < alpha = beta < 4 in d = 2


def test_a_wrong_selection_is_a_problem(rest):
    sweep = submit(rest)
    response = rest.get(f"/v1/sweeps/{sweep['id']}/data?variables=kappa&T=3")
    assert response.status_code == 422
    assert "no variable 'kappa'" in response.json()["detail"]
    response = rest.get(f"/v1/sweeps/{sweep['id']}/data?variables=kappa_sd&T=3")
    assert "nearest are" in response.json()["detail"]
    assert rest.get(f"/v1/sweeps/{sweep['id']}/data?model=basko").status_code == 404


def test_too_much_at_once_is_refused(rest):
    content = {**REQUEST, "axes": {**REQUEST["axes"], "T": {"geomspace": [1e-6, 1e-2, 2000]}}}
    sweep = submit(rest, content)
    wait(rest, sweep)
    response = rest.get(f"/v1/sweeps/{sweep['id']}/data")
    assert response.status_code == 413
    assert "open the Zarr store" in response.json()["detail"]


def test_events_tell_the_story_and_continue(rest):
    sweep = submit(rest)
    text = rest.get(f"/v1/sweeps/{sweep['id']}/events").text
    events = [line.removeprefix("event: ") for line in text.splitlines() if "event: " in line]
    assert events == ["queued", "running", "progress", "done"]
    ids = [line.removeprefix("id: ") for line in text.splitlines() if line.startswith("id: ")]
    later = rest.get(f"/v1/sweeps/{sweep['id']}/events", headers={"Last-Event-ID": ids[2]}).text
    assert "event: done" in later
    assert "event: progress" not in later
    last = {"Last-Event-ID": ids[-1]}
    assert "event:" not in rest.get(f"/v1/sweeps/{sweep['id']}/events", headers=last).text


@pytest.mark.parametrize(
    "path", ["../plan.json", "..%2fplan.json", "%2e%2e/plan.json", "/etc/passwd"]
)
def test_the_zarr_route_does_not_leave_the_store(rest, path):
    sweep = submit(rest)
    response = rest.get(f"/v1/sweeps/{sweep['id']}/zarr/{path}")
    assert response.status_code == 404
    assert "request" not in response.text


def test_the_zarr_route_serves_ranges(rest):
    sweep = submit(rest)
    url = f"/v1/sweeps/{sweep['id']}/zarr/scaling/zarr.json"
    whole = rest.get(url).content
    part = rest.get(url, headers={"Range": "bytes=-10"})
    assert (part.status_code, part.content) == (206, whole[-10:])


def test_models_are_described(rest):
    found = {model["name"]: model for model in rest.get("/v1/models").json()}
    scaling = found["scaling"]
    assert scaling == rest.get("/v1/models/scaling").json()
    assert {p["name"] for p in scaling["parameters"]} == set("d alpha beta T W t V rho L".split())


def test_the_service_says_that_it_is_well(rest):
    assert rest.get("/healthz").json() == {"status": "ok"}
    assert rest.get("/readyz").json() == {"active_sweeps": 0, "cluster": "this process"}


def test_the_openapi_document_is_whole(rest):
    document = rest.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    text = json.dumps(document)
    for reference in text.split('"$ref": "#/components/schemas/')[1:]:
        assert reference.split('"')[0] in schemas
    post = document["paths"]["/v1/sweeps"]["post"]
    body = post["requestBody"]["content"]["application/json"]
    assert "dipoles" in json.dumps(body)
    assert body["schema"]["$ref"].endswith("/SweepRequest")
    assert "axes" in schemas["SweepRequest"]["properties"]


def test_a_name_that_is_no_text_is_a_problem(rest):
    body = b'{"models": ["scaling"], "axes": {"\\ud800": [1]}}'
    response = rest.post("/v1/sweeps", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert response.json()["errors"]


def test_an_unexpected_error_is_a_problem_without_details(rest, service, monkeypatch):
    def broken(*_):
        raise RuntimeError("secret")

    monkeypatch.setattr(service.sweeps, "get", broken)
    response = rest.get("/v1/sweeps/0123456789abcdef")
    assert response.status_code == 500
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "secret" not in response.text


def test_a_sweep_is_cancelled_and_retried_or_the_conflict_is_told(rest):
    axes = {**REQUEST["axes"], "T": {"geomspace": [1e-6, 1e-2, 20_000]}}
    sweep = submit(rest, {**REQUEST, "axes": axes})
    cancelled = rest.post(f"/v1/sweeps/{sweep['id']}:cancel")
    assert cancelled.status_code == 202
    assert cancelled.json()["state"] == "cancelled"
    again = rest.post(f"/v1/sweeps/{sweep['id']}:cancel")
    assert again.status_code == 409
    assert again.headers["content-type"] == "application/problem+json"
    assert "is cancelled" in again.json()["detail"]
    assert rest.post(f"/v1/sweeps/{sweep['id']}:retry").status_code == 202
    assert wait(rest, sweep)["cells"]["total"] == 1_600_000
    assert rest.post(f"/v1/sweeps/{sweep['id']}:retry").status_code == 409
    assert rest.post("/v1/sweeps/0123456789abcdef:cancel").status_code == 404
