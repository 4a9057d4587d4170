"""/v1/sweeps/{id}/figures and /v1/figures: what a sweep looks like, for Plotly."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from delocal.api.caching import answer_tag, is_known, not_modified
from delocal.api.errors import documented
from delocal.api.routes.data import Nearest
from delocal.api.routes.deps import CurrentService, SweepId
from delocal.api.schemas import AxisInfo, FigureInfo, FigureList
from delocal.service.figures import (
    RECIPES,
    Choices,
    Theme,
    axes_of,
    figure_of,
    phase_diagram,
    possible,
    to_json,
)

router = APIRouter(tags=["figures"])
Name = Annotated[str, Path(description="one of those that the list of figures has")]
Model = Annotated[str | None, Query(description="all that have what is drawn, if absent")]
VariableNames = Annotated[str | None, Query(description="comma-separated")]
AxisName = Annotated[str | None, Query(description="name of a coordinate")]
Selections = Annotated[
    list[str], Query(description="T=1e-3, T=1e-6:1e-4 or T=1e-6,1e-5; once for each coordinate")
]
ThemeName = Annotated[Theme, Query(description="colours")]
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"example": {"data": [], "layout": {}}}}},
    304: {"description": "The caller has it already"},
}
PIXELS = 160  # along each axis of a phase diagram


@router.get(
    "/sweeps/{sweep_id}/figures",
    summary="The figures that a sweep can give",
    responses=documented(404, 409, 422),
)
def list_figures(sweep_id: SweepId, request: Request, service: CurrentService) -> FigureList:
    """What can be chosen for each, the default first; a figure takes no other choices."""
    datasets = service.datasets.every(service.sweeps.store(sweep_id))
    here = f"{request.base_url}v1/sweeps/{sweep_id}/figures"
    figures = [
        FigureInfo.of(RECIPES[name], offers, f"{here}/{name}")
        for name, offers in possible(datasets).items()
    ]
    axes = {
        name: [AxisInfo.of(ds[axis]) for axis in axes_of(ds, map(str, ds.data_vars))]
        for name, ds in datasets.items()
    }
    return FigureList(figures=figures, axes=axes)


@router.get(
    "/sweeps/{sweep_id}/figures/{name}",
    summary="A figure of a sweep for Plotly",
    response_class=Response,
    responses={**ANSWERS, **documented(404, 409, 413, 422, 500)},
)
def figure(
    sweep_id: SweepId,
    name: Name,
    request: Request,
    service: CurrentService,
    model: Model = None,
    variable: VariableNames = None,
    x: AxisName = None,
    y: AxisName = None,
    sel: Selections = [],  # noqa: B006  # read by FastAPI, and never changed
    nearest: Nearest = False,
    theme: ThemeName = "light",
) -> Response:
    """`data` and `layout`, as `Plotly.newPlot` takes them."""
    record, store = service.sweeps.stored(sweep_id)
    headers = {"Cache-Control": "no-store"}
    if record.final:
        tag = answer_tag(store.version, name, sorted(request.query_params.multi_items()))
        headers = {"Cache-Control": "private, no-cache", "ETag": tag}
        if is_known(request.headers, tag):
            return not_modified(headers)
    choices = Choices.of(model, variable, x, y, sel, nearest, theme)
    drawn = figure_of(name, service.datasets.every(store), choices)
    return Response(to_json(drawn), headers=headers, media_type="application/json")


@router.get(
    "/figures/phase-diagram",
    summary="The regions over (alpha, beta), for Plotly",
    response_class=Response,
    responses={**ANSWERS, **documented(422)},
)
def regions(
    request: Request, d: Annotated[int, Query(ge=1, le=3)] = 2, theme: ThemeName = "light"
) -> Response:
    """The phase diagram of the power-law spin model in dimension `d`, without a sweep."""
    tag = answer_tag("phase-diagram", str(d), theme)
    headers = {"Cache-Control": "private, max-age=3600", "ETag": tag}
    if is_known(request.headers, tag):
        return not_modified(headers)
    drawn = phase_diagram(d, points=PIXELS, theme=theme)
    return Response(to_json(drawn), headers=headers, media_type="application/json")
