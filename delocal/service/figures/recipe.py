"""What a figure is: what it needs of a sweep, what can be chosen, and how it is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import plotly.graph_objects as go
import xarray as xr

from delocal.service.errors import NotFound, SelectionError, did_you_mean
from delocal.service.figures.choices import Choices
from delocal.service.figures.offers import Datasets, Offer
from delocal.service.figures.style import unit_of

Offers = Sequence[Offer]
ALL = ("model", "variable", "x", "y", "sel")


@dataclass(frozen=True)
class Recipe:
    """One figure.

    Parameters
    ----------
    name, title, needs
        Its name in addresses, what it shows, and what it needs, in words.
    offer
        What a dataset of a model can give to it; None if nothing.
    draw
        Draws what is left of the offers when the choices are made.
    takes
        Which choices it heeds, beside the theme.
    all_variables
        Whether, if none is chosen, all variables with the unit of the first are drawn, or only one.
    """

    name: str
    title: str
    needs: str
    offer: Callable[[str, xr.Dataset], Offer | None]
    draw: Callable[[Offers, Choices], go.Figure]
    takes: tuple[str, ...] = ALL
    all_variables: bool = False

    def offers(self, datasets: Datasets) -> list[Offer]:
        """Return what the datasets of a sweep can give to this figure, model by model."""
        found = (self.offer(str(ds.attrs.get("model", name)), ds) for name, ds in datasets.items())
        return [offer for offer in found if offer is not None]

    def figure(self, offers: Offers, choices: Choices) -> go.Figure:
        """Draw what is chosen of the offers.

        Raises
        ------
        NotFound
            The sweep has no such model.
        SelectionError
            A variable or axis is not there, or the figure leaves an axis open.
        TooLarge
            More values than one figure may hold.
        """
        if choices.model is not None:
            models = [offer.model for offer in offers]
            if choices.model not in models:
                advice = did_you_mean(choices.model, models)
                raise NotFound(f"no model {choices.model!r} for {self.name!r}; {advice}")
            offers = [offer for offer in offers if offer.model == choices.model]
        self._check("variable", choices.variables, (v for o in offers for v in o.variables))
        axes = [name for name in (choices.x, choices.y) if name is not None]
        self._check("axis", axes, (name for o in offers for name in o.axes))
        self._check("axis", choices.sel, (str(name) for o in offers for name in o.ds.coords))
        wanted = choices.variables or self._variables(offers)
        kept = [replace(o, variables=tuple(v for v in wanted if v in o.variables)) for o in offers]
        return self.draw([offer for offer in kept if offer.variables], choices)

    def _variables(self, offers: Offers) -> tuple[str, ...]:
        first, *_ = offers[0].variables
        if not self.all_variables:
            return (first,)
        unit = unit_of(offers[0].ds[first])
        return tuple(v for o in offers for v in o.variables if unit_of(o.ds[v]) == unit)

    def _check(self, kind: str, names: Iterable[str], known: Iterator[str]) -> None:
        there = dict.fromkeys(known)
        for name in names:
            if name not in there:
                advice = did_you_mean(name, there)
                raise SelectionError(f"no {kind} {name!r} for {self.name!r}; {advice}")
