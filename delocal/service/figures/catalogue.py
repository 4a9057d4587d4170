"""Every figure that a sweep may give."""

from __future__ import annotations

from collections.abc import Callable

import plotly.graph_objects as go

from delocal.service.errors import NotFound, did_you_mean
from delocal.service.figures import needs
from delocal.service.figures.choices import Choices
from delocal.service.figures.collapse import draw_collapse
from delocal.service.figures.convergence import draw_convergence
from delocal.service.figures.curves import draw_curves
from delocal.service.figures.exponents import draw_exponents
from delocal.service.figures.lineshape import draw_lineshape
from delocal.service.figures.maps import draw_map
from delocal.service.figures.offers import Datasets, Offer
from delocal.service.figures.phase_diagram import draw_phase_diagram
from delocal.service.figures.recipe import Offers, Recipe


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


def _curves(
    title: str | None = None, log: bool | None = None
) -> Callable[[Offers, Choices], go.Figure]:
    return lambda offers, choices: draw_curves(offers, choices, title, log=log)


_ALL = (
    Recipe(
        "phase-diagram",
        "Regions over (alpha, beta), with the cells of the sweep",
        "a model of spins with d, alpha, beta, t and V",
        needs.plane,
        lambda offers, choices: draw_phase_diagram(offers[0], choices),
        takes=("model", "sel"),
    ),
    Recipe(
        "kappa",
        "Thermal conductivity by channel, over temperature",
        "variables kappa or kappa_CHANNEL that vary",
        needs.matching(needs.KAPPA, "T", also=True),
        _curves("Thermal conductivity", log=True),
        all_variables=True,
    ),
    Recipe(
        "curve",
        "Any variables over any axis: lines of theories, points of Monte Carlo",
        "a variable that varies",
        needs.anything,
        _curves(),
    ),
    Recipe(
        "heatmap",
        "Any variable over any two axes, with a slider for the others",
        "a variable that varies along two axes",
        needs.over_two_axes,
        lambda offers, choices: draw_map(offers[0], choices),
    ),
    Recipe(
        "exponents",
        "Exponents of the theory over (alpha, beta)",
        "a variable X_exponent that varies along two axes",
        needs.exponents,
        lambda offers, choices: draw_exponents(offers[0], choices),
    ),
    Recipe(
        "partners",
        "Resonant partners over their distance, as N2(R2)",
        "a network: N1 over R, N2 over R2, or N3 over R3",
        needs.partners,
        _curves("Resonant partners over their distance", log=True),
        all_variables=True,
    ),
    Recipe(
        "linewidth",
        "Linewidth and its approximations",
        "variables Gamma or Gamma_... that vary",
        needs.matching(r"Gamma(_\w+)?", "T", also=True),
        _curves("Linewidth"),
        all_variables=True,
    ),
    Recipe(
        "linewidth-law",
        "Law of the linewidths, P(Gamma)",
        "P_n over Gamma, as of model linewidths",
        needs.matching(r"P_(n|metal)", "Gamma"),
        _curves("Law of the linewidths", log=True),
    ),
    Recipe(
        "lineshape",
        "Spectral line and its approximations",
        "S over omega, as of model lineshape",
        needs.matching(r"S(_12|_lorentzian)?", "omega"),
        draw_lineshape,
        all_variables=True,
    ),
    Recipe(
        "convergence",
        "Running mean of the replicas of a Monte Carlo cell",
        "the replicas of a Monte Carlo model",
        needs.replicas,
        lambda offers, choices: draw_convergence(offers[0], choices),
        takes=("model", "variable", "sel"),
    ),
    Recipe(
        "collapse",
        "Curves over scaled axes, on one another where the scaling is right",
        "what `ds.delocal.collapse` returns",
        needs.scaled,
        lambda offers, choices: draw_collapse(offers[0], choices),
        takes=("sel",),
    ),
)
RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _ALL}
