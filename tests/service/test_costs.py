"""What a dry run says of a Monte Carlo sweep is what the sweep then takes, cell by cell."""

from dataclasses import replace

import numpy as np
import pytest

from delocal.physics.model import STATUS, Model, Parameter, Status, Variable
from delocal.service.request import SweepRequest
from delocal.workers import replicas as replicating


class Clock:
    """Time of a core that only replicas spend."""

    seconds = 0.0

    def thread_time(self):
        return self.seconds


CLOCK = Clock()


def replicate(point, options, rng, cancelled):
    CLOCK.seconds += point["cost"]
    if point["sigma"] > 50:
        return {"x": np.nan, "status": Status.OUTSIDE_DOMAIN}
    return {"x": rng.normal(1.0, point["sigma"])}


NOISE = Model(
    name="noise",
    version="1",
    kind="monte-carlo",
    title="Normal numbers around 1",
    reference="none",
    parameters=(Parameter("sigma", "width", "1"), Parameter("cost", "of a replica", "s")),
    variables=(STATUS, Variable("x", "number", estimated=True)),
    evaluate=lambda mesh, options: {},
    replicate=replicate,
    target="x",
    seconds_per_cell=0.1,
)
WIDTHS = [0.1, 0.2, 0.4, 0.8]


@pytest.fixture(autouse=True)
def clock(install, monkeypatch):
    install(NOISE)
    monkeypatch.setattr(CLOCK, "seconds", 0.0)
    monkeypatch.setattr(replicating, "time", CLOCK)


ERROR = {"target_rel_error": 0.06, "max_replicas": 1024}


def request(sigma=WIDTHS, cost=(1.0, 10.0), seed=0, **sampling):
    return SweepRequest.parse(
        {
            "models": ["noise"],
            "axes": {"sigma": list(sigma), "cost": list(cost)},
            "sampling": {"replicas": 8, **sampling},
            "seed": seed,
        }
    )


def run(service, wanted):
    """Return how many replicas were computed, and the seconds they took by the clock."""
    before = CLOCK.seconds
    sweep = service.sweeps.wait(service.sweeps.submit(wanted).id, timeout=120)
    status = service.sweeps.store(sweep.id).open_model("noise_replicas").status.values
    return int((status != Status.NOT_COMPUTED).sum()), CLOCK.seconds - before


def test_without_earlier_sweeps_the_first_replicas_are_counted(service):
    estimate = service.sweeps.estimate(request(**ERROR))
    assert estimate.replicas == 8 * 8
    assert estimate.core_seconds == pytest.approx(64 * NOISE.seconds_per_cell)


def test_the_same_cells_cost_what_they_did(service):
    run(service, request())
    more = request(replicas=16, seed=1)
    estimate = service.sweeps.estimate(more)
    assert (estimate.replicas, estimate.core_seconds) == (128, pytest.approx(4 * 16 * 11.0))
    assert run(service, more) == (128, pytest.approx(estimate.core_seconds))


@pytest.mark.parametrize("seconds_per_cell", [0.1, 1e-3], ids=["a cell a block", "many"])
def test_the_cost_of_an_error_is_known_before_it_is_paid(service, install, seconds_per_cell):
    install(replace(NOISE, seconds_per_cell=seconds_per_cell))
    run(service, request(replicas=256))
    wanted = request(**ERROR, seed=1)
    estimate = service.sweeps.estimate(wanted)
    number, seconds = run(service, wanted)
    assert number > 3 * 8 * 8
    assert 0.5 < estimate.replicas / number < 2
    assert 0.5 < estimate.core_seconds / seconds < 2


def test_cells_that_nobody_has_cost_what_their_neighbours_do(service):
    run(service, request(replicas=256))
    between = request([0.11, 0.85], [1.1, 9.0], **ERROR)
    estimate = service.sweeps.estimate(between)
    number, seconds = run(service, between)
    assert 0.5 < estimate.replicas / number < 2
    assert 0.5 < estimate.core_seconds / seconds < 2


def test_where_there_is_nothing_to_improve_the_first_replicas_are_all(service):
    run(service, request([100.0, 200.0]))
    estimate = service.sweeps.estimate(request([100.0, 200.0], seed=1, **ERROR))
    assert estimate.replicas == 8 * 4
    assert estimate.core_seconds == pytest.approx(8 * 22.0)


def test_cells_that_are_left_out_cost_nothing(service):
    run(service, request())
    whole = request(seed=1)
    content = whole.model_dump(mode="json", exclude_defaults=True)
    part = SweepRequest.parse({**content, "exclude": [{"sigma": {"lt": 0.3}}]})
    assert service.sweeps.estimate(whole).replicas == 64
    assert service.sweeps.estimate(part).replicas == 8 * 4


def test_a_sweep_in_the_trash_tells_nothing(service):
    first, wanted = request(), request(seed=1)
    run(service, first)
    assert service.sweeps.estimate(wanted).core_seconds == pytest.approx(4 * 8 * 11.0)
    service.sweeps.delete(first.plan().sweep_id)
    mean = service.ledger.seconds_per_cell("noise", "1")
    assert service.sweeps.estimate(wanted).core_seconds == pytest.approx(64 * mean)


def test_a_sweep_from_before_the_target_was_a_variable_tells_nothing(service, install):
    run(service, request())
    other = Variable("y", "another number", estimated=True)
    install(replace(NOISE, variables=(*NOISE.variables, other), target="y"))
    mean = service.ledger.seconds_per_cell("noise", "1")
    assert service.sweeps.estimate(request(seed=1)).core_seconds == pytest.approx(64 * mean)
