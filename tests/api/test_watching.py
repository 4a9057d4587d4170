"""The table of sweeps that go on."""

import io

from rich.console import Console

from delocal.api.cli.watching import Pace, follow, progress_table

STATUS = {
    "id": "0123456789abcdef",
    "name": "dipoles",
    "state": "running",
    "paused": None,
    "cells": {"total": 1000, "not_computed": 750, "done": 240, "failed": 10},
}


def drawn(statuses, paces, now):
    text = io.StringIO()
    Console(file=text, width=160).print(progress_table(statuses, paces, now))
    return text.getvalue()


def test_the_time_that_is_left_follows_from_the_pace_since_somebody_looks():
    pace = Pace()
    assert pace.seconds_left(100.0, 400, 1000) is None
    assert pace.seconds_left(110.0, 400, 1000) is None
    assert pace.seconds_left(110.0, 500, 1000) == 50
    assert pace.seconds_left(120.0, 1000, 1000) == 0


def test_a_row_says_how_much_is_there_and_what_went_wrong():
    pace = Pace()
    pace.seconds_left(0.0, 150, 1000)
    text = drawn([STATUS], [pace], 10.0)
    for part in ("0123456789abcdef", "dipoles", "running", "250 of 1,000", "10 failed", "1:15"):
        assert part in text


def test_a_sweep_that_waits_says_why_and_one_that_ended_needs_no_time():
    text = drawn(
        [{**STATUS, "paused": "the disk is full"}, {**STATUS, "state": "done"}],
        [Pace(), Pace()],
        0.0,
    )
    assert "running: the disk is full" in text
    assert "1:15" not in text


def test_it_is_drawn_until_all_have_ended(monkeypatch):
    class Sweep:
        def __init__(self, *states):
            self.states = list(states)

        def status(self):
            state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
            return {**STATUS, "state": state}

    monkeypatch.setattr("delocal.api.cli.watching.LOOK_SECONDS", 0)
    ended = follow([Sweep("running", "done"), Sweep("queued", "running", "running", "failed")])
    assert [status["state"] for status in ended] == ["done", "failed"]
    assert follow([]) == []
