"""Sweeps are found by model, tag, state, words, time, and where their parameters lie."""

import time
from datetime import datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from delocal.service.errors import SelectionError
from delocal.service.request import SweepRequest
from delocal.service.search import Search, as_seconds, as_state, span_of
from delocal.service.states import SweepState

COLD = {
    "models": ["scaling"],
    "name": "Dipoles at 100 % Größe",
    "tags": ["paper", "cold"],
    "axes": {"T": {"geomspace": [1e-6, 1e-4, 5]}},
    "fixed": {"d": 3, "alpha": 3, "beta": 3, "W": 1},
}
WARM = {
    **COLD,
    "name": "warm_dots",
    "tags": ["paper"],
    "models": ["scaling", "hopping"],
    "axes": {"T": [1e-3, 1e-1]},
}
LINE = {
    "models": ["nearly-localized"],
    "axes": {"gamma": {"geomspace": [0.01, 1, 5]}, "eps": [0.1, 0.2]},
    "refine": {"variable": "phase", "along": "gamma", "target": "change", "tolerance": 1e-3},
}


def enter(ledger, content):
    request = SweepRequest.parse(content)
    plan = request.plan()
    asked = request.model_dump(mode="json", exclude_defaults=True)
    ledger.add(plan, name=request.name, tags=request.tags, request=asked)
    return plan.sweep_id


@pytest.fixture
def ids(ledger):
    return {"cold": enter(ledger, COLD), "warm": enter(ledger, WARM), "line": enter(ledger, LINE)}


def found(ledger, ids, **conditions):
    named = {sweep_id: name for name, sweep_id in ids.items()}
    return [named[record.id] for record in ledger.find(Search(**conditions))]


CASES = [
    ({}, ["line", "warm", "cold"]),
    ({"models": ["scaling"]}, ["warm", "cold"]),
    ({"models": ["scaling", "hopping"]}, ["warm"]),
    ({"models": ["scal"]}, []),
    ({"tags": ["paper"]}, ["warm", "cold"]),
    ({"tags": ["paper", "cold"]}, ["cold"]),
    ({"tags": ["Paper"]}, []),
    ({"text": "DIPOLES größe"}, ["cold"]),
    ({"text": "100 %"}, ["cold"]),
    ({"text": "warm_dots"}, ["warm"]),
    ({"text": "warm%dots"}, []),
    ({"text": "paper dipoles"}, ["cold"]),
    ({"text": "nearly"}, ["line"]),
    ({"text": "\0"}, ["line", "warm", "cold"]),
    ({"spans": {"T": (1e-5, 1e-5)}}, ["cold"]),
    ({"spans": {"T": (1e-4, 1e-3)}}, ["warm", "cold"]),
    ({"spans": {"T": (2e-4, 9e-4)}}, []),
    ({"spans": {"T": (1e-2, float("inf"))}}, ["warm"]),
    ({"spans": {"t": (0.02, 0.02)}}, ["warm", "cold"]),  # a default of the model
    ({"spans": {"gamma": (0.5, 2.0)}}, ["line"]),  # searched by `refine`
    ({"spans": {"T": (0, 1), "W": (2, 3)}}, []),
    ({"states": [SweepState.QUEUED]}, ["line", "warm", "cold"]),
    ({"states": [SweepState.DONE, SweepState.FAILED]}, []),
    ({"models": ["scaling"], "tags": ["cold"], "text": "dip"}, ["cold"]),
]


def test_all_conditions_hold_together(ledger, ids):
    for conditions, expected in CASES:
        assert found(ledger, ids, **conditions) == expected, conditions


def test_time_is_from_and_before(ledger, ids):
    created = ledger.sweep(ids["warm"]).created
    assert found(ledger, ids, since=created) == ["line", "warm"]
    assert found(ledger, ids, until=created) == ["cold"]
    assert found(ledger, ids, since=time.time() + 60) == []


def test_states_find_what_is_in_the_trash_too(ledger, ids):
    ledger.cancel(ids["cold"])
    assert found(ledger, ids, states=[SweepState.CANCELLED]) == ["cold"]
    ledger.cancel(ids["warm"])
    with ledger.writing() as db:
        db.execute(sa.text("UPDATE sweeps SET state = 'deleted' WHERE name = 'warm_dots'"))
    assert found(ledger, ids) == ["line", "cold"]
    assert found(ledger, ids, deleted=True) == ["warm"]
    assert found(ledger, ids, states=[SweepState.DELETED]) == ["warm"]


def test_pages_of_a_search_do_not_shift_when_sweeps_are_entered(ledger, ids):
    search = Search(models=("scaling",))
    first = ledger.find(search, limit=1)
    later = {**COLD, "fixed": {**COLD["fixed"], "W": 2}}
    ids["later"] = enter(ledger, later)
    second = ledger.find(search, limit=1, before=first[-1].number)
    assert [record.id for record in (*first, *second)] == [ids["warm"], ids["cold"]]


def test_tags_of_any_length_and_content_are_taken(ledger):
    long = "x" * 10_000
    enter(ledger, {**COLD, "tags": [long, "x" * 10_000, "nul\0", "nul"]})
    assert len(ledger.find(Search(tags=(long,)))) == 1
    assert len(ledger.find(Search(tags=("nul\0",)))) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_search_looks_at_an_index_and_not_at_all_labels(ledger, ids):
    seen = []
    sa.event.listen(ledger.engine, "before_cursor_execute", lambda *call: seen.append(call[2:4]))
    ledger.find(Search(models=("scaling",), tags=("cold",), spans={"T": (1e-6, 1e-5)}))
    with ledger.engine.connect() as db:
        for sql, given in list(seen):
            steps = [row.detail for row in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given)]
            assert not any("SCAN labels" in step or "SCAN spans" in step for step in steps), steps


def test_a_span_is_written_as_a_value_or_a_range():
    assert span_of("T", "1e-6:1e-4") == pytest.approx((1e-6, 1e-4))
    low, high = span_of("T", "1e-3")
    assert low < 1e-3 < high
    for parameter, text, message in [
        ("temp", "1", "no parameter 'temp'"),
        ("T", "1,2", "give one number, or a range"),
        ("T", "cold", "give one number, or a range"),
        ("T", "2:1", "ends before it begins"),
        ("T", "nan", "ends before it begins"),
        ("T", "a:b", "not a number"),
    ]:
        with pytest.raises(SelectionError, match=message):
            span_of(parameter, text)


def test_times_without_a_zone_are_of_utc():
    noon = datetime(2026, 3, 1, 12)
    assert as_seconds(noon) == as_seconds(noon.replace(tzinfo=timezone(timedelta(0))))
    east = noon.replace(tzinfo=timezone(timedelta(hours=1)))
    assert as_seconds(noon) - as_seconds(east) == 3600


def test_a_mistaken_state_or_model_is_named(service):
    assert as_state("running") is SweepState.RUNNING
    with pytest.raises(SelectionError, match="did you mean 'running'"):
        as_state("runing")
    with pytest.raises(SelectionError, match="did you mean 'scaling'"):
        service.sweeps.find(Search(models=("scalin",)))


def test_a_model_that_this_installation_lacks_is_still_searched_for(service):
    sweep = enter(service.ledger, COLD)
    with service.ledger.writing() as db:
        db.execute(sa.text("UPDATE labels SET value = 'retired' WHERE kind = 'model'"))
    assert [r.id for r in service.sweeps.find(Search(models=("retired",)))] == [sweep]
