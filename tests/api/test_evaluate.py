"""Small evaluations at once: the same numbers as a sweep, and bounded before they begin."""

import json
import threading
from dataclasses import replace

import numpy as np
import pytest

import delocal
from delocal.service import evaluation
from delocal.service.errors import TooManyRequests
from delocal.service.evaluation import EvaluationRequest, Evaluations
from delocal.service.settings import ClusterSettings, Service, Settings
from tests.api.conftest import client_of
from tests.waiting import PATIENCE

POINT = {"d": 3, "alpha": 3, "beta": 3, "W": 1}
COLD = {**POINT, "T": {"geomspace": [1e-6, 1e-2, 5]}}


def ask(rest, content, model="scaling", status=200):
    response = rest.post(f"/v1/models/{model}/evaluate", json=content)
    assert response.status_code == status, response.text
    return response.json()


def test_an_evaluation_is_what_data_of_a_sweep_are(rest):
    found = ask(rest, {"parameters": COLD, "variables": ["kappa_sd"]})
    request = {"models": ["scaling"], "axes": {"T": COLD["T"]}, "fixed": POINT}
    sweep = rest.post("/v1/sweeps", json=request).json()
    stored = rest.get(f"/v1/sweeps/{sweep['id']}/data?variables=kappa_sd,status").json()
    assert found == stored
    assert found["data"]["status"]["values"] == [1] * 5
    assert rest.get("/v1/sweeps").json()["sweeps"][0]["id"] == sweep["id"]


def test_numbers_lists_and_axes_may_be_mixed(rest):
    parameters = {**POINT, "T": [1e-3, 1e-2], "alpha": {"linspace": [3, 4, 3]}}
    found = ask(rest, {"parameters": {**parameters, "beta": {"like": "alpha"}}})
    assert found["sizes"] == {"T": 2, "alpha": 3, "wrt": 5}
    assert found["coords"]["beta"]["dims"] == ["alpha"]
    here = delocal.evaluate("scaling", **{**POINT, "T": 1e-2, "alpha": 4.0, "beta": 4.0})
    assert found["data"]["log10_kappa_ps"]["values"][2][1] == here.log10_kappa_ps.item()


def test_a_self_consistent_model_takes_its_options(rest):
    content = {"parameters": {"K": 2}, "options": {"law": "box"}, "variables": ["W_c"]}
    value = ask(rest, content, "bethe")["data"]["W_c"]["values"]
    assert value == pytest.approx(delocal.evaluate("bethe", K=2, law="box").W_c.item(), rel=1e-12)


def test_what_is_not_finite_is_null_with_a_mask(rest):
    parameters = {**POINT, "d": 2, "alpha": [1.0, 3.0], "beta": {"like": "alpha"}, "T": 1e-3}
    found = ask(rest, {"parameters": parameters, "variables": ["log10_kappa_sd"]})
    kappa = found["data"]["log10_kappa_sd"]
    assert kappa["values"][0] is None
    assert kappa["mask"] == [1, 0]
    assert found["data"]["status"]["mask"] is None


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ({"parameters": {**POINT, "T": -1}}, {"parameters.T"}),
        ({"parameters": {**POINT, "T": "cold"}}, {"parameters.T"}),
        ({"parameters": {**POINT, "T": True}}, {"parameters.T"}),
        ({"parameters": {**POINT, "T": {"geomspace": [0, 1, 3]}}}, {"parameters.T"}),
        ({"parameters": {"T": 1, "x": 1}}, {f"parameters.{n}" for n in ("x", "d", "alpha")}),
        ({"parameters": {**POINT, "T": 1}, "options": {"law": 1}}, {"options.law"}),
        ({"parameter": {}}, {"parameter"}),
        ({"parameters": []}, {"parameters"}),
    ],
)
def test_every_mistake_is_named_under_its_field(rest, content, fields):
    problem = ask(rest, content, status=422)
    assert fields <= {error["field"] for error in problem["errors"]}


def test_nothing_is_evaluated_of_what_is_refused(rest, monkeypatch):
    monkeypatch.setattr(evaluation, "evaluate_block", lambda *_: pytest.fail("evaluated"))
    wide = {**POINT, "T": {"geomspace": [1e-6, 1e-2, 40_000]}}
    ask(rest, {"parameters": wide}, status=413)
    ask(rest, {"parameters": COLD, "variables": ["kapa_sd"]}, status=422)


def test_an_unknown_model_or_variable_is_named(rest):
    assert "did you mean 'scaling'" in ask(rest, {}, "scalin", 404)["detail"]
    content = {"parameters": COLD, "variables": ["kapa_sd"]}
    assert "did you mean 'kappa_sd'" in ask(rest, content, status=422)["detail"]


def test_a_monte_carlo_model_is_to_be_swept(rest):
    assert "submit it as a sweep" in ask(rest, {}, "network", 422)["detail"]


def test_what_is_too_large_or_too_dear_is_refused_with_advice(rest):
    many = {**POINT, "T": {"geomspace": [1e-6, 1e-2, 100_001]}}
    problem = ask(rest, {"parameters": many}, status=413)
    assert "submit them as a sweep" in problem["detail"]
    dear = {"K": {"linspace": [2, 22, 21]}}
    assert "would take about" in ask(rest, {"parameters": dear}, "bethe", 413)["detail"]
    wide = {**POINT, "T": {"geomspace": [1e-6, 1e-2, 40_000]}}
    assert "open the Zarr" in ask(rest, {"parameters": wide}, status=413)["detail"]


def test_a_measured_cost_is_believed_only_once_it_was_measured_for_long(service):
    plan = evaluation._plan(evaluation._model("scaling"), EvaluationRequest(parameters=COLD))
    nominal = service.sweeps.seconds(plan)
    for seconds, expected in ((0.5, nominal), (2.0, 5 * 2.5 / 2)):
        with service.ledger.writing() as db:
            evaluation_costs(db, seconds)
        assert service.sweeps.seconds(plan, evaluation.MEASURED_FOR) == pytest.approx(expected)


def evaluation_costs(db, seconds):
    """Enter into the ledger that one cell more took so long."""
    from delocal.service.tables import costs

    version = delocal.physics.models.load_models()["scaling"].version
    updated = db.execute(
        costs.update().values(cells=costs.c.cells + 1, seconds=costs.c.seconds + seconds)
    )
    if not updated.rowcount:
        row = {"model": "scaling", "version": version, "cells": 1, "seconds": seconds}
        db.execute(costs.insert().values(**row))


def test_a_cell_that_raises_is_a_result_with_its_reason(rest, toy, install):
    def fragile(parameters, options):
        if np.any(np.asarray(parameters["x"]) == 3):
            raise ZeroDivisionError("at three")
        return toy.evaluate(parameters, options)

    install(replace(toy, evaluate=fragile))
    parameters = {"x": [1, 3, 6], "n": 1}
    found = ask(rest, {"parameters": parameters, "variables": ["energy"]}, "toy")
    assert found["data"]["status"]["values"] == [1, 4, 2]
    [failure] = found["failures"]
    assert failure["parameters"]["x"] == 3
    assert "at three" in failure["error"]


def test_flags_that_numpy_made_are_no_error(rest, toy, install):
    variables = tuple(
        replace(v, flags={"even": np.int8(0), "odd": np.int8(1)}) if v.name == "parity" else v
        for v in toy.variables
    )
    install(replace(toy, variables=variables))
    found = ask(rest, {"parameters": {"x": 1, "n": [1, 2]}}, "toy")
    assert found["data"]["parity"]["attrs"]["flag_values"] == [0, 1]


def test_an_evaluation_that_takes_too_long_is_ended(service, toy, install, monkeypatch):
    install(replace(toy, seconds_per_cell=0.05))
    clock = iter(range(100))
    monkeypatch.setattr(evaluation.time, "monotonic", lambda: next(clock))
    asked = EvaluationRequest(parameters={"x": [1, 2, 3, 4], "n": 1})
    with pytest.raises(evaluation.TooLarge, match="not done after 2 s"):
        Evaluations(service.sweeps, 1.0).evaluate("toy", asked)


def test_only_so_many_evaluate_at_a_time(service, toy, install):
    entered, go = threading.Barrier(evaluation.AT_A_TIME + 1), threading.Event()

    def slow(parameters, options):
        entered.wait(PATIENCE)
        assert go.wait(PATIENCE)
        return toy.evaluate(parameters, options)

    install(replace(toy, evaluate=slow))
    evaluations = Evaluations(service.sweeps, 0.1)
    asked = EvaluationRequest(parameters={"x": 1, "n": 1})
    threads = [
        threading.Thread(target=evaluations.evaluate, args=("toy", asked))
        for _ in range(evaluation.AT_A_TIME)
    ]
    for thread in threads:
        thread.start()
    entered.wait(PATIENCE)
    with pytest.raises(TooManyRequests, match="running already"):
        evaluations.evaluate("toy", asked)
    go.set()
    for thread in threads:
        thread.join()


def test_a_busy_service_says_when_to_ask_again(rest, service, monkeypatch):
    def busy(*_):
        raise TooManyRequests("others are at it", 1.5)

    monkeypatch.setattr(service.evaluations, "evaluate", busy)
    response = rest.post("/v1/models/scaling/evaluate", json={"parameters": COLD})
    assert (response.status_code, response.headers["Retry-After"]) == (429, "2")


def test_the_bound_is_a_setting(tmp_path):
    settings = Settings(data=tmp_path, cluster=ClusterSettings(kind="none"), evaluate_seconds=1e-9)
    service = Service(settings)
    try:
        with client_of(service) as rest:
            detail = ask(rest, {"parameters": COLD}, status=413)["detail"]
        assert "1e-09 s are spent" in detail
    finally:
        service.close()


def test_the_example_of_the_reference_runs(rest):
    document = rest.get("/openapi.json").json()
    schema = document["components"]["schemas"]["EvaluationRequest"]
    for example in schema["examples"]:
        assert ask(rest, example)["sizes"] == {"T": 41}
    path = document["paths"]["/v1/models/{name}/evaluate"]["post"]
    assert "kappa" in json.dumps(path["requestBody"])
