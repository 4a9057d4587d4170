"""The code behind every benchmark and every long statistic runs, small, with each test run."""

import json

import pytest

from benchmarks import (
    bond_networks,
    dispatcher,
    engine,
    fairness,
    finder,
    hot_cold,
    kernel,
    nearly_localized,
    network,
    peers,
    queries,
    scaling,
    spectral_diffusion,
    sweep,
)
from benchmarks.report import Row, publish
from delocal.service.request import SweepRequest
from validation import finder as large_finder
from validation import scaling as laws

COLUMNS = ["name", "value", "bar", "better", "holds", "command"]
SMALL = (3, 4, 70, 70)


@pytest.mark.parametrize(
    "rows",
    [
        lambda: kernel.rows(side=1),
        lambda: sweep.rows(SMALL, (3, 4, 60, 70), repeats=1, naive=20, idle_seconds=0.2),
        lambda: queries.rows(SMALL, (3, 4, 60, 70), repeats=2),
        lambda: finder.rows(2000, 3000, 4000, systems=3, repeats=1),
        lambda: network.rows(spins=20_000, pseudospins=2_000, repeats=1),
        lambda: hot_cold.rows(cells=200, peer_cells=20, repeats=1),
        lambda: nearly_localized.rows(cells=2000, peer=20, repeats=1),
        lambda: spectral_diffusion.rows(sizes=(1000,), attempts=200_000),
        lambda: bond_networks.rows(L=6, L2=8, grains=2, repeats=1),
        lambda: dispatcher.rows(50, 200, dispatched=20, dask=20, resumed=200, away=[0.5]),
        lambda: engine.rows(replicas=20, spins=10_000, cancels=2, workers=1, repeats=1),
        lambda: scaling.rows(workers=(3,), spins=10_000),
        lambda: fairness.rows(blocks=2, repeats=1),
    ],
    ids=[
        "kernel",
        "sweep",
        "queries",
        "finder",
        "network",
        "hot-cold",
        "nearly-localized",
        "spectral-diffusion",
        "bond-networks",
        "dispatcher",
        "engine",
        "scaling",
        "fairness",
    ],
)
def test_the_benchmarks_run(rows):
    found = rows()
    assert len(found) >= 2
    for row in found:
        assert row.value > 0 or any(word in row.name for word in ("tasks", "idle", "memory")), row
        assert list(json.loads(json.dumps(row.as_dict()))) == COLUMNS


def test_peers_find_the_same(tmp_path):
    plan = SweepRequest.parse(sweep.request((2, 2, 3, 2), t=0.02)).plan()
    local, seconds = peers.taken(plan, tmp_path)
    assert local > 0
    assert {name.split()[0] for name in seconds} == {"joblib", "xyzpy", "signac"}


def test_the_long_statistics_hold_on_a_few_points():
    for row in [*laws.rows(samples=30, slopes=2), *large_finder.rows(spins=20_000)]:
        assert row.holds, row


def test_a_table_is_published_as_json(tmp_path):
    rows = [Row("fast", 2.0, 1.0, "higher", "c"), Row("slow", 2.0, 1.0, "lower", "c")]
    assert not publish(rows, tmp_path / "results.json", {"numpy": "2"})
    content = json.loads((tmp_path / "results.json").read_text())
    assert [row["holds"] for row in content["rows"]] == [True, False]
    assert publish(rows[:1], tmp_path / "results.json", {})
