"""Verify every byte of every sweep against receipts and ledger, and repair what is wrong.

The order of trust: the plan says what must be there; a chunk carries its own checksum; a receipt
carries that of its block; the ledger remembers both. Results follow from the plan alone, so
whatever is damaged is computed again, to the same bytes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from delocal.service.errors import DelocalError, NotFound
from delocal.service.leases import is_held
from delocal.service.ledger import Ledger, SweepRecord
from delocal.service.provenance import provenance
from delocal.service.rebuild import (
    Place,
    enter_anew,
    enter_lost,
    enter_receipts,
    remove_stray,
    wrong_totals,
)
from delocal.service.request import SweepRequest
from delocal.service.states import BlockState, SweepState
from delocal.service.tables import blocks
from delocal.workers.block import Task, store_failed_block
from delocal.workers.keys import SWEEP_ID
from delocal.workers.local import LocalExecutor, Outcome
from delocal.workers.plan import Part, Plan
from delocal.workers.storage import PARTIAL, storage_at, within
from delocal.workers.store import DELETED, PLAN, Receipt, SweepStore, receipt_name, template
from delocal.workers.zarr_format import checksum_holds

OLD_SECONDS = 600.0  # a file that is being written for longer has lost its writer
MATTERS = ("node_type", "shape", "data_type", "chunk_grid", "codecs", "dimension_names")

Progress = Callable[[str, int, int], None]


class Kind(StrEnum):
    """What can be wrong with a sweep."""

    MISSING_CHUNK = "missing chunk"
    DAMAGED_CHUNK = "damaged chunk"
    OTHER_DATA = "data that their receipt does not describe"
    MISSING_RECEIPT = "missing receipt"
    TORN_RECEIPT = "torn receipt"
    DOCUMENT = "missing or damaged document"
    PLAN = "missing or damaged plan"
    NOT_IN_LEDGER = "not in the ledger"
    LEDGER_DIFFERS = "the ledger differs from the store"
    LOST_BLOCK = "block of the plan that the ledger has lost"
    STRAY_BLOCK = "block of the ledger that the plan does not have"
    TOTALS = "total that is not the sum over the blocks"
    LEFTOVER = "leftover of a killed writer"
    UNKNOWN_MODEL = "model is not installed"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: with what, in which file, and whether it was repaired."""

    sweep: str
    kind: Kind
    file: str = ""
    model: str = ""
    variable: str = ""
    block: int | None = None
    detail: str = ""
    repaired: bool = False

    def __str__(self) -> str:
        place = [f"sweep {self.sweep}"]
        place += [f"{self.model} block {self.block}"] if self.block is not None else []
        place += [self.variable] if self.variable else []
        what = f"{self.kind}{f' ({self.detail})' if self.detail else ''}"
        end = "; repaired" if self.repaired else ""
        return f"{', '.join(place)}: {what} {self.file}".rstrip() + end


@dataclass
class Report:
    """What was looked at, and what was found."""

    sweeps: int = 0
    blocks: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong, or nothing any more."""
        return all(finding.repaired for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return plain content."""
        findings = [asdict(finding) for finding in self.findings]
        checked = {"sweeps": self.sweeps, "blocks": self.blocks}
        return {"healthy": self.healthy, "checked": checked, "findings": findings}


def examine(
    ledger: Ledger,
    place: str | Path,
    sweep: str | None = None,
    *,
    repair: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Verify every sweep of a service, and with `repair` set right what is wrong.

    A service may be at work meanwhile: blocks that somebody holds are left alone.

    Parameters
    ----------
    place
        Folder or ``s3://bucket/prefix`` of the sweeps.
    sweep
        Id of the only one to look at.
    progress
        Called with the id of a sweep, blocks looked at, and blocks of the sweep.

    Raises
    ------
    NotFound
        Neither ledger nor place has a sweep of this id.
    """
    report = Report()
    folders = storage_at(place).folders()
    known = {record.id: record for record in _records(ledger)}
    there = {name for name in folders if SWEEP_ID.fullmatch(name)} | set(known)
    if sweep is not None and sweep not in there:
        raise NotFound(f"no sweep {sweep!r} in the ledger or in {place}; without one all are seen")
    for sweep_id in sorted(there) if sweep is None else [sweep]:
        store = SweepStore(within(place, sweep_id))
        one = _Examination(ledger, store, sweep_id, known.get(sweep_id), repair, progress)
        report.findings += one.run()
        report.blocks += one.looked_at
        report.sweeps += 1
    if sweep is None:
        report.findings += _half_created(place, folders, repair)
    return report


class _Examination:
    """The examination of one sweep."""

    def __init__(
        self,
        ledger: Ledger,
        store: SweepStore,
        sweep_id: str,
        record: SweepRecord | None,
        repair: bool,
        progress: Progress | None,
    ) -> None:
        self.ledger = ledger
        self.store = store
        self.sweep_id = sweep_id
        self.record = record
        self.repair = repair
        self.progress = progress
        self.looked_at = 0
        self.findings: list[Finding] = []
        self.rows: dict[Place, Any] = {}
        self.valid: dict[Place, Receipt] = {}

    def run(self) -> list[Finding]:
        if self.record is not None and _being_purged(self.record):
            return []
        plan = self._plan()
        if plan is None:
            return self.findings
        try:
            self._documents(plan)
            self.rows = _rows(self.ledger, self.sweep_id)
            self._blocks(plan)
        except ValueError as error:  # the model, or its version, is not there
            self._found(Kind.UNKNOWN_MODEL, detail=str(error))
            return self.findings
        self._ledger(plan)
        self._leftovers()
        return self.findings

    @property
    def ended(self) -> bool:
        """Whether nobody is at work on the sweep, as far as the ledger knows."""
        return self.record is None or self.record.state.ended

    def _found(self, kind: Kind, **what: Any) -> Finding:
        finding = Finding(self.sweep_id, kind, **what)
        self.findings.append(finding)
        return finding

    def _settle(self, finding: Finding, error: str = "") -> None:
        """Note that something was repaired, or why not."""
        place = self.findings.index(finding)
        detail = f"{finding.detail}; {error}" if error else finding.detail
        self.findings[place] = replace(finding, repaired=not error, detail=detail)

    def _plan(self) -> Plan | None:
        """Return the plan; one that is lost is made again from the request in the ledger."""
        try:
            return self.store.plan
        except FileNotFoundError:
            if self.record is None and self._is_half_created():
                return None
            finding = self._found(Kind.PLAN, file=PLAN, detail="is missing")
        except (ValueError, KeyError, TypeError) as error:
            finding = self._found(Kind.PLAN, file=PLAN, detail=f"is damaged: {error!r}")
        if not self.repair:
            return None
        try:
            return self._restore_plan(finding)
        except (ValueError, DelocalError) as error:
            self._settle(finding, f"cannot be made again: {error}")
            return None

    def _is_half_created(self) -> bool:
        """Whether here is only what a creator in a bucket wrote before it was killed."""
        names = list(self.store.storage.names())
        if any(name.startswith("receipts/") for name in names):
            return False
        if names and self.store.storage.age(names[0]) >= OLD_SECONDS:
            finding = self._found(Kind.LEFTOVER, detail="of a sweep that was never entered")
            if self.repair:
                self.store.storage.clear(PLAN)
                self._settle(finding)
        return True

    def _restore_plan(self, finding: Finding) -> Plan:
        if self.record is None:
            raise ValueError("the ledger does not know the request either")
        plan = SweepRequest.parse(self.record.request).plan(provenance())
        if plan.sweep_id != self.sweep_id:
            raise ValueError("a model has another version now; submit the request as a new sweep")
        cut = [name for name, content in template(plan) if self._contradicts(name, content)]
        if cut:
            raise ValueError(f"{cut[0]} was cut into other blocks; submit the request anew")
        places = {(part.name, block) for part in plan.parts for block in part.blocks}
        if places != set(_rows(self.ledger, self.sweep_id)):
            raise ValueError("the ledger knows other blocks; submit the request anew")
        for name, content in (*template(plan), (PLAN, json.dumps(plan.to_json()).encode())):
            self.store.storage.prepare(name)
            if (not name.endswith("/") and self.store.storage.read(name) is None) or name == PLAN:
                self.store.storage.write(name, content)
        self._settle(finding)
        self.store = SweepStore(self.store.location)
        return self.store.plan

    def _contradicts(self, name: str, content: bytes) -> bool:
        """Whether a document on disk is whole, and describes other arrays."""
        found = self.store.storage.read(name) if name.endswith("zarr.json") else None
        ours = _what_matters(content)
        return found is not None and _what_matters(found) not in (None, ours)

    def _documents(self, plan: Plan) -> None:
        """Compare metadata and coordinates with those that the plan asks for."""
        for name, content in template(plan):
            if name.endswith("/"):
                if self.repair:
                    self.store.storage.prepare(name)
                continue
            found = self.store.storage.read(name)
            if found is not None and _same_document(name, found, content):
                continue
            what = "is missing" if found is None else "is damaged"
            finding = self._found(Kind.DOCUMENT, file=name, detail=what)
            if self.repair:
                self.store.storage.prepare(name)
                self.store.storage.write(name, content)
                self._settle(finding)

    def _blocks(self, plan: Plan) -> None:
        """Look at every block, replicas before the summaries that follow from them."""
        total = sum(len(part.blocks) for part in plan.parts)
        for part in plan.parts:
            for block in part.blocks:
                self._block(plan, part, block)
                self.looked_at += 1
                if self.progress is not None:
                    self.progress(self.sweep_id, self.looked_at, total)

    def _block(self, plan: Plan, part: Part, block: int) -> None:
        row = self.rows.get((part.name, block))
        if row is not None and row.held:
            return  # somebody is writing it
        signed = self.store.signed(part.name, block)
        found = list(self._wrong_with(part, block, row, signed))
        if found and self.repair:
            signed = self._recompute(plan, part, block, row, found)
        if signed is not None and (not found or self.repair):
            self.valid[part.name, block] = signed

    def _wrong_with(
        self, part: Part, block: int, row: Any, signed: Receipt | None
    ) -> Iterator[Finding]:
        where: dict[str, Any] = {"model": part.name, "block": block}
        name = receipt_name(part.name, block)
        if signed is None:
            if self.store.storage.version(name) is not None:
                yield self._found(Kind.TORN_RECEIPT, file=name, **where)
            elif row is not None and row.state == BlockState.DONE:
                detail = "the ledger says that the block is done"
                yield self._found(Kind.MISSING_RECEIPT, file=name, detail=detail, **where)
            return
        for damage in self.store.damage(part.name, block, signed):
            kind = Kind.DAMAGED_CHUNK if damage.variable else Kind.OTHER_DATA
            kind = Kind.MISSING_CHUNK if damage.what == "is missing" else kind
            file = {"file": damage.name, "variable": damage.variable, "detail": damage.what}
            yield self._found(kind, **file, **where)

    def _recompute(
        self, plan: Plan, part: Part, block: int, row: Any, found: list[Finding]
    ) -> Receipt | None:
        """Compute a block again; one that nobody could evaluate is stored as failed again."""
        for name in {finding.file for finding in found}:
            self.store.storage.prepare(name)
        self.store.forget(part.name, block)
        error = ""
        if row is not None and row.state == BlockState.FAILED:
            reason = RuntimeError(self._reason(part.name, block))
            store_failed_block(self.store, part.name, block, reason)
        else:
            outcome = run_locally(Task(self.store.location, plan.digest, part.name, (block,)))
            error = f"computing it again failed: {outcome!r}" if _failed(outcome) else ""
        receipt = self.store.receipt(part.name, block)
        for finding in found:
            self._settle(finding, error or ("" if receipt else "it is damaged again"))
        return receipt

    def _reason(self, model: str, block: int) -> str:
        """Return why a block was given up, as the ledger remembers it."""
        for failure in self.ledger.failures(self.sweep_id, limit=10_000):
            if (failure["model"], failure["block"]) == (model, block):
                return str(failure["error"])
        return "given up before"

    def _ledger(self, plan: Plan) -> None:
        """Compare the ledger with the store, and with `repair` make it agree."""
        if self.record is None:
            self._enter_anew(plan)
            return
        found = [*self._places(plan), *self._states(plan)]
        if self.repair or not found:  # the sum over blocks that are wrong says nothing
            self._totals(plan)

    def _enter_anew(self, plan: Plan) -> None:
        finding = self._found(Kind.NOT_IN_LEDGER, detail=f"{len(self.valid):,} blocks stored")
        if self.repair:
            age = self.store.storage.age(PLAN)
            mark = self.store.storage.read(DELETED)
            told = None if mark is None else json.loads(mark)
            enter_anew(self.ledger, plan, self.valid, created=time.time() - age, mark=told)
            self._settle(finding)

    def _places(self, plan: Plan) -> list[Finding]:
        """Compare which blocks there are: the plan says it."""
        places = {(part.name, block) for part in plan.parts for block in part.blocks}
        lost, stray = places - self.rows.keys(), self.rows.keys() - places
        found = [self._found_at(place, Kind.LOST_BLOCK) for place in sorted(lost)]
        found += [self._found_at(place, Kind.STRAY_BLOCK) for place in sorted(stray)]
        if self.repair and found:
            remove_stray(self.ledger, plan, stray)
            enter_lost(self.ledger, plan, self.valid, lost)
            self._settle_all(found)
        return found

    def _states(self, plan: Plan) -> list[Finding]:
        """Compare what became of blocks: what is stored is done."""
        behind = {place: r for place, r in self.valid.items() if self._is_behind(place, r)}
        found = [
            self._found_at(place, Kind.LEDGER_DIFFERS, self._differs(self.rows[place]))
            for place in behind
        ]
        if self.repair and found:
            enter_receipts(self.ledger, plan, behind)
            self._settle_all(found)
        return found

    def _totals(self, plan: Plan) -> None:
        """Compare what is told of the sweep with its blocks; with repair, as they are by now."""
        wrong = wrong_totals(self.ledger, plan, repair=self.repair)
        found = [
            self._found(Kind.TOTALS, detail=f"{name}: {said} in place of {right}")
            for name, (said, right) in wrong.items()
        ]
        if self.repair:
            self._settle_all(found)

    def _found_at(self, place: Place, kind: Kind, detail: str = "") -> Finding:
        return self._found(kind, model=place[0], block=place[1], detail=detail)

    def _settle_all(self, findings: list[Finding]) -> None:
        for finding in findings:
            self._settle(finding)

    def _is_behind(self, place: Place, receipt: Receipt) -> bool:
        """Whether the ledger does not know, or not rightly, of a block that is stored."""
        row = self.rows.get(place)
        if row is None:
            return False  # it was entered as it is stored
        if row.state == BlockState.DONE:
            return bool(row.checksum != receipt.checksum)
        if row.state in (BlockState.FAILED, BlockState.SKIPPED):
            return False
        return self.ended  # else somebody will come by and find it stored

    def _differs(self, row: Any) -> str:
        if row.state == BlockState.DONE:
            return "another checksum than that of the data"
        return f"stored, and {row.state} in the ledger"

    def _leftovers(self) -> None:
        for name in list(self.store.leftovers()):
            try:
                age = self.store.storage.age(name)
            except FileNotFoundError:  # it was being written, and now it is whole
                continue
            if age < OLD_SECONDS and not self.ended:
                continue
            finding = self._found(Kind.LEFTOVER, file=name)
            if self.repair:
                self.store.storage.remove(name)
                self._settle(finding)


def run_locally(task: Task) -> Outcome:
    """Run a task in this process, and wait for it."""
    executor = LocalExecutor()
    outcomes: list[Outcome] = []
    executor.submit(task, lambda _, outcome: outcomes.append(outcome))
    executor.close()  # waits
    return outcomes[0]


def _failed(outcome: Outcome) -> bool:
    return isinstance(outcome, BaseException)


def _records(ledger: Ledger) -> Iterator[SweepRecord]:
    """Yield every sweep of a ledger, those in the trash as well."""
    for deleted in (False, True):
        before: int | None = None
        while page := ledger.newest(1000, before, deleted=deleted):
            yield from page
            before = page[-1].number


def _rows(ledger: Ledger, sweep_id: str) -> dict[Place, Any]:
    columns = (blocks.c.model, blocks.c.block, blocks.c.state, blocks.c.checksum)
    with ledger.engine.connect() as db:
        query = sa.select(*columns, is_held(db).label("held")).where(blocks.c.sweep_id == sweep_id)
        return {(row.model, row.block): row for row in db.execute(query)}


def _being_purged(record: SweepRecord) -> bool:
    return record.state == SweepState.DELETED and not record.state_before


def _same_document(name: str, found: bytes, expected: bytes) -> bool:
    """Whether a document says what matters, or a coordinate's chunk is whole."""
    if not name.endswith("zarr.json"):
        return checksum_holds(found)
    return _what_matters(found) == _what_matters(expected)


def _what_matters(document: bytes) -> dict[str, Any] | None:
    """Return what a reader of the arrays depends on; None if it is no document.

    Attributes may have been worded otherwise by an earlier version, or added to by a user.
    """
    try:
        content = json.loads(document)
        consolidated = content.get("consolidated_metadata") or {}
        members: Mapping[str, Any] = consolidated.get("metadata", {})
        below = {
            name: {key: member.get(key) for key in MATTERS} for name, member in members.items()
        }
        return {**{key: content.get(key) for key in MATTERS}, "members": below}
    except (ValueError, AttributeError):
        return None


def _half_created(place: str | Path, folders: list[str], repair: bool) -> Iterator[Finding]:
    """Find what creators of sweeps left behind when they were killed."""
    for name in folders:
        sweep_id = name.partition(".")[0]
        if not name.endswith(PARTIAL) or not SWEEP_ID.fullmatch(sweep_id):
            continue
        leftover = storage_at(within(place, name))
        if leftover.age("") < OLD_SECONDS:
            continue
        if repair:
            leftover.clear(PLAN)
        yield Finding(sweep_id, Kind.LEFTOVER, file=name, repaired=repair)
