"""The ledger: each block once, whoever asks, and nothing lost when an owner dies."""

import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from delocal.service.database import driver_of, migration_config
from delocal.service.ledger import Ledger
from delocal.service.request import SweepRequest
from delocal.service.search import Search
from delocal.service.states import BLOCK_MOVES, MOVES, BlockState, SweepState
from delocal.service.tables import tables
from delocal.workers.store import Receipt

REQUEST = SweepRequest.parse(
    {
        "models": ["scaling"],
        "axes": {"T": {"geomspace": [1e-6, 1e-2, 40]}},
        "fixed": {"d": 2, "alpha": 3, "beta": 3, "W": 1},
    }
)
PLAN = REQUEST.plan(block_cells=5)  # 8 blocks of 5 cells
ID = PLAN.sweep_id
LATER = 60.0


def add(ledger, **lease):
    return ledger.add(PLAN, name="test", tags=["a"], request={"models": ["scaling"]}, **lease)


def receipt(block, seconds=0.1, **counts):
    return Receipt("scaling", block, f"{block:08x}", counts or {"done": 5}, seconds)


def record(ledger, owner, *blocks):
    ledger.record(PLAN, owner, "scaling", [receipt(b) for b in blocks])


def test_a_sweep_is_entered_once(ledger):
    assert add(ledger)
    assert not add(ledger)
    assert [sweep.id for sweep in ledger.newest()] == [ID]
    record = ledger.sweep(ID)
    assert (record.state, record.cells, record.blocks) == (SweepState.QUEUED, 40, 8)
    assert record.counts == {"not_computed": 40}


def test_blocks_are_leased_once(ledger):
    add(ledger)
    first = ledger.lease(ID, "a", 3, LATER)
    second = ledger.lease(ID, "b", 99, LATER)
    assert first.blocks == (0, 1, 2)
    assert second.blocks == (3, 4, 5, 6, 7)
    assert ledger.lease(ID, "c", 1, LATER) is None
    assert ledger.sweep(ID).state == SweepState.RUNNING


def test_many_owners_at_once_never_share_a_block(ledger):
    add(ledger)
    taken, lock = [], threading.Lock()

    def work(owner):
        while lease := ledger.lease(ID, owner, 1, LATER):
            with lock:
                taken.extend(lease.blocks)
            record(ledger, owner, *lease.blocks)

    threads = [threading.Thread(target=work, args=(f"owner{i}",)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(8))
    assert ledger.sweep(ID).state == SweepState.DONE
    assert ledger.sweep(ID).counts == {"done": 40}


def test_a_lease_that_ran_out_is_taken_over_and_the_late_result_ignored(ledger):
    add(ledger)
    ledger.lease(ID, "dead", 8, -1)
    assert ledger.lease(ID, "alive", 8, LATER).blocks == (0,)  # tried before: alone
    record(ledger, "dead", 0)
    assert ledger.sweep(ID).blocks_done == 0
    record(ledger, "alive", 0)
    record(ledger, "alive", 0)  # twice changes nothing
    assert ledger.sweep(ID).blocks_done == 1
    assert ledger.checksums(ID) == {("scaling", 0): "00000000"}


def test_renewing_keeps_a_lease(ledger):
    add(ledger)
    ledger.lease(ID, "a", 8, -1)
    ledger.renew("a", LATER)
    assert ledger.lease(ID, "b", 8, LATER) is None


def test_a_released_block_comes_back_alone_with_its_attempts_counted(ledger):
    add(ledger)
    ledger.lease(ID, "a", 8, LATER)
    ledger.release(ID, "a", "scaling", 2)
    ledger.release(ID, "a", "scaling", 5)
    assert ledger.attempts(ID, "scaling", 2) == 1
    assert ledger.lease(ID, "b", 8, LATER).blocks == (2,)
    assert ledger.attempts(ID, "scaling", 2) == 2


def test_a_release_by_another_owner_does_nothing(ledger):
    add(ledger)
    ledger.lease(ID, "a", 8, LATER)
    ledger.release(ID, "b", "scaling", 2)
    assert ledger.lease(ID, "b", 8, LATER) is None


def test_a_block_given_up_fails_the_sweep_which_goes_on(ledger):
    add(ledger)
    ledger.lease(ID, "a", 8, LATER)
    failure = {"cell": None, "parameters": {}, "error": "killed", "traceback": ""}
    lost = Receipt("scaling", 3, "", {"failed": 5}, 0.0, (failure,))
    ledger.give_up(PLAN, "a", lost, "killed")
    assert ledger.sweep(ID).state == SweepState.RUNNING
    record(ledger, "a", *(b for b in range(8) if b != 3))
    sweep = ledger.sweep(ID)
    assert sweep.state == SweepState.FAILED
    assert sweep.counts == {"done": 35, "failed": 5}
    assert [f["error"] for f in ledger.failures(ID)] == ["killed"]


def test_events_are_ordered_and_continue_where_asked(ledger):
    add(ledger)
    ledger.lease(ID, "a", 8, LATER)
    record(ledger, "a", *range(4))
    record(ledger, "a", *range(4, 8))
    kinds = [event.kind for event in ledger.events(ID)]
    assert kinds == ["queued", "running", "progress", "progress", "done"]
    ids = [event.id for event in ledger.events(ID)]
    assert ids == sorted(set(ids))
    assert [event.kind for event in ledger.events(ID, after=ids[2])] == ["progress", "done"]


def test_measured_cost_is_the_mean_over_cells(ledger):
    add(ledger)
    assert ledger.seconds_per_cell("scaling", "1") is None
    ledger.lease(ID, "a", 8, LATER)
    record(ledger, "a", 0, 1)
    assert ledger.seconds_per_cell("scaling", "1") == pytest.approx(0.02)


def test_migrations_give_the_tables_that_the_code_has(ledger):
    with ledger.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), tables)
    assert differences == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sqlite_is_in_wal_mode_and_writers_begin_immediate(ledger):
    with ledger.engine.connect() as connection:
        assert connection.execute(sa.text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(sa.text("PRAGMA busy_timeout")).scalar() == 10_000


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_leasing_and_renewing_look_at_no_more_blocks_than_they_take(ledger):
    seen = []
    sa.event.listen(ledger.engine, "before_cursor_execute", lambda *call: seen.append(call[2:4]))
    add(ledger)
    ledger.lease(ID, "me", 2, LATER)
    ledger.renew("me", LATER)
    ledger.release_all("me")
    touching = [(sql, given) for sql, given in seen if "blocks" in sql and "INSERT" not in sql]
    assert len(touching) > 3
    with ledger.engine.connect() as db:
        for sql, given in touching:
            plan = db.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given).all()
            steps = " ".join(row.detail for row in plan)
            assert "SEARCH blocks" in steps, (sql, steps)
            assert "SCAN" not in steps, (sql, steps)
            assert "TEMP B-TREE" not in steps, (sql, steps)  # a sort


def test_reading_does_not_wait_for_a_writer(ledger):
    add(ledger)
    with ledger.engine.begin() as writing:
        writing.execute(sa.text("UPDATE sweeps SET name = 'busy'"))
        assert ledger.sweep(ID).name == "test"
        assert list(ledger.active()) == [ID]


def test_a_ledger_opens_again_with_its_content(database_url):
    first = Ledger(database_url)
    add(first)
    first.close()
    second = Ledger(database_url)
    assert second.sweep(ID).cells == 40
    second.close()


@pytest.mark.parametrize("moves", [MOVES, BLOCK_MOVES])
def test_every_state_has_its_moves_and_ends_are_final(moves):
    states = type(next(iter(moves)))
    assert set(moves) == set(states)
    entered = {states.QUEUED, *([BlockState.WAITING] if states is BlockState else [])}
    reachable = set().union(*moves.values()) | entered
    assert reachable == set(states)


def test_what_ended_can_be_tried_again_but_for_what_nobody_wanted():
    assert {state for state, targets in BLOCK_MOVES.items() if not targets} == {BlockState.SKIPPED}
    assert not {state for state, targets in MOVES.items() if not targets}
    ended = {state for state in MOVES if state.ended} - {SweepState.DELETED}
    assert all(SweepState.QUEUED in MOVES[state] for state in ended)


OLD_REQUEST = {
    "models": ["scaling"],
    "axes": {
        "T": {"logspace": [-6, -2, 3]},
        "alpha": {"linspace": [2, 4, 3]},
        "beta": {"like": "alpha"},
        "d": {"list": [2.0, 3.0]},
    },
    "cases": [{"W": 1.0}, {"W": 2.0}],
    "fixed": {"t": 0.02},
}
FINDS_IT = [
    Search(models=("scaling",), tags=("a",), text="OLD scal"),
    *(Search(spans={name: (at, at)}) for name, at in {"T": 1e-4, "beta": 3, "d": 3}.items()),
    *(Search(spans={name: (at, at)}) for name, at in {"W": 1.5, "t": 0.02}.items()),
]


def test_every_earlier_ledger_is_brought_up_to_date_with_its_content(database_url):
    config = migration_config(database_url)
    revisions = [r.revision for r in ScriptDirectory.from_config(config).walk_revisions()]
    assert len(revisions) >= 2
    for revision in reversed(revisions):
        command.downgrade(config, "base") if revision != revisions[-1] else None
        command.upgrade(config, revision)
        engine = sa.create_engine(driver_of(database_url))
        old = sa.Table("sweeps", sa.MetaData(), autoload_with=engine)
        numbers = dict.fromkeys(("cells", "blocks", "blocks_done", "seconds", "created"), 1)
        row = {"id": ID, "name": "old", "tags": ["a"], "state": "done", "counts": {}}
        row["request"] = OLD_REQUEST
        with engine.begin() as connection:
            connection.execute(old.insert().values(**row, **numbers))
        engine.dispose()
        ledger = Ledger(database_url)
        assert ledger.sweep(ID).name == "old"
        for search in FINDS_IT if revision < "0008" else ():  # later ones enter what finds it
            assert [sweep.id for sweep in ledger.find(search)] == [ID], search
        assert ledger.find(Search(spans={"T": (1.0, 2.0)})) == []
        with ledger.engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), tables) == []
        ledger.close()


def test_many_services_may_start_at_once_on_an_empty_database(database_url):
    code = "import sys; from delocal.service.ledger import Ledger; Ledger(sys.argv[1]).close()"
    started = [
        subprocess.Popen([sys.executable, "-c", code, database_url], stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    here = [threading.Thread(target=lambda: Ledger(database_url).close()) for _ in range(3)]
    for thread in here:
        thread.start()
    for thread in here:
        thread.join()
    for process in started:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()


def test_a_sweep_entered_by_many_at_once_is_entered_once(ledger):
    entered = []
    threads = [threading.Thread(target=lambda: entered.append(add(ledger))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(entered) == [False] * 5 + [True]
    assert ledger.sweep(ID).blocks == 8


def test_what_many_record_at_once_is_all_counted(ledger):
    add(ledger)
    owners = [f"owner{i}" for i in range(8)]
    for owner in owners:
        ledger.lease(ID, owner, 1, LATER)
    threads = [
        threading.Thread(target=record, args=(ledger, owner, block))
        for block, owner in enumerate(owners)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sweep = ledger.sweep(ID)
    assert (sweep.state, sweep.counts, sweep.blocks_done) == (SweepState.DONE, {"done": 40}, 8)
