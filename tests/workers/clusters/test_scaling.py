"""The size of a cluster follows the work, between its bounds, and stops nobody at work."""

import pytest

from delocal.workers.clusters.scaling import REPEAT_SECONDS, Scaling, resize


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_it_grows_at_once_to_the_maximum(clock):
    scaling = Scaling(0, 10, 60, clock)
    assert [scaling.adjust(tasks) for tasks in (0, 3, 9, 27)] == [0, 3, 9, 10]


def test_a_window_of_three_tasks_a_worker_reaches_every_worker(clock):
    """The dispatcher keeps 3 tasks for each slot: more workers make more tasks."""
    scaling, slots = Scaling(0, 1000, 60, clock), 1
    for _ in range(7):
        slots = max(1, scaling.adjust(3 * slots))
    assert slots == 1000


def test_it_shrinks_after_patience_to_the_most_that_was_needed_meanwhile(clock):
    scaling = Scaling(1, 10, 60, clock)
    scaling.adjust(10)
    for clock.now, tasks in ((20, 2), (40, 4), (60, 0)):
        assert scaling.adjust(tasks) == 10
    clock.now = 61
    assert scaling.adjust(0) == 4
    clock.now = 122
    assert scaling.adjust(0) == 1


def test_it_is_due_when_the_size_differs_and_now_and_then(clock):
    scaling = Scaling(0, 4, 60, clock)
    assert not scaling.due
    scaling.adjust(3)
    assert scaling.due
    scaling.told(3)
    assert not scaling.due
    clock.now = REPEAT_SECONDS + 1
    assert scaling.due


class Workers:
    """Stands for a client and its cluster: workers by name, with their tasks."""

    def __init__(self, tasks, group=None):
        self.tasks, self.retired, self.scaled = tasks, [], []
        self.scheduler_info = {"workers": {f"at-{name}": {"name": name} for name in tasks}}
        if group:
            self.worker_spec = group

    def processing(self):
        return {f"at-{name}": tasks for name, tasks in self.tasks.items()}

    def retire_workers(self, workers, **_):
        self.retired += workers

    def sync(self, function, *arguments):
        function(*arguments)

    def scale_down(self, names):
        for job in [job for job, spec in self.worker_spec.items() if member(job, spec) in names]:
            del self.worker_spec[job]

    def scale(self, n):
        self.scaled.append(n)


def member(job, spec):
    return f"{job}{spec['group'][0]}" if "group" in spec else job


def test_only_idle_workers_are_stopped():
    workers = Workers({0: ["task"], 1: [], 2: []}, {0: {}, 1: {}, 2: {}})
    assert resize(workers, workers, 2, 3) == 2
    assert workers.retired == ["at-1"]
    assert resize(workers, workers, 0, 2) == 1
    assert list(workers.worker_spec) == [0]
    assert workers.scaled == []


def test_a_job_of_many_workers_is_stopped_as_a_whole_or_not():
    jobs = {"a": {"group": ["-0", "-1"]}, "b": {"group": ["-0", "-1"]}}
    workers = Workers({"a-0": ["task"], "a-1": [], "b-0": [], "b-1": []}, jobs)
    assert resize(workers, workers, 3, 4) == 4
    assert resize(workers, workers, 1, 4) == 2
    assert list(jobs) == ["a"]


def test_where_workers_cannot_be_chosen_none_is_stopped_before_all_are_idle():
    workers = Workers({"a": ["task"], "b": []})
    assert resize(workers, workers, 1, 2) == 2
    assert resize(workers, workers, 3, 2) == 3
    workers.tasks["a"] = []
    assert resize(workers, workers, 1, 3) == 1
    assert workers.scaled == [3, 1]
