"""The doctor names what is wrong, repairs it to the same bytes, and sets the ledger right."""

import json
import os
import shutil

import numpy as np
import pytest
import sqlalchemy as sa

from delocal.physics.model import STATUS, Model, Parameter, Status, Variable
from delocal.service import doctor
from delocal.service.doctor import Kind, examine
from delocal.service.errors import NotFound
from delocal.service.ledger import Ledger
from delocal.service.request import SweepRequest
from delocal.service.settings import ClusterSettings, Service, Settings
from delocal.service.states import SweepState
from delocal.workers.storage import storage_at, within
from delocal.workers.store import SweepStore
from tests.waiting import PATIENCE

REQUEST = {
    "name": "a sweep",
    "tags": ["one", "two"],
    "models": ["toy", "noise"],
    "axes": {"x": {"linspace": [0, 9, 10]}},
    "sampling": {"replicas": 4, "max_replicas": 16, "target_rel_error": 0.4},
}
CHUNK = "data.zarr/toy/y/c.1"


def square(mesh, options):
    if 3.0 in np.ravel(mesh["x"]):
        raise ZeroDivisionError("x = 3 is broken")
    return {"status": np.full(mesh["x"].shape, Status.DONE), "y": mesh["x"] ** 2, "z": 1.0}


def noise(point, options, rng, cancelled):
    return {"w": rng.normal(point["x"])}


def model(name, **kind):
    x = Parameter("x", "place", "1")
    return Model(name=name, version="1", title="A toy", reference="none", parameters=(x,), **kind)


TOYS = (
    model(
        "toy",
        kind="closed-form",
        evaluate=square,
        variables=(STATUS, Variable("y", "a number"), Variable("z", "another")),
    ),
    model(
        "noise",
        kind="monte-carlo",
        variables=(STATUS, Variable("w", "number", estimated=True)),
        evaluate=lambda mesh, options: {},
        replicate=noise,
        target="w",
    ),
)


@pytest.fixture(autouse=True)
def toys(install, monkeypatch):
    install(*TOYS)
    monkeypatch.setattr("delocal.workers.plan.BLOCK_CELLS", 5)


class Clinic:
    """A data folder with one finished sweep, and the doctor who looks at it."""

    def __init__(self, settings, request=REQUEST):
        self.settings = settings
        service = Service(settings)
        request = SweepRequest.parse(request)
        self.before = service.sweeps.wait(service.sweeps.submit(request).id)
        service.close()
        self.id = self.before.id
        self.storage = storage_at(within(settings.place, self.id))
        self.files = self.contents()

    def contents(self):
        return {name: self.storage.read(name) for name in self.storage.names()}

    def examine(self, **options):
        ledger = Ledger(self.settings.ledger_url)
        try:
            return examine(ledger, self.settings.place, **options)
        finally:
            ledger.close()

    def record(self):
        ledger = Ledger(self.settings.ledger_url)
        try:
            return ledger.sweep(self.id)
        finally:
            ledger.close()

    def lose_ledger(self):
        for path in self.settings.data.glob("ledger.sqlite*"):
            path.unlink()

    def sql(self, text):
        ledger = Ledger(self.settings.ledger_url)
        with ledger.writing() as db:
            db.execute(sa.text(text))
        ledger.close()

    def assert_same_data(self):
        """Every byte is as before, but for the time that replicas took."""
        after = self.contents()
        for name, content in self.files.items():
            if "seconds" not in name and name.startswith("data.zarr"):
                assert after[name] == content, name

    def assert_healed(self):
        """After a repair the doctor finds nothing more, and every byte of the data is as before."""
        report = self.examine(repair=True)
        assert report.findings
        assert report.healthy, [str(finding) for finding in report.findings]
        assert self.examine().findings == []
        assert self.contents().keys() == self.files.keys()
        self.assert_same_data()
        assert self.record().state == self.before.state
        assert self.record().counts == self.before.counts
        assert self.record().blocks_done == self.before.blocks


@pytest.fixture
def clinic(request, tmp_path):
    """A clinic for a folder; `anywhere` makes it one for a bucket as well."""
    sweeps = getattr(request, "param", None) and request.getfixturevalue("prefix")
    return Clinic(
        Settings(data=tmp_path / "data", sweeps=sweeps, cluster=ClusterSettings(kind="none"))
    )


anywhere = pytest.mark.parametrize("clinic", [None, "bucket"], indirect=True)


def only(report):
    [finding] = report.findings
    assert not finding.repaired
    assert not report.healthy
    return finding


@anywhere
def test_a_healthy_sweep_has_no_findings_and_nothing_is_written(clinic):
    looked = []
    report = clinic.examine(progress=lambda *what: looked.append(what))
    assert (report.findings, report.healthy, report.sweeps) == ([], True, 1)
    assert report.blocks == clinic.before.blocks
    assert looked[-1] == (clinic.id, report.blocks, report.blocks)
    assert clinic.contents() == clinic.files
    assert clinic.before.counts == {"done": 18, "failed": 1, "not_converged": 1}


@anywhere
@pytest.mark.parametrize(
    ("broken", "kind", "detail"),
    [
        (lambda good: good[:40] + bytes([good[40] ^ 4]) + good[41:], Kind.DAMAGED_CHUNK, "flipped"),
        (lambda good: good[:-9], Kind.DAMAGED_CHUNK, "cut off"),
        (lambda good: None, Kind.MISSING_CHUNK, "is missing"),
    ],
)
def test_a_damaged_chunk_is_named_and_computed_again(clinic, broken, kind, detail):
    content = broken(clinic.files[CHUNK])
    if content is None:
        clinic.storage.remove(CHUNK)
    else:
        clinic.storage.write(CHUNK, content)
    finding = only(clinic.examine())
    assert finding.kind == kind
    assert (finding.file, finding.model, finding.variable, finding.block) == (CHUNK, "toy", "y", 1)
    assert detail in finding.detail
    for word in (clinic.id, "toy block 1", "y", CHUNK):
        assert word in str(finding)
    clinic.assert_healed()


@anywhere
def test_a_chunk_of_another_block_is_found_by_the_checksum_of_the_receipt(clinic):
    clinic.storage.write(CHUNK, clinic.files["data.zarr/toy/y/c.0"])
    assert only(clinic.examine()).kind == Kind.OTHER_DATA
    clinic.assert_healed()


@anywhere
def test_only_what_is_damaged_is_computed_again(clinic, monkeypatch):
    tasks = []
    run = doctor.run_locally
    monkeypatch.setattr(doctor, "run_locally", lambda task: (tasks.append(task), run(task))[1])
    clinic.storage.remove(CHUNK)
    clinic.storage.remove("data.zarr/toy/z/c.1")
    clinic.storage.remove("data.zarr/noise_replicas/w/c.1.0")
    clinic.assert_healed()
    assert [(task.model, task.blocks) for task in tasks] == [
        ("toy", (1,)),
        ("noise_replicas", (4,)),
    ]


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"model": "toy"}', b"\x00\x01"])
def test_a_missing_or_torn_receipt(clinic, content):
    name = "receipts/toy/0000001.json"
    if content is None:
        clinic.storage.remove(name)
    else:
        clinic.storage.write(name, content)
    finding = only(clinic.examine())
    assert finding.kind == (Kind.MISSING_RECEIPT if content is None else Kind.TORN_RECEIPT)
    assert (finding.file, finding.block) == (name, 1)
    clinic.assert_healed()


@anywhere
def test_every_folder_of_a_model_removed(clinic):
    for name in clinic.files:
        if "/toy/" in name:
            clinic.storage.remove(name)
    if hasattr(clinic.storage, "path"):
        shutil.rmtree(clinic.storage.path / "receipts" / "toy")
        shutil.rmtree(clinic.storage.path / "data.zarr" / "toy")
    kinds = {finding.kind for finding in clinic.examine().findings}
    assert kinds == {Kind.DOCUMENT, Kind.MISSING_RECEIPT}
    clinic.assert_healed()


@anywhere
def test_the_whole_store_removed(clinic):
    clinic.storage.clear("plan.json")
    assert only(clinic.examine()).kind == Kind.PLAN
    report = clinic.examine(repair=True)
    assert report.healthy
    clinic.assert_same_data()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"sweep_id": 1}'])
def test_a_damaged_plan_is_made_again_from_the_request(clinic, content):
    clinic.storage.write("plan.json", content)
    assert only(clinic.examine()).kind == Kind.PLAN
    clinic.assert_healed()
    assert SweepStore(clinic.storage.location).plan.sweep_id == clinic.id


def test_a_plan_that_cannot_be_made_again_is_left_alone_with_advice(clinic, monkeypatch):
    clinic.storage.write("plan.json", b"{")
    monkeypatch.setattr("delocal.workers.plan.BLOCK_CELLS", 3)
    [finding] = clinic.examine(repair=True).findings
    assert not finding.repaired
    assert "other blocks" in finding.detail
    clinic.sql("DELETE FROM failures")
    assert clinic.storage.read("plan.json") == b"{"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("data.zarr/zarr.json", b"{"),
        ("data.zarr/toy/zarr.json", b""),
        ("data.zarr/toy/y/zarr.json", b'{"shape": [3]}'),
        ("data.zarr/toy/x/c.0", b"broken"),
        ("data.zarr/noise/x/zarr.json", None),
    ],
)
def test_documents_and_coordinates_are_compared_with_the_plan(clinic, name, content):
    if content is None:
        clinic.storage.remove(name)
    else:
        clinic.storage.write(name, content)
    finding = only(clinic.examine())
    assert (finding.kind, finding.file) == (Kind.DOCUMENT, name)
    clinic.assert_healed()


def test_attributes_that_a_user_added_are_no_damage(clinic):
    name = "data.zarr/toy/y/zarr.json"
    document = json.loads(clinic.files[name])
    document["attributes"]["note"] = "look here"
    clinic.storage.write(name, json.dumps(document).encode())
    assert clinic.examine().findings == []


@anywhere
def test_a_lost_ledger_is_rebuilt(clinic):
    clinic.lose_ledger()
    assert only(clinic.examine()).kind == Kind.NOT_IN_LEDGER
    assert clinic.record() is None
    assert clinic.examine(repair=True).healthy
    again = clinic.record()
    for name in ("state", "counts", "blocks", "blocks_done", "cells", "name", "tags", "request"):
        assert getattr(again, name) == getattr(clinic.before, name), name
    assert again.seconds == pytest.approx(clinic.before.seconds)
    assert abs(again.created - clinic.before.created) < 60
    assert clinic.examine().findings == []
    service = Service(clinic.settings)  # and the service finds it again
    try:
        found = service.sweeps.submit(SweepRequest.parse(REQUEST))
        assert (found.id, found.state) == (clinic.id, SweepState.DONE)
        [failure] = service.ledger.failures(clinic.id)
        assert "x = 3 is broken" in failure["error"]
        ledger = {row for row in service.ledger.checksums(clinic.id)}
        assert ("toy", 1) in ledger
    finally:
        service.close()


def test_a_search_that_the_ledger_lost_is_entered_again(tmp_path):
    refine = {"variable": "y", "along": "x", "target": 2.0, "tolerance": 1e-6}
    request = {"models": ["toy"], "axes": {"x": {"linspace": [0, 9, 4]}}, "refine": refine}
    clinic = Clinic(Settings(data=tmp_path, cluster=ClusterSettings(kind="none")), request)
    clinic.lose_ledger()
    assert clinic.examine(repair=True).healthy
    again = clinic.record()
    for name in ("state", "counts", "blocks", "blocks_done", "cells"):
        assert getattr(again, name) == getattr(clinic.before, name), name
    clinic.storage.remove("data.zarr/toy/x_refined/c")
    clinic.assert_healed()


@anywhere
def test_an_unfinished_sweep_that_the_ledger_lost_goes_on(clinic):
    lost = ["receipts/toy/0000000.json", "receipts/noise/0000001.json"]
    more = [name for name in clinic.files if name.startswith("receipts/noise_replicas")][3:]
    for name in [*lost, *more]:
        clinic.storage.remove(name)
    clinic.lose_ledger()
    assert clinic.examine(repair=True).healthy
    assert clinic.record().state == SweepState.QUEUED
    assert clinic.record().counts["not_computed"] > 0
    service = Service(clinic.settings)
    try:
        done = service.sweeps.wait(clinic.id, PATIENCE)
        assert (done.state, done.counts) == (SweepState.DONE, clinic.before.counts)
    finally:
        service.close()
    clinic.assert_same_data()


def test_a_deleted_sweep_that_the_ledger_lost_is_in_the_trash(clinic):
    service = Service(clinic.settings)
    service.sweeps.delete(clinic.id)
    service.close()
    deleted = clinic.record().deleted
    clinic.lose_ledger()
    assert clinic.examine(repair=True).healthy
    record = clinic.record()
    assert (record.state, record.state_before) == (SweepState.DELETED, SweepState.DONE)
    assert record.deleted == pytest.approx(deleted, abs=5)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE blocks SET checksum = 'ffffffff' WHERE model = 'toy' AND block = 1",
        "UPDATE blocks SET state = 'cancelled', checksum = NULL, counts = NULL "
        "WHERE model = 'toy' AND block = 1",
    ],
)
def test_a_ledger_that_differs_from_the_store_is_set_right(clinic, damage):
    clinic.sql(damage)
    finding = only(clinic.examine())
    assert (finding.kind, finding.model, finding.block) == (Kind.LEDGER_DIFFERS, "toy", 1)
    clinic.assert_healed()


TOTALS = {
    "counts": """'{"done": 20}'""",
    "blocks_done": "3",
    "blocks": "70",
    "cells": "21",
}


@pytest.mark.parametrize("total", TOTALS)
def test_a_total_that_is_not_the_sum_over_the_blocks_is_counted_anew(clinic, total):
    clinic.sql(f"UPDATE sweeps SET {total} = {TOTALS[total]}")
    finding = only(clinic.examine())
    assert finding.kind == Kind.TOTALS
    assert finding.detail.startswith(f"{total}: ")
    clinic.assert_healed()
    assert (clinic.record().blocks, clinic.record().cells) == (
        clinic.before.blocks,
        clinic.before.cells,
    )


def test_a_sweep_that_miscounted_its_last_block_is_ended(clinic):
    clinic.sql("UPDATE sweeps SET state = 'running', blocks_done = 3, finished = NULL")
    assert only(clinic.examine()).kind == Kind.TOTALS
    clinic.assert_healed()
    assert clinic.record().finished is not None


def test_totals_of_a_sweep_at_work_are_those_of_its_blocks(clinic):
    clinic.sql("UPDATE blocks SET state = 'leased', lease_until = 9e9 WHERE model = 'toy'")
    clinic.sql("UPDATE sweeps SET state = 'running'")
    finding, counts = sorted(clinic.examine().findings, key=lambda finding: finding.detail)
    assert finding.detail == f"blocks_done: {clinic.before.blocks} in place of " + str(
        clinic.before.blocks - 2
    )
    assert counts.kind == Kind.TOTALS


@anywhere
def test_a_block_that_the_ledger_lost_is_entered_as_it_is_stored(clinic):
    clinic.sql("DELETE FROM blocks WHERE model = 'toy' AND block = 0")
    clinic.sql("DELETE FROM failures WHERE model = 'toy' AND block = 0")
    finding = only(clinic.examine())
    assert (finding.kind, finding.model, finding.block) == (Kind.LOST_BLOCK, "toy", 0)
    clinic.assert_healed()
    ledger = Ledger(clinic.settings.ledger_url)
    [failure] = ledger.failures(clinic.id)
    assert "x = 3 is broken" in failure["error"]
    ledger.close()


@pytest.mark.parametrize(
    ("before", "after", "block"),
    [
        ("done", SweepState.QUEUED, "queued"),
        ("running", SweepState.RUNNING, "queued"),
        ("cancelled", SweepState.CANCELLED, "cancelled"),
    ],
)
def test_a_lost_block_that_is_not_stored_is_computed_if_somebody_wants_it(
    clinic, before, after, block
):
    clinic.sql("DELETE FROM blocks WHERE model = 'toy' AND block = 1")
    clinic.sql(f"UPDATE sweeps SET state = '{before}'")
    clinic.storage.remove("receipts/toy/0000001.json")
    assert clinic.examine(repair=True).healthy
    assert clinic.examine().findings == []
    assert clinic.record().state == after
    service = Service(clinic.settings)
    try:
        if before == "cancelled":
            service.sweeps.retry(clinic.id)
        done = service.sweeps.wait(clinic.id, PATIENCE)
        assert (done.state, done.counts) == (SweepState.DONE, clinic.before.counts)
    finally:
        service.close()
    clinic.assert_same_data()


def test_a_block_that_the_plan_does_not_have_is_removed(clinic):
    clinic.sql(
        "INSERT INTO blocks (sweep_id, model, block, state, attempt, counts) "
        f"VALUES ('{clinic.id}', 'toy', 99, 'done', 1, '{{\"done\": 5}}')"
    )
    finding = only(clinic.examine())
    assert (finding.kind, finding.model, finding.block) == (Kind.STRAY_BLOCK, "toy", 99)
    clinic.assert_healed()


def test_either_database_is_set_right(tmp_path, database_url):
    cluster = ClusterSettings(kind="none")
    clinic = Clinic(Settings(data=tmp_path / "data", database_url=database_url, cluster=cluster))
    clinic.sql("UPDATE blocks SET checksum = 'ffffffff' WHERE model = 'toy' AND block = 1")
    clinic.sql("DELETE FROM failures WHERE model = 'toy' AND block = 0")
    clinic.sql("DELETE FROM blocks WHERE model = 'toy' AND block = 0")
    clinic.sql("UPDATE blocks SET model = 'toi' WHERE model = 'noise' AND block = 3")
    clinic.sql("UPDATE sweeps SET blocks_done = 3")
    kinds = [finding.kind for finding in clinic.examine().findings]
    assert sorted(kinds) == sorted(
        [Kind.LEDGER_DIFFERS, Kind.LOST_BLOCK, Kind.LOST_BLOCK, Kind.STRAY_BLOCK]
    )
    clinic.assert_healed()


def test_one_sweep_alone_is_looked_at(clinic):
    other = storage_at(within(clinic.settings.place, "0" * 16))
    other.prepare("plan.json")
    other.write("plan.json", b"{")
    assert len(clinic.examine().findings) == 1
    report = clinic.examine(sweep=clinic.id)
    assert (report.sweeps, report.findings) == (1, [])
    assert only(clinic.examine(sweep="0" * 16)).kind == Kind.PLAN
    with pytest.raises(NotFound, match="no sweep 'nothing'"):
        clinic.examine(sweep="nothing")


def test_a_block_that_is_held_by_somebody_is_left_alone(clinic):
    clinic.sql(
        "UPDATE blocks SET state = 'leased', lease_until = 9e9 WHERE model = 'toy' AND block = 1"
    )
    clinic.storage.remove(CHUNK)
    found = {finding.kind for finding in clinic.examine(repair=True).findings}
    assert found == {Kind.TOTALS}  # which counted it as done
    assert clinic.storage.read(CHUNK) is None


def test_a_block_that_was_given_up_is_stored_as_failed_again(clinic, monkeypatch):
    """What killed its worker must not kill the doctor."""
    clinic.sql("UPDATE blocks SET state = 'failed' WHERE model = 'toy' AND block = 1")
    clinic.sql("UPDATE sweeps SET state = 'failed'")
    clinic.storage.remove(CHUNK)
    monkeypatch.setattr(doctor, "run_locally", lambda task: 1 / 0)
    assert clinic.examine(repair=True).healthy
    ds = SweepStore(clinic.storage.location).open_model("toy")
    assert (ds.status.values[5:] == Status.FAILED).all()
    assert clinic.record().state == SweepState.FAILED


def test_what_cannot_be_computed_again_stays_a_finding(clinic, monkeypatch):
    clinic.storage.remove(CHUNK)
    monkeypatch.setattr(doctor, "run_locally", lambda task: MemoryError("too large"))
    [finding] = clinic.examine(repair=True).findings
    assert not finding.repaired
    assert "too large" in finding.detail


def test_a_sweep_whose_model_is_gone_is_said_to_be_unverifiable(clinic, install):
    install(TOYS[1])
    finding = only(clinic.examine())
    assert finding.kind == Kind.UNKNOWN_MODEL
    assert "needs model 'toy'" in finding.detail


def test_leftovers_of_killed_writers_are_swept(tmp_path):
    clinic = Clinic(Settings(data=tmp_path / "data", cluster=ClusterSettings(kind="none")))
    sweeps = tmp_path / "data" / "sweeps"
    half = sweeps / clinic.id / "data.zarr" / "toy" / "y" / "c.1.0123abcd.partial"
    half.write_bytes(b"half")
    creating = sweeps / f"{'0' * 16}.0123abcd.partial"
    shutil.copytree(sweeps / clinic.id / "receipts", creating / "receipts")
    assert only(clinic.examine()).file == f"data.zarr/toy/y/{half.name}"  # the other may be alive
    os.utime(creating, (0, 0))
    kinds = {finding.kind for finding in clinic.examine().findings}
    assert kinds == {Kind.LEFTOVER}
    report = clinic.examine(repair=True)
    assert (len(report.findings), report.healthy) == (2, True)
    assert not half.exists()
    assert not creating.exists()
    assert clinic.contents() == clinic.files


def test_a_writer_at_work_is_no_leftover(tmp_path):
    clinic = Clinic(Settings(data=tmp_path / "data", cluster=ClusterSettings(kind="none")))
    clinic.sql("UPDATE sweeps SET state = 'running'")
    partial = clinic.storage.path / "data.zarr" / "toy" / "y" / "c.1.0123abcd.partial"
    partial.write_bytes(b"half")
    assert clinic.examine(repair=True).findings == []
    os.utime(partial, (0, 0))
    assert only(clinic.examine()).kind == Kind.LEFTOVER


def test_a_creation_that_was_killed_in_a_bucket_is_swept(prefix, tmp_path, monkeypatch):
    settings = Settings(data=tmp_path, sweeps=prefix, cluster=ClusterSettings(kind="none"))
    storage = storage_at(within(prefix, "0" * 16))
    storage.write("draft.json", b"{}")
    storage.write("data.zarr/zarr.json", b"{}")
    tmp_path.mkdir(exist_ok=True)
    ledger = Ledger(settings.ledger_url)
    assert examine(ledger, prefix).findings == []  # its creator may be alive
    monkeypatch.setattr(doctor, "OLD_SECONDS", 0.0)
    [finding] = examine(ledger, prefix, repair=True).findings
    assert (finding.kind, finding.repaired) == (Kind.LEFTOVER, True)
    assert list(storage.names()) == []
    ledger.close()
