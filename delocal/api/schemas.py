"""What the API answers with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field

from delocal.service.ledger import SweepRecord
from delocal.service.states import SweepState
from delocal.service.sweeps import Estimate


class SweepStatus(BaseModel):
    """One sweep: where it stands, and where its data are."""

    id: str
    name: str
    tags: list[str]
    state: SweepState
    cells: dict[str, int] = Field(description="number of cells by status, and their `total`")
    blocks: dict[str, int] = Field(description="`done` and `total`")
    core_seconds: float = Field(description="spent so far")
    paused: str | None = Field(
        description="why nothing can be stored at present; it goes on by itself"
    )
    created: datetime
    finished: datetime | None
    request: dict[str, Any]
    links: dict[str, str]

    @classmethod
    def of(cls, record: SweepRecord, base: str) -> SweepStatus:
        """Return the answer for a sweep served under the URL `base`."""
        here = f"{base}v1/sweeps/{record.id}"
        return cls(
            id=record.id,
            name=record.name,
            tags=record.tags,
            state=record.state,
            cells={"total": record.cells, **record.counts},
            blocks={"total": record.blocks, "done": record.blocks_done},
            core_seconds=record.seconds,
            paused=None if record.state.ended else record.paused,
            created=datetime.fromtimestamp(record.created, UTC),
            finished=datetime.fromtimestamp(record.finished, UTC) if record.finished else None,
            request=record.request,
            links={
                "self": here,
                "events": f"{here}/events",
                "data": f"{here}/data",
                "failures": f"{here}/failures",
                "zarr": f"{here}/zarr",
            },
        )


class SweepEstimate(BaseModel):
    """What a sweep would cost, from a dry run."""

    id: str
    cells: int
    blocks: int
    bytes: int = Field(description="before compression")
    core_seconds: float = Field(description="from measured costs where there are any")
    exists: bool = Field(description="whether an identical sweep is stored already")

    @classmethod
    def of(cls, estimate: Estimate) -> SweepEstimate:
        """Return the answer for an estimate."""
        return cls(**vars(estimate))


class SweepList(BaseModel):
    """Sweeps, the newest first; `next` continues where this page ends."""

    sweeps: list[SweepStatus]
    next: str | None


class ProblemDetail(BaseModel):
    """An error, as RFC 9457 has it (application/problem+json)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] = Field(
        default=[], description="each mistake in the request: `field` and `message`"
    )
