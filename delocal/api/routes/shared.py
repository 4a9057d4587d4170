"""/v1/sweeps/{id}:share and /v1/shared: a dataset for somebody who has no key."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from delocal.api.errors import documented
from delocal.api.routes import data as of_keys
from delocal.api.routes.data import (
    ANSWERS,
    PIECES,
    FormatName,
    ModelName,
    Nearest,
    RowLimit,
    RowsBefore,
    VariableNames,
)
from delocal.api.routes.deps import CurrentService, SweepId
from delocal.api.schemas import SharedLink, ShareRequest

router = APIRouter(tags=["data"])


def _shared_sweep(
    token: Annotated[str, Path(description="sweep, expiry and signature, as `:share` made them")],
    service: CurrentService,
) -> str:
    return service.sharing.check(token)


SharedSweep = Annotated[str, Depends(_shared_sweep)]


@router.post(
    "/sweeps/{sweep_id}:share",
    status_code=201,
    summary="Make a link to the data of a sweep that is good without a key, until it expires",
    responses=documented(404, 422),
)
def share(
    sweep_id: SweepId, content: ShareRequest, request: Request, service: CurrentService
) -> SharedLink:
    """`zarr` opens with `xarray.open_zarr`; nothing but the data of this sweep can be read."""
    found = service.sweeps.get(sweep_id)
    token, expires = service.sharing.token(found.id, content.seconds)
    here = f"{request.base_url}v1/shared/{token}"
    return SharedLink(
        data=f"{here}/data", zarr=f"{here}/zarr", expires=datetime.fromtimestamp(expires, UTC)
    )


@router.get(
    "/shared/{token}/data",
    summary="Part of a shared dataset",
    response_class=Response,
    responses={**ANSWERS, **documented(401, 404, 409, 413, 422, 500)},
)
def shared_data(
    sweep_id: SharedSweep,
    request: Request,
    service: CurrentService,
    model: ModelName = None,
    variables: VariableNames = None,
    nearest: Nearest = False,
    format: FormatName = None,
    limit: RowLimit = None,
    after: RowsBefore = 0,
) -> Response:
    """The same as `/v1/sweeps/{sweep_id}/data`."""
    return of_keys.data(sweep_id, request, service, model, variables, nearest, format, limit, after)


@router.get(
    "/shared/{token}/zarr/{path:path}",
    summary="The Zarr store of a shared sweep, for xarray.open_zarr(url)",
    response_class=Response,
    responses={**PIECES, **documented(401, 404, 409, 500)},
)
@router.head("/shared/{token}/zarr/{path:path}", include_in_schema=False)
def shared_zarr(
    sweep_id: SharedSweep, path: str, request: Request, service: CurrentService
) -> Response:
    """The same as `/v1/sweeps/{sweep_id}/zarr`."""
    return of_keys.zarr_bytes(sweep_id, path, request, service)
