"""/v1/sweeps/{id}/data and /zarr: the results, selected as JSON or byte by byte."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from delocal.api.byte_ranges import MEDIA_TYPE, asked_span, piece_response
from delocal.api.caching import is_known, keeping, not_modified, strong_tag
from delocal.api.errors import documented, problem
from delocal.api.plain import plain_json
from delocal.api.routes.deps import CurrentService, SweepId
from delocal.service.errors import SelectionError
from delocal.service.results import Selection, select, to_plain, zarr_file, zarr_version
from delocal.workers.storage import Piece

router = APIRouter(tags=["data"])
ModelName = Annotated[str | None, Query(description="needed if the sweep has several")]
VariableNames = Annotated[str | None, Query(description="comma-separated; all if absent")]
Nearest = Annotated[bool, Query(description="take the nearest value on an axis")]
RESERVED = {"model", "variables", "nearest"}
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


@router.get(
    "/sweeps/{sweep_id}/data",
    summary="Part of a dataset as JSON",
    responses={
        200: {"content": {"application/json": {"example": EXAMPLE}}},
        **documented(404, 413, 422),
    },
)
def data(
    sweep_id: SweepId,
    request: Request,
    service: CurrentService,
    model: ModelName = None,
    variables: VariableNames = None,
    nearest: Nearest = False,
) -> Response:
    """Every further query parameter selects along a coordinate.

    `T=1e-3` one value, `T=1e-6:1e-4` a range with either end optional, `T=1e-6,1e-5` several.
    NaN and infinities are null; `log10_...` variables are finite where the value underflows.
    """
    ds = service.datasets.get(service.sweeps.store(sweep_id), model)
    wanted = variables.split(",") if variables else None
    asked = [(n, text) for n, text in request.query_params.multi_items() if n not in RESERVED]
    selections = {name: Selection.parse(text) for name, text in asked}
    if len(selections) < len(asked):
        raise SelectionError("a coordinate is given twice; write several values as T=1e-6,1e-5")
    return plain_json(to_plain(select(ds, wanted, selections, nearest=nearest)))


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
