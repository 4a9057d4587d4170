"""What the API answers with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import xarray as xr
from pydantic import BaseModel, ConfigDict, Field

from delocal.service.audit import Act
from delocal.service.axes import Number
from delocal.service.figures import Offer, Recipe
from delocal.service.keys import USUAL_SCOPES, Key, Scope
from delocal.service.ledger import SweepRecord
from delocal.service.request import Text
from delocal.service.states import Priority, SweepState
from delocal.service.sweeps import Estimate

VALUES_SHOWN = 1000  # of an axis


class SweepStatus(BaseModel):
    """One sweep: where it stands, and where its data are."""

    id: str
    name: str
    tags: list[str]
    state: SweepState
    cells: dict[str, int] = Field(description="number of cells by status, and their `total`")
    blocks: dict[str, int] = Field(description="`done` and `total`")
    core_seconds: float = Field(description="spent so far")
    submitted_by: str | None = Field(description="id of the key; null without one")
    paused: str | None = Field(
        description="why nothing can be stored at present; it goes on by itself"
    )
    created: datetime
    finished: datetime | None
    priority: Priority
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
            submitted_by=record.submitted_by,
            paused=None if record.state.ended else record.paused,
            created=datetime.fromtimestamp(record.created, UTC),
            finished=datetime.fromtimestamp(record.finished, UTC) if record.finished else None,
            priority=record.priority,
            request=record.request,
            links={
                "self": here,
                "events": f"{here}/events",
                "data": f"{here}/data",
                "figures": f"{here}/figures",
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
    core_seconds: float = Field(
        description="from measured costs where there are any; of Monte Carlo cells from their own, "
        "or the nearest, in earlier sweeps: with their errors, all that `target_rel_error` takes"
    )
    replicas: int = Field(
        description="that these core-seconds are for; where no earlier sweep tells, the first only"
    )
    known: int = Field(
        description="cells, or replicas, that other sweeps have and that would be copied"
    )
    exists: bool = Field(description="whether an identical sweep is stored already")

    @classmethod
    def of(cls, estimate: Estimate) -> SweepEstimate:
        """Return the answer for an estimate."""
        return cls(**vars(estimate))


class SweepList(BaseModel):
    """Sweeps, the newest first; `next` continues where this page ends."""

    sweeps: list[SweepStatus]
    next: str | None


class AxisInfo(BaseModel):
    """A coordinate of a dataset that varies."""

    name: str
    dim: str = Field(description="coordinates of one dimension vary together")
    long_name: str
    units: str
    size: int
    values: list[float | str] | None = Field(description="null if there are more than 1000")

    @classmethod
    def of(cls, coordinate: xr.DataArray) -> AxisInfo:
        """Return the answer for a coordinate."""
        return cls(
            name=str(coordinate.name),
            dim=str(coordinate.dims[0]),
            long_name=str(coordinate.attrs.get("long_name", coordinate.name)),
            units=str(coordinate.attrs.get("units", "1")),
            size=coordinate.size,
            values=coordinate.values.tolist() if coordinate.size <= VALUES_SHOWN else None,
        )


class FigureOffer(BaseModel):
    """What a model of the sweep can give to a figure, the default first."""

    model: str
    variables: list[str]
    axes: list[str] = Field(description="that can be `x` or `y`")


class FigureInfo(BaseModel):
    """A figure that a sweep can give."""

    name: str
    title: str
    needs: str = Field(description="what a sweep must have for it, in words")
    takes: list[str] = Field(description="which of `model`, `variable`, `x`, `y`, `sel` it heeds")
    offers: list[FigureOffer]
    link: str

    @classmethod
    def of(cls, recipe: Recipe, offers: Sequence[Offer], link: str) -> FigureInfo:
        """Return the answer for a figure and what can be given to it."""
        return cls(
            name=recipe.name,
            title=recipe.title,
            needs=recipe.needs,
            takes=list(recipe.takes),
            offers=[
                FigureOffer(model=o.model, variables=list(o.variables), axes=list(o.axes))
                for o in offers
            ],
            link=link,
        )


class FigureList(BaseModel):
    """The figures that a sweep can give, and the axes of its models."""

    figures: list[FigureInfo]
    axes: dict[str, list[AxisInfo]]


class KeyRequest(BaseModel):
    """A key to be made."""

    model_config = ConfigDict(extra="forbid")

    name: Text = Field(min_length=1, max_length=200, description="for people: who or what holds it")
    scopes: list[Scope] = Field(default=list(USUAL_SCOPES), min_length=1)
    days: Number | None = Field(default=90.0, gt=0, le=36_500, description="null: never expires")


class KeyInfo(BaseModel):
    """A key without its secret."""

    id: str = Field(description="the public part of its text")
    name: str
    scopes: list[Scope]
    state: str = Field(description="`usable`, `expired` or `revoked`")
    created: datetime
    expires: datetime | None
    revoked: datetime | None
    last_used: datetime | None = Field(description="to a minute")

    @classmethod
    def of(cls, key: Key) -> KeyInfo:
        """Return the answer for a key."""
        times = {
            name: None if (seconds := getattr(key, name)) is None else _time(seconds)
            for name in ("created", "expires", "revoked", "last_used")
        }
        return cls.model_validate(
            {"id": key.id, "name": key.name, "scopes": key.scopes, "state": key.state, **times}
        )


class KeyCreated(KeyInfo):
    """A new key with its text."""

    key: str = Field(description="to be sent as `Authorization: Bearer`; shown only here")


class ShareRequest(BaseModel):
    """A link to be made."""

    model_config = ConfigDict(extra="forbid")

    seconds: Number = Field(default=7 * 86_400.0, gt=0, description="until it expires")


class SharedLink(BaseModel):
    """Addresses that are good without a key until they expire."""

    data: str
    zarr: str = Field(description="append the name of a model: xarray.open_zarr(f'{zarr}/scaling')")
    expires: datetime


class AuditEntry(BaseModel):
    """Something that a caller did."""

    id: int
    time: datetime
    caller: str = Field(description="id of the key, or how else the caller came in")
    action: str
    subject: str | None = Field(description="id of the sweep or key")
    address: str | None
    request_id: str | None

    @classmethod
    def of(cls, act: Act) -> AuditEntry:
        """Return the answer for an act."""
        return cls.model_validate({**vars(act), "time": _time(act.time)})


class AuditList(BaseModel):
    """Acts, the newest first; `next` continues where this page ends."""

    acts: list[AuditEntry]
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


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
