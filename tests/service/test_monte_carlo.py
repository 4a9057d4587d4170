"""A Monte Carlo sweep through ledger and dispatcher: stages, targets, restarts, same bytes."""

import threading

import numpy as np
import pytest

from delocal.physics.model import STATUS, Model, Parameter, Status, Variable
from delocal.service import dispatcher as dispatching
from delocal.service.dispatcher import Dispatcher
from delocal.service.errors import RequestError
from delocal.service.request import SweepRequest
from delocal.service.settings import ClusterSettings, Service, Settings
from delocal.service.states import SweepState
from delocal.workers.block import run_task
from delocal.workers.local import LocalExecutor, run_plan
from tests.service.conftest import enter as enter_plan
from tests.service.conftest import wait
from tests.waiting import PATIENCE, eventually

NOISE = Model(
    name="noise",
    version="1",
    kind="monte-carlo",
    title="Normal numbers",
    reference="none",
    parameters=(Parameter("mean", "mean", "1"), Parameter("sigma", "width", "1", default=1.0)),
    variables=(STATUS, Variable("x", "number", estimated=True)),
    evaluate=lambda mesh, options: {},
    replicate=lambda point, options, rng, cancelled: {
        "x": rng.normal(point["mean"], point["sigma"])
    },
    target="x",
    seconds_per_cell=0.2,
)
REQUEST = {
    "models": ["noise"],
    "axes": {"mean": [1, 2, 4, 8, 16, 100]},
    "sampling": {"replicas": 8, "target_rel_error": 0.03, "max_replicas": 64},
}


@pytest.fixture(autouse=True)
def noise(install):
    install(NOISE)


@pytest.fixture
def reference(tmp_path):
    return contents(run_plan(SweepRequest.parse(REQUEST).plan(), tmp_path / "reference"))


def contents(store):
    ds = store.open_model("noise").load()
    return {n: v.values.tobytes() for n, v in ds.data_vars.items() if "seconds" not in n}


def enter(ledger, tmp_path, request=REQUEST):
    plan = SweepRequest.parse(request).plan()
    return plan, enter_plan(ledger, tmp_path, plan)


class Threads:
    """Runs each task in a thread of its own."""

    description = "threads"

    def __init__(self, slots, run=run_task):
        self.slots, self.run, self.tasks = slots, run, []

    def submit(self, task, done):
        self.tasks.append(task)

        def work():
            try:
                outcome = self.run(task)
            except Exception as error:
                outcome = error
            done(task, outcome)

        threading.Thread(target=work).start()

    def cancel(self, root):
        pass

    def shorten(self, root):
        pass

    def close(self):
        pass


@pytest.mark.parametrize("slots", [1, 2, 4])
def test_any_number_of_workers_gives_the_bytes_of_a_local_run(ledger, tmp_path, reference, slots):
    plan, store = enter(ledger, tmp_path)
    dispatcher = Dispatcher(ledger, Threads(slots), tmp_path / "sweeps")
    dispatcher.start()
    sweep = wait(ledger, plan.sweep_id)
    dispatcher.stop()
    assert sweep.state == SweepState.DONE
    assert contents(store) == reference
    ds = store.open_model("noise").load()
    labels = {
        "done": int((ds.status == Status.DONE).sum()),
        "not_converged": int((ds.status == Status.NOT_CONVERGED).sum()),
    }
    assert sweep.counts == labels
    assert all(labels.values())


def test_replicas_that_nobody_wants_are_not_computed(ledger, tmp_path):
    plan, store = enter(ledger, tmp_path)
    executor = Threads(2)
    dispatcher = Dispatcher(ledger, executor, tmp_path / "sweeps")
    dispatcher.start()
    sweep = wait(ledger, plan.sweep_id)
    dispatcher.stop()
    replicas = plan.part("noise_replicas")
    computed = {b for task in executor.tasks if task.model == replicas.name for b in task.blocks}
    ds = store.open_model("noise").load()
    batch = replicas.block_shape[-1]
    assert len(computed) == int((ds.n_replicas / batch).sum()) < len(replicas.blocks)
    assert sweep.blocks_done == sweep.blocks


def test_replicas_of_one_cell_are_spread_over_workers(ledger, tmp_path):
    request = {"models": ["noise"], "fixed": {"mean": 1}, "sampling": {"replicas": 32}}
    plan, store = enter(ledger, tmp_path, request)
    executor = Threads(4)
    dispatcher = Dispatcher(ledger, executor, tmp_path / "sweeps")
    dispatcher.start()
    wait(ledger, plan.sweep_id)
    dispatcher.stop()
    assert sum(task.model == "noise_replicas" for task in executor.tasks) >= 4
    assert store.open_model("noise").n_replicas == 32


def test_a_restart_between_stages_goes_on_to_the_same_bytes(ledger, tmp_path, reference):
    plan, store = enter(ledger, tmp_path)
    left, ended = {"tasks": 5}, threading.Event()

    def dying(task):
        left["tasks"] -= 1
        if left["tasks"] < 0:  # the machine went away: nothing is heard of it any more
            ended.wait(PATIENCE)
            raise SystemError
        return run_task(task)

    first = Dispatcher(ledger, Threads(1, dying), tmp_path / "sweeps")
    first.start()
    eventually(lambda: left["tasks"] < 0)
    first.stop()
    assert not ledger.sweep(plan.sweep_id).state.ended
    second = Dispatcher(ledger, LocalExecutor(), tmp_path / "sweeps")
    second.start()
    assert wait(ledger, plan.sweep_id).state == SweepState.DONE
    second.stop()
    ended.set()
    assert contents(store) == reference


def test_a_batch_that_kills_its_worker_costs_its_replicas_only(ledger, tmp_path):
    def poisoned(task):
        if task.model == "noise_replicas" and 0 in task.blocks:
            raise RuntimeError("killed worker")
        return run_task(task)

    request = {**REQUEST, "sampling": {"replicas": 8}}
    plan, store = enter(ledger, tmp_path, request)
    dispatcher = Dispatcher(ledger, Threads(2, poisoned), tmp_path / "sweeps")
    dispatcher.start()
    sweep = wait(ledger, plan.sweep_id)
    dispatcher.stop()
    assert sweep.state == SweepState.FAILED
    assert sweep.counts == {"done": 6}
    batch = plan.part("noise_replicas").block_shape[-1]
    found = store.open_model("noise").n_replicas.values
    assert found.tolist() == [8 - batch, 8, 8, 8, 8, 8]
    assert "killed worker" in ledger.failures(sweep.id)[0]["error"]


def test_the_cost_of_a_replica_is_measured(ledger, tmp_path):
    plan, _ = enter(ledger, tmp_path)
    dispatcher = Dispatcher(ledger, Threads(1), tmp_path / "sweeps")
    dispatcher.start()
    wait(ledger, plan.sweep_id)
    dispatcher.stop()
    assert 0 < ledger.seconds_per_cell("noise", "1") < 0.1


def test_a_service_runs_a_monte_carlo_sweep(tmp_path, reference, monkeypatch):
    monkeypatch.setattr(dispatching, "TASK_SECONDS", 0.5)
    service = Service(Settings(data=tmp_path, cluster=ClusterSettings(kind="none")))
    request = SweepRequest.parse(REQUEST)
    estimate = service.sweeps.estimate(request)
    assert (estimate.cells, estimate.core_seconds) == (6, pytest.approx(6 * 8 * 0.2))
    sweep = service.sweeps.wait(service.sweeps.submit(request).id, timeout=PATIENCE)
    assert sweep.state == SweepState.DONE
    store = service.sweeps.store(sweep.id)
    assert contents(store) == reference
    assert set(store.open().children) == {"noise", "noise_replicas"}
    measured = service.ledger.seconds_per_cell("noise", "1")
    assert 0 < measured < 0.2
    spent = float(store.open_model("noise").core_seconds.sum())
    assert service.sweeps.estimate(request).core_seconds == pytest.approx(spent)
    service.close()


@pytest.mark.parametrize(
    ("sampling", "message"),
    [
        ({"replicas": 1}, "sampling.replicas"),
        (
            {"replicas": 8, "max_replicas": 4, "target_rel_error": 0.1},
            "max_replicas = 4 is below 8",
        ),
        ({"max_replicas": 64}, "max_replicas without target_rel_error"),
        ({"target_rel_error": 0}, "sampling.target_rel_error"),
        ({"repplicas": 8}, "did you mean 'replicas'"),
    ],
)
def test_wrong_sampling_is_named(sampling, message):
    with pytest.raises(RequestError, match=message):
        SweepRequest.parse({**REQUEST, "sampling": sampling}).plan()


def test_sampling_is_part_of_the_identity():
    first = SweepRequest.parse(REQUEST).plan().sweep_id
    other = {**REQUEST, "sampling": {**REQUEST["sampling"], "target_rel_error": 0.01}}
    assert SweepRequest.parse(other).plan().sweep_id != first
    assert SweepRequest.parse({**REQUEST, "seed": 3}).plan().sweep_id != first
    assert SweepRequest.parse(REQUEST).plan(block_cells=1).sweep_id == first


def test_sampling_without_anything_to_sample_is_refused(install):
    import dataclasses

    install(dataclasses.replace(NOISE, replicate=None, evaluate=lambda m, o: {"x": np.zeros(1)}))
    with pytest.raises(RequestError, match="nothing is sampled"):
        SweepRequest.parse(REQUEST).plan()
