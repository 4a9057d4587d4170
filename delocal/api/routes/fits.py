"""/v1/sweeps/{id}/fits: exponents of the results, beside those of the theory."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from delocal.api.caching import answer_tag, is_known, not_modified
from delocal.api.errors import documented
from delocal.api.plain import plain_json
from delocal.api.routes.data import ModelName, Nearest
from delocal.api.routes.deps import CurrentService, SweepId
from delocal.service.fits import fit, needed, parse_window, refuse_dear
from delocal.service.results import parse_selections, select, to_plain

router = APIRouter(tags=["data"])
VariableName = Annotated[str, Query(description="what is fitted, such as kappa_sd")]
Over = Annotated[str, Query(description="the coordinate that the power is of, such as T")]
Corrections = Annotated[
    str | None,
    Query(
        description="comma-separated: variables, or powers such as T^0.5, that vanish where the "
        "power law is exact"
    ),
]
WindowText = Annotated[
    str | None,
    Query(
        description="1e-6,1e-3: values of `over` that are fitted, either end optional; low or "
        "high: the law at small or large `over`, averaged over windows; all if absent"
    ),
]
Selections = Annotated[
    list[str] | None,
    Query(
        description="a coordinate and its values: W=1 one, T=1e-6:1e-4 a range, alpha=3,3.5 "
        "several; once for each coordinate"
    ),
]
EXAMPLE = {
    "variable": "kappa_sd",
    "over": "T",
    "law": "kappa_sd = a T^exponent",
    "rule": "all points",
    "sizes": {"interval": 40},
    "coords": {"W": {"dims": [], "attrs": {"units": "energy"}, "values": 1.0}},
    "data": {
        "exponent": {"dims": [], "attrs": {"long_name": "exponent of T"}, "values": 3.0},
        "exact": {"dims": [], "attrs": {"long_name": "exact exponent"}, "values": 3.0},
        "sigmas": {"dims": [], "attrs": {}, "values": None},
    },
}


@router.get(
    "/sweeps/{sweep_id}/fits",
    summary="A power law fitted to a variable in every cell of the other axes",
    response_class=Response,
    responses={
        200: {"content": {"application/json": {"example": EXAMPLE}}},
        304: {"description": "The caller has it already"},
        **documented(404, 409, 413, 422, 500),
    },
)
def fits(
    sweep_id: SweepId,
    request: Request,
    service: CurrentService,
    variable: VariableName,
    over: Over,
    model: ModelName = None,
    correction: Corrections = None,
    window: WindowText = None,
    sel: Selections = None,
    nearest: Nearest = False,
) -> Response:
    """Exponent with error, exact exponent, difference in sigma, chi2, window and local slopes.

    NaN and infinities are null. Points that are not computed yet are left out.
    """
    record, store = service.sweeps.stored(sweep_id)
    headers = {"Cache-Control": "no-store"}
    if record.final:
        tag = answer_tag(store.version, "fits", sorted(request.query_params.multi_items()))
        headers = {"Cache-Control": "private, no-cache", "ETag": tag}
        if is_known(request.headers, tag):
            return not_modified(headers)
    ds = service.datasets.get(store, model)
    corrections = correction.split(",") if correction else []
    limits = parse_window(window)
    chosen = parse_selections(sel or [])
    part = select(ds, needed(ds, variable, over, corrections), chosen, nearest=nearest)
    refuse_dear(part, variable, over, limits)
    found = fit(part, variable, over, correction=corrections, window=limits)
    about = {name: found.attrs[name] for name in ("variable", "over", "law", "rule")}
    return plain_json({**about, **to_plain(found)}, headers)
