"""Every figure that a sweep may give."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable

import plotly.graph_objects as go
import xarray as xr

from delocal.physics.models import load_models
from delocal.service.errors import NotFound, did_you_mean
from delocal.service.figures.choices import (
    Choices,
    Datasets,
    Offer,
    axes_of,
    flags_of,
    take,
)
from delocal.service.figures.convergence import draw_convergence
from delocal.service.figures.curves import draw_curves
from delocal.service.figures.exponents import EXPONENT, WRT, draw_exponents
from delocal.service.figures.maps import draw_map
from delocal.service.figures.phase_diagram import draw_phase_diagram
from delocal.service.figures.recipe import Offers, Recipe
from delocal.workers.sampling import REPLICA

KAPPA = r"kappa(_(?!ratio$|inf$)\w+)?"
COMPANION = re.compile(r"log10_\w+|\w+_(stderr|exponent|exponent_L)")
PARTNERS = {"R2": r"N2(_exact)?", "R3": r"N3(_exact)?", "R": r"N1(_exact)?"}
"""Numbers of resonant partners, by the distance that they are over."""


def figure_of(name: str, datasets: Datasets, choices: Choices) -> go.Figure:
    """Draw a figure of the datasets of a sweep.

    Raises
    ------
    NotFound
        No such figure, the sweep cannot give it, or it has no such model.
    SelectionError
        A variable or axis is not there, or the figure leaves an axis open.
    TooLarge
        More values than one figure may hold.
    """
    if name not in RECIPES:
        raise NotFound(f"no figure {name!r}; {did_you_mean(name, RECIPES)}")
    recipe = RECIPES[name]
    offers = recipe.offers(datasets)
    if not offers:
        others = ", ".join(possible(datasets)) or "none"
        raise NotFound(f"no {name!r} of this sweep: it needs {recipe.needs}. There are: {others}")
    return recipe.figure(offers, choices)


def possible(datasets: Datasets) -> dict[str, list[Offer]]:
    """Return each figure that the datasets of a sweep can give, and what of."""
    offers = {name: recipe.offers(datasets) for name, recipe in RECIPES.items()}
    return {name: found for name, found in offers.items() if found}


def _offer(
    model: str, ds: xr.Dataset, names: Iterable[str], first: str | None = None
) -> Offer | None:
    """Offer variables over all their axes, the `first` axis before others; None without any."""
    variables = tuple(names)
    axes = sorted(axes_of(ds, variables), key=lambda axis: axis != first)
    return Offer(model, ds, variables, tuple(axes)) if variables and axes else None


def _plane(model: str, ds: xr.Dataset) -> Offer | None:
    """Offer (alpha, beta), of the model that has them."""
    if not {"d", "alpha", "beta", "status"} <= set(ds.variables) or REPLICA in ds.dims:
        return None
    return Offer(model, ds, ("status",), axes_of(ds, ["status"]))


def _matching(pattern: str, over: str, *, also: bool = False) -> OfferOf:
    """Return what offers variables of a name over one axis, and `also` over others without it."""

    def offer(model: str, ds: xr.Dataset) -> Offer | None:
        names = (name for name in _numbers(ds) if re.fullmatch(pattern, name))
        found = _offer(model, ds, names, over)
        return found if found and (also or over in found.axes) else None

    return offer


OfferOf = Callable[[str, xr.Dataset], Offer | None]


def _partners(model: str, ds: xr.Dataset) -> Offer | None:
    offers = (_matching(pattern, over)(model, ds) for over, pattern in PARTNERS.items())
    return next((offer for offer in offers if offer), None)


def _anything(model: str, ds: xr.Dataset) -> Offer | None:
    return _offer(model, ds, _best_first(model, ds, _numbers(ds)))


def _over_two_axes(model: str, ds: xr.Dataset) -> Offer | None:
    names = (str(name) for name in ds.data_vars if not str(name).startswith("log10_"))
    wide = [name for name in names if sum(size > 1 for size in ds[name].shape) > 1]
    return None if REPLICA in ds.dims else _offer(model, ds, _best_first(model, ds, wide))


def _exponents(model: str, ds: xr.Dataset) -> Offer | None:
    names = [name for name in ds.data_vars if str(name).endswith(EXPONENT) and WRT in ds[name].dims]
    wide = [str(name) for name in names if sum(size > 1 for size in ds[name].shape) > 2]
    axes = tuple(axis for axis in axes_of(ds, wide) if axis != WRT)
    variables = [name.removesuffix(EXPONENT) for name in wide]
    return Offer(model, ds, _best_first(model, ds, variables), axes) if wide else None


def _replicas(model: str, ds: xr.Dataset) -> Offer | None:
    if REPLICA not in ds.dims:
        return None
    names = [name for name in ds.data_vars if REPLICA in ds[name].dims and name != "status"]
    variables = _best_first(model, ds, map(str, names))
    axes = tuple(axis for axis in axes_of(ds, variables) if axis != REPLICA)
    return Offer(model, ds, variables, axes)


def _numbers(ds: xr.Dataset) -> list[str]:
    """Return the variables that vary and are neither flags nor companions of others."""
    if REPLICA in ds.dims:
        return []
    return [
        str(name)
        for name, array in ds.data_vars.items()
        if max(array.shape, default=1) > 1
        and not flags_of(array)
        and not COMPANION.fullmatch(str(name))
    ]


def _best_first(model: str, ds: xr.Dataset, names: Iterable[str]) -> tuple[str, ...]:
    """Return names in the order in which they are offered: what a model is for before the rest."""
    known = load_models().get(model)
    target = known.target if known else ""

    def rank(name: str) -> tuple[bool, ...]:
        number = name in ds and not flags_of(ds[name])
        return name != target, not re.fullmatch(KAPPA, name), f"log10_{name}" not in ds, not number

    return tuple(sorted(names, key=rank))


def _curves(
    title: str | None = None, log: bool | None = None
) -> Callable[[Offers, Choices], go.Figure]:
    return lambda offers, choices: draw_curves(offers, choices, title, log=log)


def _draw_line(offers: Offers, choices: Choices) -> go.Figure:
    """Draw a spectral line with its width and with J, beyond which kinks make it."""
    figure = draw_curves(offers, choices, "Spectral line of a localized level", log=True)
    line = take(offers[0], ["width"], choices)
    for name in ("width", "J"):
        if name in line.variables and not line[name].ndim:
            _mark(figure, float(line[name]), name)
    return figure


def _mark(figure: go.Figure, x: float, text: str) -> None:
    """Draw an upright line at `x` of a logarithmic axis."""
    figure.add_shape(x0=x, x1=x, y0=0, y1=1, yref="paper", line_dash="dash")
    at = {"x": math.log10(x), "y": 1, "yref": "paper", "yanchor": "top", "xanchor": "left"}
    figure.add_annotation(text=text, showarrow=False, **at)


_ALL = (
    Recipe(
        "phase-diagram",
        "Regions over (alpha, beta), with the cells of the sweep",
        "a model with d, alpha and beta",
        _plane,
        lambda offers, choices: draw_phase_diagram(offers[0], choices),
        takes=("model", "sel"),
    ),
    Recipe(
        "kappa",
        "Thermal conductivity by channel, over temperature",
        "variables kappa or kappa_CHANNEL that vary",
        _matching(KAPPA, "T", also=True),
        _curves("Thermal conductivity", log=True),
        all_variables=True,
    ),
    Recipe(
        "curve",
        "Any variables over any axis: lines of theories, points of Monte Carlo",
        "a variable that varies",
        _anything,
        _curves(),
    ),
    Recipe(
        "heatmap",
        "Any variable over any two axes, with a slider for the others",
        "a variable that varies along two axes",
        _over_two_axes,
        lambda offers, choices: draw_map(offers[0], choices),
    ),
    Recipe(
        "exponents",
        "Exponents of the theory over (alpha, beta)",
        "a variable X_exponent that varies along two axes",
        _exponents,
        lambda offers, choices: draw_exponents(offers[0], choices),
    ),
    Recipe(
        "partners",
        "Resonant partners over their distance, as N2(R2)",
        "a network: N1 over R, N2 over R2, or N3 over R3",
        _partners,
        _curves("Resonant partners over their distance", log=True),
        all_variables=True,
    ),
    Recipe(
        "linewidth",
        "Linewidth and its approximations",
        "variables Gamma or Gamma_... that vary",
        _matching(r"Gamma(_\w+)?", "T", also=True),
        _curves("Linewidth"),
        all_variables=True,
    ),
    Recipe(
        "linewidth-law",
        "Law of the linewidths, P(Gamma)",
        "P_n over Gamma, as of model linewidths",
        _matching(r"P_(n|metal)", "Gamma"),
        _curves("Law of the linewidths", log=True),
    ),
    Recipe(
        "lineshape",
        "Spectral line and its approximations",
        "S over omega, as of model lineshape",
        _matching(r"S(_12|_lorentzian)?", "omega"),
        _draw_line,
        all_variables=True,
    ),
    Recipe(
        "convergence",
        "Running mean of the replicas of a Monte Carlo cell",
        "the replicas of a Monte Carlo model",
        _replicas,
        lambda offers, choices: draw_convergence(offers[0], choices),
        takes=("model", "variable", "sel"),
    ),
)
RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _ALL}
