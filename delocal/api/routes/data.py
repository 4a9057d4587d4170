"""/v1/sweeps/{id}/data and /zarr: the results, selected by value or byte by byte."""

from __future__ import annotations

from typing import Annotated, Any

import xarray as xr
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from delocal.api.byte_ranges import MEDIA_TYPE, asked_span, piece_response
from delocal.api.caching import answer_tag, is_known, keeping, not_modified, strong_tag
from delocal.api.errors import documented, problem
from delocal.api.plain import plain_json
from delocal.api.routes.deps import CurrentService, SweepId, next_page
from delocal.service.errors import SelectionError
from delocal.service.formats import (
    Format,
    Page,
    as_arrow,
    as_csv,
    as_netcdf,
    chosen_format,
    columns_of,
)
from delocal.service.results import (
    MAX_VALUES,
    Selection,
    choose,
    refuse_too_many,
    to_plain,
    zarr_file,
    zarr_version,
)
from delocal.service.rows import Table
from delocal.workers.storage import Piece

router = APIRouter(tags=["data"])
ModelName = Annotated[str | None, Query(description="needed if the sweep has several")]
VariableNames = Annotated[str | None, Query(description="comma-separated; all if absent")]
Nearest = Annotated[bool, Query(description="take the nearest value on an axis")]
FormatName = Annotated[
    str | None, Query(description="json, table, csv, arrow or netcdf; else what Accept says")
]
RowLimit = Annotated[int | None, Query(ge=1, description="rows of a table, csv or arrow at most")]
RowsBefore = Annotated[
    int, Query(ge=0, le=2**63 - 1, description="rows left out in front, from the `next` link")
]
RESERVED = {"model", "variables", "nearest", "format", "limit", "after"}
"""Query parameters of /data that are not coordinates."""
WHOLE = (0, None)
PIECES: dict[int | str, dict[str, Any]] = {
    200: {"content": {MEDIA_TYPE: {}}},
    304: {"description": "The caller has it already"},
    206: {"content": {MEDIA_TYPE: {}}, "description": "The bytes that `Range` asks for"},
    416: {"description": "There are no such bytes"},
}
"""What a file of a store, or a piece of it, is answered with."""
EXAMPLE = {
    "sizes": {"T": 2},
    "coords": {
        "T": {"dims": ["T"], "attrs": {"units": "energy"}, "values": [1e-6, 1e-5], "mask": None}
    },
    "data": {
        "kappa_sd": {
            "dims": ["T"],
            "attrs": {"equation": "Gutman et al. (2016), Eq. (77)"},
            "values": [1.6e-25, None],
            "mask": [0, 1],
        }
    },
}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "application/json": {"example": EXAMPLE},
            **{form.media_type: {} for form in (Format.CSV, Format.ARROW, Format.NETCDF)},
        }
    },
    304: {"description": "The caller has it already"},
}
"""What part of a dataset is answered with."""


@router.get(
    "/sweeps/{sweep_id}/data",
    summary="Part of a dataset: JSON, CSV, Arrow or NetCDF",
    response_class=Response,
    responses={**ANSWERS, **documented(404, 409, 413, 422, 500)},
)
def data(
    sweep_id: SweepId,
    request: Request,
    service: CurrentService,
    model: ModelName = None,
    variables: VariableNames = None,
    nearest: Nearest = False,
    format: FormatName = None,
    limit: RowLimit = None,
    after: RowsBefore = 0,
) -> Response:
    """Every further query parameter selects along a coordinate.

    `T=1e-3` one value, `T=1e-6:1e-4` a range with either end optional, `T=1e-6,1e-5` several.
    NaN and infinities are null in JSON, which has a mask that tells them apart; `log10_...`
    variables are finite where the value underflows.
    """
    record, store = service.sweeps.stored(sweep_id)
    form = chosen_format(format, request.headers.get("accept", ""))
    if not form.has_rows and (limit is not None or after):
        raise SelectionError(f"{form} has no rows; `limit` and `after` are for table, csv, arrow")
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    if form.suffix:
        headers["Content-Disposition"] = f'attachment; filename="{record.id}{form.suffix}"'
    if record.final:
        tag = answer_tag(store.version, form, sorted(request.query_params.multi_items()))
        headers |= {"Cache-Control": "private, no-cache", "ETag": tag}
        if is_known(request.headers, tag):
            return not_modified(headers)
    whole = service.datasets.get(store, model)
    part = choose(whole, _names(variables), _selections(request), nearest=nearest)
    cells = tuple(str(dim) for dim in whole["status"].dims if dim in part.dims)
    page = Page(Table(part, cells), after, limit)
    return _answer(form, part, page, request, headers)


def _answer(
    form: Format, part: xr.Dataset, page: Page, request: Request, headers: dict[str, str]
) -> Response:
    """Return part of a dataset in the format that was asked for."""
    if form == Format.JSON:
        refuse_too_many(part, MAX_VALUES)
        return plain_json(to_plain(part.compute()), headers)  # load() would keep it
    if form == Format.NETCDF:
        return StreamingResponse(as_netcdf(part), headers=headers, media_type=form.media_type)
    address = next_page(request, headers, after=page.next)
    if form == Format.TABLE:
        return plain_json({**columns_of(page), "next": address}, headers)
    pieces = as_csv(page) if form == Format.CSV else as_arrow(page)
    return StreamingResponse(pieces, headers=headers, media_type=form.media_type)


def _names(variables: str | None) -> list[str] | None:
    return list(dict.fromkeys(variables.split(","))) if variables else None


def _selections(request: Request) -> dict[str, Selection]:
    """Return what the query selects along coordinates."""
    asked = [(n, text) for n, text in request.query_params.multi_items() if n not in RESERVED]
    selections = {name: Selection.parse(text) for name, text in asked}
    if len(selections) < len(asked):
        raise SelectionError("a coordinate is given twice; write several values as T=1e-6,1e-5")
    return selections


@router.get(
    "/sweeps/{sweep_id}/zarr/{path:path}",
    summary="The Zarr store of a sweep, for xarray.open_zarr(url)",
    response_class=Response,
    responses={**PIECES, **documented(404, 409, 422, 500)},
)
@router.head("/sweeps/{sweep_id}/zarr/{path:path}", include_in_schema=False)
def zarr_bytes(sweep_id: SweepId, path: str, request: Request, service: CurrentService) -> Response:
    """Chunks that are not computed yet are 404, which Zarr reads as missing values."""
    record, store = service.sweeps.stored(sweep_id)
    headers = {**keeping(record), "Accept-Ranges": "bytes"}
    if "if-none-match" in request.headers and (version := zarr_version(store, path)):
        tag = strong_tag(version)
        if is_known(request.headers, tag):
            return not_modified({**headers, "ETag": tag})
    span = asked_span(request.headers)
    found = zarr_file(store, path, span or WHOLE)
    if found is not None and span and _is_another(request, found):
        span, found = None, zarr_file(store, path)
    if found is None:
        missing = problem(404, "Not found", _not_there(path, sweep_id))
        missing.headers["Cache-Control"] = "no-store"  # it may be there in a moment
        return missing
    headers["ETag"] = strong_tag(found.version)
    if span is not None:
        return piece_response(found, headers)
    return Response(found.content, headers=headers, media_type=MEDIA_TYPE)


def _is_another(request: Request, found: Piece) -> bool:
    """Whether the caller wants a range only of a version that this is not."""
    wanted = request.headers.get("if-range")
    return wanted is not None and wanted.strip() != strong_tag(found.version)


def _not_there(path: str, sweep_id: str) -> str:
    return f"{path[:200]!r} is not in the store of sweep {sweep_id}, or not computed yet"
