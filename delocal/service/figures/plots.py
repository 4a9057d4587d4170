"""Figures from Python: one method for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import xarray as xr

from delocal.service.figures.catalogue import figure_of, possible
from delocal.service.figures.choices import Choices
from delocal.service.figures.offers import datasets_of

Variables = str | Sequence[str] | None


class Plots:
    """Draws the figures of a sweep, or of the dataset of one of its models.

    Parameters
    ----------
    data
        What `delocal.run` or `delocal.open_sweep` returns, or one of its datasets, which may have
        been selected from.

    Notes
    -----
    All methods take `theme`, ``light`` or ``dark``, and coordinates by name, with the values to
    take: a number, a list or a slice. Of a tree they take `model` too. They raise what
    `figure_of` does.

    Examples
    --------
    >>> from delocal.workers.dataset import evaluate
    >>> ds = evaluate("scaling", d=2, alpha=3, beta=3, T=[1e-6, 1e-4, 1e-2], W=[1.0, 2.0])
    >>> figure = Plots(ds).kappa(W=1.0)
    >>> [line.name.partition(":")[0] for line in figure.data]
    ['kappa_opt', 'kappa_ps', 'kappa_s', 'kappa_sd']
    """

    def __init__(self, data: xr.DataTree | xr.Dataset) -> None:
        self._datasets = datasets_of(data)

    def names(self) -> list[str]:
        """Return the names of the figures that can be drawn."""
        return list(possible(self._datasets))

    def phase_diagram(self, **choices: Any) -> go.Figure:
        """Draw the regions over (alpha, beta), with the cells of the sweep."""
        return self._draw("phase-diagram", **choices)

    def kappa(self, variable: Variables = None, **choices: Any) -> go.Figure:
        """Draw the thermal conductivity over T by channel, or over another axis `x`."""
        return self._draw("kappa", variable, **choices)

    def curve(self, variable: Variables = None, **choices: Any) -> go.Figure:
        """Draw variables over the axis `x`, with one line for each value of the axis `y`."""
        return self._draw("curve", variable, **choices)

    def heatmap(self, variable: str | None = None, **choices: Any) -> go.Figure:
        """Draw a variable over the axes `x` and `y`, with a slider for the others."""
        return self._draw("heatmap", variable, **choices)

    def exponents(self, variable: str | None = None, **choices: Any) -> go.Figure:
        """Draw the exponent of T in a variable over (alpha, beta); `wrt` takes another letter."""
        return self._draw("exponents", variable, **choices)

    def partners(self, variable: Variables = None, **choices: Any) -> go.Figure:
        """Draw the number of resonant partners over their distance, as N2(R2)."""
        return self._draw("partners", variable, **choices)

    def linewidth(self, variable: Variables = None, **choices: Any) -> go.Figure:
        """Draw the linewidth and its approximations over the axis `x`."""
        return self._draw("linewidth", variable, **choices)

    def linewidth_law(self, variable: Variables = None, **choices: Any) -> go.Figure:
        """Draw the law of the linewidths, P(Gamma)."""
        return self._draw("linewidth-law", variable, **choices)

    def lineshape(self, variable: Variables = None, **choices: Any) -> go.Figure:
        """Draw a spectral line and its approximations over omega."""
        return self._draw("lineshape", variable, **choices)

    def convergence(self, variable: str | None = None, **choices: Any) -> go.Figure:
        """Draw the running mean of the replicas of one Monte Carlo cell."""
        return self._draw("convergence", variable, **choices)

    def collapse(self, **choices: Any) -> go.Figure:
        """Draw the curves of ``ds.delocal.collapse(...)`` over their scaled axes."""
        return self._draw("collapse", **choices)

    def _draw(
        self,
        name: str,
        variable: Variables = None,
        *,
        model: str | None = None,
        x: str | None = None,
        y: str | None = None,
        nearest: bool = False,
        theme: str = "light",
        **sel: Any,
    ) -> go.Figure:
        choices = Choices.of(model, variable, x, y, sel, nearest, theme)
        return figure_of(name, self._datasets, choices)
