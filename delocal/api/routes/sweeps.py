"""/v1/sweeps: submit, list, look, follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import WithJsonSchema
from starlette.concurrency import run_in_threadpool

from delocal.api.errors import documented
from delocal.api.plain import plain_json
from delocal.api.routes.deps import Before, CurrentService, Limit, SweepId, next_page
from delocal.api.schemas import SweepEstimate, SweepList, SweepStatus
from delocal.api.security import CurrentCaller
from delocal.service.request import SweepRequest
from delocal.service.search import Search, as_seconds, as_state, span_of

router = APIRouter(tags=["sweeps"])
POLL_SECONDS = 0.2
RESERVED = {"model", "tag", "state", "text", "since", "until", "limit", "before", "deleted"}
"""Query parameters of a search that are not those of a model."""
EXAMPLE = SweepRequest.model_json_schema()["examples"][0]
Moment = Annotated[  # seconds since 1970 are taken too
    datetime,
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}]}),
]
# Parsed by SweepRequest itself, whose errors say more; documented as what it is.
Content = Annotated[
    dict[str, Any],
    WithJsonSchema({"$ref": "#/components/schemas/SweepRequest"}),
    Body(openapi_examples={"dipoles": {"value": EXAMPLE}}),
]


@router.post(
    "/sweeps",
    status_code=202,
    summary="Submit a sweep, or with dry_run=true ask what it would cost",
    response_model=None,
    responses={
        200: {"model": SweepEstimate, "description": "Dry run"},
        202: {"model": SweepStatus, "description": "Submitted, or found again"},
        **documented(422),
    },
)
def submit(
    content: Content,
    request: Request,
    response: Response,
    service: CurrentService,
    caller: CurrentCaller,
    dry_run: Annotated[
        bool, Query(description="only estimate: cells, blocks, bytes, time")
    ] = False,
) -> SweepStatus | SweepEstimate:
    """Answer at once; an identical request finds the sweep that exists."""
    parsed = SweepRequest.parse(content)
    if dry_run:
        response.status_code = 200
        return SweepEstimate.of(service.sweeps.estimate(parsed))
    status = SweepStatus.of(service.sweeps.submit(parsed, caller), str(request.base_url))
    response.headers["Location"] = status.links["self"]
    return status


@router.get("/sweeps", summary="Sweeps, the newest first", responses=documented(422))
def list_sweeps(
    request: Request,
    response: Response,
    service: CurrentService,
    model: Annotated[list[str] | None, Query(description="has this model; all of several")] = None,
    tag: Annotated[list[str] | None, Query(description="has this tag; all of several")] = None,
    state: Annotated[str | None, Query(description="is in this state, or one of `a,b`")] = None,
    text: Annotated[str, Query(description="words in its name, tags or models")] = "",
    since: Annotated[Moment | None, Query(description="submitted then or later; UTC")] = None,
    until: Annotated[Moment | None, Query(description="submitted before then; UTC")] = None,
    limit: Limit = 100,
    before: Before = None,
    deleted: Annotated[bool, Query(description="those in the trash instead")] = False,
) -> SweepList:
    """Every further query parameter is one of a model: `T=1e-3`, or a range `T=1e-6:1e-4`.

    It finds sweeps whose values of it, from the lowest to the highest, reach there. `next` is
    the link to the page after this one, or null; the header `Link` has it too.
    """
    asked = [(n, value) for n, value in request.query_params.multi_items() if n not in RESERVED]
    search = Search(
        models=tuple(model or ()),
        tags=tuple(tag or ()),
        states=tuple(map(as_state, state.split(","))) if state else (),
        text=text,
        since=None if since is None else as_seconds(since),
        until=None if until is None else as_seconds(until),
        spans={name: span_of(name, value) for name, value in asked},
        deleted=deleted,
    )
    records = service.sweeps.find(search, limit, before)
    base = str(request.base_url)
    last = records[-1].number if len(records) == limit else None
    return SweepList(
        sweeps=[SweepStatus.of(record, base) for record in records],
        next=next_page(request, response.headers, before=last),
    )


@router.get("/sweeps/{sweep_id}", summary="Where a sweep stands", responses=documented(404, 422))
def get_sweep(sweep_id: SweepId, request: Request, service: CurrentService) -> SweepStatus:
    """Live: `cells` counts what is stored so far by status."""
    return SweepStatus.of(service.sweeps.get(sweep_id), str(request.base_url))


@router.post(
    "/sweeps/{sweep_id}:cancel",
    status_code=202,
    summary="End a sweep; what is stored stays",
    responses=documented(404, 409, 422),
)
def cancel(sweep_id: SweepId, request: Request, service: CurrentService) -> SweepStatus:
    """Answer at once; tasks that run are asked to end, which takes them a fraction of a second."""
    return SweepStatus.of(service.sweeps.cancel(sweep_id), str(request.base_url))


@router.post(
    "/sweeps/{sweep_id}:extend",
    status_code=202,
    summary="The sweep with more values on its axes, or more replicas",
    responses=documented(404, 409, 422),
)
def extend(
    sweep_id: SweepId,
    content: Annotated[
        dict[str, Any],
        WithJsonSchema({"$ref": "#/components/schemas/Extension"}),
        Body(openapi_examples={"colder": {"value": {"axes": {"T": [1e-7]}}}}),
    ],
    request: Request,
    response: Response,
    service: CurrentService,
    caller: CurrentCaller,
) -> SweepStatus:
    """Answer with the extended sweep, which has an id of its own; what is there is copied."""
    extended = service.sweeps.extend(sweep_id, content, caller)
    status = SweepStatus.of(extended, str(request.base_url))
    response.headers["Location"] = status.links["self"]
    return status


@router.post(
    "/sweeps/{sweep_id}:retry",
    status_code=202,
    summary="Compute again what failed or was cancelled, and only that",
    responses=documented(404, 409, 422),
)
def retry(
    sweep_id: SweepId, request: Request, service: CurrentService, caller: CurrentCaller
) -> SweepStatus:
    """Cells that are done are not computed again."""
    return SweepStatus.of(service.sweeps.retry(sweep_id, caller), str(request.base_url))


@router.delete(
    "/sweeps/{sweep_id}",
    summary="Put a sweep that has ended into the trash",
    responses=documented(404, 409, 422),
)
def delete(sweep_id: SweepId, request: Request, service: CurrentService) -> SweepStatus:
    """Its data are removed after some days, a setting of the service; until then `:restore`."""
    return SweepStatus.of(service.sweeps.delete(sweep_id), str(request.base_url))


@router.post(
    "/sweeps/{sweep_id}:restore",
    summary="Take a sweep out of the trash",
    responses=documented(404, 409, 422),
)
def restore(sweep_id: SweepId, request: Request, service: CurrentService) -> SweepStatus:
    """It is what it was before."""
    return SweepStatus.of(service.sweeps.restore(sweep_id), str(request.base_url))


@router.post(
    "/sweeps/{sweep_id}:purge",
    status_code=204,
    summary="Remove a sweep in the trash for good, now",
    responses=documented(404, 409, 422),
)
def purge(sweep_id: SweepId, service: CurrentService) -> None:
    """There is no way back."""
    service.sweeps.purge(sweep_id)


@router.get(
    "/sweeps/{sweep_id}/failures",
    summary="Cells that raised, with their parameters and traceback",
    response_class=Response,
    responses={200: {"model": list[dict[str, Any]]}, **documented(404, 422)},
)
def get_failures(sweep_id: SweepId, service: CurrentService) -> Response:
    """At most a hundred; the counts of the sweep are complete."""
    return plain_json(service.ledger.failures(service.sweeps.get(sweep_id).id))


async def _existing(sweep_id: SweepId, service: CurrentService) -> str:
    return (await run_in_threadpool(service.sweeps.get, sweep_id)).id


@router.get(
    "/sweeps/{sweep_id}/events",
    response_class=EventSourceResponse,
    summary="What happens to a sweep, as server-sent events, until it has ended",
    responses=documented(404, 422),
)
async def events(
    existing: Annotated[str, Depends(_existing)],
    service: CurrentService,
    last_event_id: Annotated[
        int, Header(ge=0, le=2**63 - 1, description="continue after this event")
    ] = 0,
) -> AsyncIterator[ServerSentEvent]:
    """Send every event once; with `Last-Event-ID` only those after it."""
    after = last_event_id
    while not service.stopping.is_set():
        sweep = await run_in_threadpool(service.sweeps.get, existing)
        for event in await run_in_threadpool(service.sweeps.events, existing, after):
            after = event.id
            yield ServerSentEvent(data=event.data, event=event.kind, id=str(event.id))
        if sweep.state.ended:  # it had ended before the events were read: these are all
            return
        await asyncio.sleep(POLL_SECONDS)
