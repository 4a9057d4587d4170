"""Logs: one line of JSON for each event, with the ids of what it is about."""

import io
import json
import logging
import threading

import pytest
import structlog

from delocal.service.logs import LogSettings, adopt_logs, configure_logs, quiet_logs
from delocal.service.settings import ClusterSettings, Service, Settings
from tests.service.test_audit_and_quotas import request
from tests.waiting import PATIENCE


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_a_line_of_json_with_the_ids_bound_to_it():
    stream = io.StringIO()
    configure_logs(LogSettings(), stream)
    with structlog.contextvars.bound_contextvars(request_id="r1", sweep="abc"):
        structlog.get_logger().info("sweep submitted", cells=7)
    [line] = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    expected = {"event": "sweep submitted", "level": "info", "request_id": "r1", "sweep": "abc"}
    assert line == {**expected, "cells": 7}


def test_a_traceback_is_within_its_line():
    stream = io.StringIO()
    configure_logs(LogSettings(), stream)
    try:
        raise ValueError("two\nlines")
    except ValueError:
        structlog.get_logger().exception("it failed")
    [line] = lines(stream)
    assert "ValueError: two" in line["exception"]


def test_libraries_log_in_the_same_form_and_only_what_goes_wrong():
    stream = io.StringIO()
    configure_logs(LogSettings(level="debug"), stream)
    logging.getLogger("uvicorn.error").info("starting")
    logging.getLogger("distributed.batched").warning("connection closed")
    logging.getLogger("distributed.scheduler").error("worker %s lost", 3)
    assert [line["event"] for line in lines(stream)] == ["worker 3 lost"]


def test_a_library_with_handlers_of_its_own_is_brought_in_line():
    stream, theirs = io.StringIO(), io.StringIO()
    logger = logging.getLogger("distributed.test_logs")
    logger.addHandler(logging.StreamHandler(theirs))
    logger.propagate = False
    adopt_logs("distributed")  # in a program that configures its logs itself: nothing
    assert logger.handlers
    configure_logs(LogSettings(), stream)
    adopt_logs("distributed")
    logger.error("scheduler lost")
    assert [line["event"] for line in lines(stream)] == ["scheduler lost"]
    assert theirs.getvalue() == ""


def test_a_terminal_gets_text_and_no_chatter():
    stream = io.StringIO()
    stream.isatty = lambda: True
    configure_logs(LogSettings(), stream)
    structlog.get_logger().info("request")
    structlog.get_logger().warning("no cluster")
    assert stream.getvalue().count("\n") == 1
    assert "no cluster" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


@pytest.mark.parametrize(("form", "first"), [("text", "2"), ("json", "{")])
def test_the_form_can_be_chosen(form, first):
    stream = io.StringIO()
    configure_logs(LogSettings(form=form, level="info"), stream)
    structlog.get_logger().info("hello")
    assert stream.getvalue()[0] == first


def test_a_service_inside_a_program_is_quiet_unless_the_program_says_otherwise(capsys):
    quiet_logs()
    structlog.get_logger().info("request")
    structlog.get_logger().warning("no cluster")
    told = capsys.readouterr()
    assert told.out == ""
    assert "no cluster" in told.err
    assert "request" not in told.err
    stream = io.StringIO()
    configure_logs(LogSettings(), stream)
    quiet_logs()
    structlog.get_logger().info("still here")
    assert "still here" in stream.getvalue()


def test_what_a_task_does_is_told_with_its_sweep_and_blocks(tmp_path):
    stream = io.StringIO()
    configure_logs(LogSettings(level="debug"), stream)
    service = Service(Settings(data=tmp_path, cluster=ClusterSettings(kind="none")))
    sweep = service.sweeps.submit(request(0.1, 200_000))
    service.sweeps.wait(sweep.id, timeout=PATIENCE)
    service.close()
    told = lines(stream)
    done = [line for line in told if line["event"] == "task done"]
    assert {line["sweep"] for line in done} == {sweep.id}
    assert sorted(block for line in done for block in line["blocks"]) == [0, 1]
    assert {line["model"] for line in done} == {"scaling"}
    [submitted] = [line for line in told if line["event"] == "sweep submitted"]
    assert (submitted["sweep"], submitted["cells"]) == (sweep.id, 200_000)
    [ended] = [line for line in told if line["event"] == "sweep ended"]
    assert ended["state"] == "done"


def test_ids_of_one_thread_are_not_told_by_another():
    stream = io.StringIO()
    configure_logs(LogSettings(), stream)
    with structlog.contextvars.bound_contextvars(request_id="mine"):
        other = threading.Thread(target=lambda: structlog.get_logger().info("other"))
        other.start()
        other.join()
    assert "request_id" not in lines(stream)[0]
