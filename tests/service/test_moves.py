"""Moves of sweeps and blocks: those that the tables have are made, and no others."""

import ast
from itertools import product
from pathlib import Path

import pytest
import sqlalchemy as sa

from delocal import service
from delocal.physics.models import load_models
from delocal.service import rebuild
from delocal.service.moves import move_blocks, move_sweep
from delocal.service.request import SweepRequest
from delocal.service.states import (
    BLOCK_MOVES,
    BLOCK_REPAIRS,
    MOVES,
    REPAIRS,
    BlockState,
    SweepState,
)
from delocal.service.tables import blocks, sweeps
from delocal.service.trash import Trash
from delocal.workers.store import Receipt
from tests.service.conftest import enter
from tests.service.test_ledger import ID, LATER, PLAN, add, receipt
from tests.service.test_monte_carlo import NOISE

FAILURE = {"cell": [0], "parameters": {}, "error": "too cold", "traceback": ""}
FIRST = sa.and_(blocks.c.sweep_id == ID, blocks.c.block == 0)


def pairs(table):
    return {(source, target) for source, targets in table.items() for target in targets}


def put(ledger, table, state, where):
    """Set a state as only a test may."""
    with ledger.writing() as db:
        db.execute(table.update().where(where).values(state=state))


def state_of(ledger, table, where):
    with ledger.writing() as db:
        return db.scalar(sa.select(table.c.state).where(where))


@pytest.fixture
def unwatched(ledger):
    """A ledger in which a test may set states."""
    with ledger.writing() as db:
        if db.dialect.name == "sqlite":
            db.execute(sa.text("DROP TRIGGER moves_of_blocks"))
            db.execute(sa.text("DROP TRIGGER moves_of_sweeps"))
    add(ledger)
    return ledger


def move_one_block(db, target, moves):
    return move_blocks(db, target, FIRST, moves=moves) == 1


def move_one_sweep(db, target, moves):
    return move_sweep(db, ID, target, moves=moves)


@pytest.mark.parametrize(
    ("states", "table", "here", "move", "moves"),
    [
        (BlockState, blocks, FIRST, move_one_block, BLOCK_MOVES),
        (BlockState, blocks, FIRST, move_one_block, BLOCK_REPAIRS),
        (SweepState, sweeps, sweeps.c.id == ID, move_one_sweep, MOVES),
        (SweepState, sweeps, sweeps.c.id == ID, move_one_sweep, REPAIRS),
    ],
    ids=["blocks", "repairs of blocks", "sweeps", "repairs of sweeps"],
)
def test_states_go_where_their_table_says_and_nowhere_else(
    unwatched, states, table, here, move, moves
):
    for source, target in product(states, states):
        put(unwatched, table, source, here)
        if not any(target in targets for targets in moves.values()):
            continue
        with unwatched.writing() as db:
            moved = move(db, target, moves)
        allowed = (source, target) in pairs(moves)
        assert moved == allowed, (source, target)
        assert state_of(unwatched, table, here) == (target if allowed else source)


def test_a_move_that_the_table_lacks_cannot_be_asked_for(ledger):
    with ledger.writing() as db:
        with pytest.raises(ValueError, match=r"no move from queued to done; .* from leased"):
            move_blocks(db, BlockState.DONE, only=[BlockState.QUEUED])
        with pytest.raises(ValueError, match=r"no move from skipped, leased to queued"):
            move_blocks(db, BlockState.QUEUED, only=[BlockState.SKIPPED, BlockState.LEASED])
        with pytest.raises(ValueError, match=r"no move from anywhere to queued; .* nowhere"):
            move_sweep(db, ID, SweepState.QUEUED, moves=REPAIRS)


def test_no_other_module_sets_a_state():
    folder = Path(service.__file__).parent
    found = [p for p in folder.glob("*.py") for call in updates(p) if "state" in keywords(call)]
    assert {path.name for path in found} == {"moves.py"}


def updates(path):
    """Return every ``sweeps.update()....values(...)`` of a file, and those of blocks."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    starts = ("sweeps.update()", "blocks.update()")
    return [call for call in calls if ast.unparse(call).startswith(starts)]


def keywords(call):
    return {keyword.arg for keyword in call.keywords}


def test_the_ledger_makes_every_move_of_the_tables_and_no_other(noted, tmp_path, install):
    install(NOISE, load_models()["scaling"])
    ledger, moves = noted
    trash = Trash(ledger, lambda sweep_id: stores[sweep_id], lambda sweep_id: None, None)
    stores = {}

    def entered(plan):
        stores[plan.sweep_id] = enter(ledger, tmp_path, plan)
        return plan

    fails_and_is_tried_again(ledger, PLAN, entered, trash)
    is_cancelled_again_and_again(ledger, closed_form(0.1), entered, trash)
    wants_more_replicas(ledger, entered(monte_carlo(1)))
    loses_its_summary(ledger, entered(monte_carlo(2)))
    assert moves("sweeps") == pairs(MOVES)
    assert moves("blocks") == pairs(BLOCK_MOVES)


def closed_form(t):
    content = {
        "models": ["scaling"],
        "axes": {"T": {"geomspace": [1e-6, 1e-2, 40]}},
        "fixed": {"d": 2, "alpha": 3, "beta": 3, "W": 1, "t": t},
    }
    return SweepRequest.parse(content).plan(block_cells=5)


def monte_carlo(mean):
    """One cell whose eight replicas may become 64, in batches."""
    sampling = {"replicas": 8, "target_rel_error": 0.03, "max_replicas": 64}
    request = {"models": ["noise"], "axes": {"mean": [mean]}, "sampling": sampling}
    return SweepRequest.parse(request).plan()


def do(ledger, plan, *failed, wanted=()):
    """Compute all that is free.

    The blocks `failed` have a cell that raised; summaries want more replicas as `wanted` says,
    one after the other.
    """
    wanted = iter(wanted)
    while lease := ledger.lease(plan.sweep_id, "me", 99, LATER):
        unfinished = lease.model == "noise" and next(wanted, False)
        made = [
            Receipt(lease.model, b, "0", {"done": 1}, 0.1, raised(b in failed), unfinished)
            for b in lease.blocks
        ]
        ledger.record(plan, "me", lease.model, made)


def raised(failed):
    return (FAILURE,) if failed else ()


def fails_and_is_tried_again(ledger, plan, entered, trash):
    entered(plan)
    here = plan.sweep_id
    assert ledger.lease(here, "dead", 1, -1).blocks == (0,)
    assert len(ledger.lease(here, "me", 99, LATER).blocks) == 7
    assert ledger.lease(here, "me", 99, LATER).blocks == (0,)  # taken over
    ledger.release(here, "me", "scaling", 0)
    assert ledger.lease(here, "me", 99, LATER).blocks == (0,)
    ledger.give_up(plan, "me", receipt(0), "killed")
    ledger.record(plan, "me", "scaling", [receipt(b) for b in range(1, 8)])
    assert ledger.sweep(here).state == SweepState.FAILED
    trash.delete(ledger.sweep(here))
    trash.restore(ledger.sweep(here))
    assert ledger.retry(plan)
    do(ledger, plan, 0)
    assert ledger.sweep(here).state == SweepState.DONE
    trash.delete(ledger.sweep(here))
    trash.restore(ledger.sweep(here))
    assert ledger.retry(plan)  # a cell has failed
    assert not ledger.retry(plan)  # not twice


def is_cancelled_again_and_again(ledger, plan, entered, trash):
    entered(plan)
    assert ledger.cancel(plan.sweep_id)
    trash.delete(ledger.sweep(plan.sweep_id))
    trash.restore(ledger.sweep(plan.sweep_id))
    assert ledger.retry(plan)
    ledger.lease(plan.sweep_id, "slow", 2, LATER)
    assert ledger.cancel(plan.sweep_id)
    assert ledger.retry(plan)
    do(ledger, plan)
    assert ledger.sweep(plan.sweep_id).state == SweepState.DONE


def wants_more_replicas(ledger, plan):
    do(ledger, plan, wanted=[True])
    assert ledger.sweep(plan.sweep_id).state == SweepState.DONE


def loses_its_summary(ledger, plan):
    assert ledger.cancel(plan.sweep_id)
    assert ledger.retry(plan)
    while (lease := ledger.lease(plan.sweep_id, "me", 99, LATER)).model != "noise":
        done = [Receipt(lease.model, b, "0", {"done": 1}, 0.1) for b in lease.blocks]
        ledger.record(plan, "me", lease.model, done)
    assert ledger.cancel(plan.sweep_id)
    assert ledger.retry(plan)  # while somebody holds the summary
    assert ledger.lease(plan.sweep_id, "me", 99, LATER).model == "noise"
    ledger.give_up(plan, "me", Receipt("noise", 0, "", {"failed": 1}, 0.0), "killed")
    assert ledger.sweep(plan.sweep_id).state == SweepState.FAILED
    assert ledger.retry(plan)


def test_a_sweep_that_could_not_be_run_can_be_tried_again(ledger):
    add(ledger)
    ledger.lease(ID, "me", 2, LATER)
    ledger.fail(ID, "no such model here")
    ledger.release(ID, "me", "scaling", 0)
    assert ledger.sweep(ID).state == SweepState.FAILED
    assert ledger.lease(ID, "me", 99, LATER) is None
    assert ledger.retry(PLAN)
    assert len(ledger.lease(ID, "you", 99, LATER).blocks) == 8


def test_a_second_retry_takes_no_lease_from_who_holds_it(ledger):
    add(ledger)
    ledger.cancel(ID)
    assert ledger.retry(PLAN)
    assert len(ledger.lease(ID, "me", 99, LATER).blocks) == 8
    assert not ledger.retry(PLAN)  # asked for at the same time as the first
    ledger.record(PLAN, "me", "scaling", [receipt(b) for b in range(8)])
    assert ledger.sweep(ID).state == SweepState.DONE


@pytest.mark.parametrize("state", BlockState)
def test_the_doctor_makes_every_repair_of_a_block_and_no_other(unwatched, state):
    failed = Receipt("scaling", 0, "1", {"failed": 5}, 0.0, ({**FAILURE, "cell": None},))
    for found in (receipt(0), failed):
        put(unwatched, sweeps, SweepState.CANCELLED, sweeps.c.id == ID)
        put(unwatched, blocks, state, FIRST)
        rebuild.enter_receipts(unwatched, PLAN, {("scaling", 0): found})
        target = BlockState.FAILED if found is failed else BlockState.DONE
        repaired = (state, target) in pairs(BLOCK_REPAIRS)
        assert state_of(unwatched, blocks, FIRST) == (target if repaired else state)


@pytest.mark.parametrize("state", SweepState)
def test_the_doctor_makes_every_repair_of_a_sweep_and_no_other(unwatched, state):
    for block in (BlockState.DONE, BlockState.FAILED):
        put(unwatched, blocks, block, blocks.c.sweep_id == ID)
        put(unwatched, sweeps, state, sweeps.c.id == ID)
        with unwatched.writing() as db:
            db.execute(sweeps.update().values(blocks_done=3))
        rebuild.wrong_totals(unwatched, PLAN, repair=True)
        repaired = (state, SweepState(block)) in pairs(REPAIRS)
        assert unwatched.sweep(ID).state == (SweepState(block) if repaired else state)
