"""`delocal fit`: exponents of a sweep, beside those of the theory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from delocal.api.cli.base import (
    HERE,
    Json,
    Key,
    Model,
    Nearest,
    Sel,
    SweepOrFolder,
    Url,
    command,
    connected,
    is_folder,
    json_of,
    named,
    out,
    print_table,
    say,
    tell_json,
)

if TYPE_CHECKING:
    import xarray as xr

PANEL = "Results"
SHOWN = ("exponent", "exponent_stderr", "exact", "sigmas", "chi2", "dof", "points")


@command(
    "delocal fit ID kappa_sd --over T",
    "delocal fit ID kappa_sd --over T --sel alpha=3 --window 1e-6,1e-4",
    "delocal fit dipoles kappa_sd --over T --json",
    panel=PANEL,
)
def fit(
    sweep: SweepOrFolder,
    variable: Annotated[str, typer.Argument(metavar="VARIABLE", help="what is fitted")],
    over: Annotated[str, typer.Option(help="the coordinate that the power is of")],
    model: Model = None,
    correction: Annotated[
        str | None,
        typer.Option(help="comma-separated: variables, or powers such as T^0.5, of corrections"),
    ] = None,
    window: Annotated[
        str | None, typer.Option(help="1e-6,1e-3: ends of what is fitted; or low, or high")
    ] = None,
    sel: Sel = None,
    nearest: Nearest = False,
    url: Url = HERE,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Fit a power law in every cell of the other axes, beside the exponent of the theory."""
    asked: dict[str, Any] = {"correction": correction.split(",") if correction else []}
    asked |= {"model": model, "window": window, "nearest": nearest}
    chosen: dict[str, Any] = {**named(sel, "--sel")}
    if is_folder(sweep):
        found = _fit_here(sweep, variable, over, chosen, **asked)
    else:
        with connected(url, key) as client:
            found = client.sweep(sweep).fit(variable, over, **asked, **chosen)
    if as_json:
        tell_json({**found.attrs, **json_of(found)})
    else:
        say(out, f"{found.attrs['law']}, {found.attrs['rule']}")
        print_table(*_rows(found), wrap=False)


def _fit_here(
    folder: str,
    variable: str,
    over: str,
    sel: dict[str, str],
    *,
    model: str | None,
    correction: list[str],
    window: str | None,
    nearest: bool,
) -> xr.Dataset:
    from delocal.service.cells import one_of
    from delocal.service.fits import fit as fit_power
    from delocal.service.fits import needed, parse_window
    from delocal.service.results import Selection, select
    from delocal.service.run import open_sweep

    ds = one_of(open_sweep(folder), model)
    chosen = {name: Selection.parse(values) for name, values in sel.items()}
    part = select(ds, needed(ds, variable, over, correction), chosen, nearest=nearest)
    return fit_power(part, variable, over, correction=correction, window=parse_window(window))


def _rows(found: xr.Dataset) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a row for each cell: the coordinates that vary, and what was found; and the names."""
    cells = found[[name for name in SHOWN if name in found]]
    if cells.sizes:
        cells = cells.stack(cell=[...], create_index=False)
    else:
        cells = cells.expand_dims("cell")
    varying = [str(name) for name, values in found.exponent.coords.items() if values.ndim]
    names = [*varying, *map(str, cells.data_vars)]
    columns = [cells[name].values.tolist() for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)], names
