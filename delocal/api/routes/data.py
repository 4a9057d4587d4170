"""/v1/sweeps/{id}/data and /zarr: the results, selected as JSON or byte by byte."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from delocal.api.byte_ranges import MEDIA_TYPE, asked_span, piece_response
from delocal.api.errors import documented
from delocal.api.plain import plain_json
from delocal.api.routes.deps import CurrentService, SweepId
from delocal.service.errors import NotFound, SelectionError
from delocal.service.results import Selection, select, to_plain, zarr_file

router = APIRouter(tags=["data"])
ModelName = Annotated[str | None, Query(description="needed if the sweep has several")]
VariableNames = Annotated[str | None, Query(description="comma-separated; all if absent")]
Nearest = Annotated[bool, Query(description="take the nearest value on an axis")]
RESERVED = {"model", "variables", "nearest"}
"""Query parameters of /data that are not coordinates."""
PIECES: dict[int | str, dict[str, Any]] = {
    200: {"content": {MEDIA_TYPE: {}}},
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
    responses={**PIECES, **documented(404, 409, 422)},
)
@router.head("/sweeps/{sweep_id}/zarr/{path:path}", include_in_schema=False)
def zarr_bytes(sweep_id: SweepId, path: str, request: Request, service: CurrentService) -> Response:
    """Chunks that are not computed yet are 404, which Zarr reads as missing values."""
    span = asked_span(request.headers)
    found = zarr_file(service.sweeps.store(sweep_id), path, span)
    if found is None:
        raise NotFound(f"{path!r} is not in the store of sweep {sweep_id}, or not computed yet")
    if isinstance(found, Path):
        return FileResponse(found, media_type=MEDIA_TYPE)
    if span is not None:
        return piece_response(found)
    return Response(found.content, headers={"Accept-Ranges": "bytes"}, media_type=MEDIA_TYPE)
