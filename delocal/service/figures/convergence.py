"""How the mean of a Monte Carlo cell settles as its replicas come in."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from delocal.physics.model import Status
from delocal.service.figures.choices import Choices
from delocal.service.figures.offers import Offer, open_axes, take, too_many_axes
from delocal.service.figures.style import dressed, say, title_of, with_alpha
from delocal.service.figures.values import settings_of
from delocal.workers.sampling import REPLICA

Array = NDArray[np.float64]


def draw_convergence(replicas: Offer, choices: Choices) -> go.Figure:
    """Return the mean of the first n replicas with its standard error, over n, for one cell.

    Parameters
    ----------
    replicas
        The single replicas of a model; its first variable is drawn.

    Raises
    ------
    SelectionError
        More than one cell is left.
    """
    variable = replicas.variables[0]
    if dims := open_axes(replicas, variable, choices, [REPLICA]):
        raise too_many_axes(replicas, variable, choices, dims)
    part = take(replicas, [variable], choices)
    if REPLICA not in part.dims:  # there is but one
        part = part.expand_dims(REPLICA)
    values = part[variable].where(part.status == Status.DONE).dropna(REPLICA)
    number = np.arange(1, values.size + 1)
    mean, stderr = running_mean(values.values)
    style = choices.style
    colour, faint = style.colours[0], style.masks["cancelled"]
    figure = go.Figure()
    band = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    fill = {"fill": "tonexty", "fillcolor": with_alpha(colour, 0.3)}
    figure.add_scatter(x=number, y=mean - stderr, showlegend=False, **band)
    figure.add_scatter(x=number, y=mean + stderr, name="standard error of the mean", **band, **fill)
    figure.add_scatter(
        x=number,
        y=values.values,
        mode="markers",
        marker={"color": faint, "size": 5, "opacity": 0.8},
        name="one replica",
        hovertemplate="%{y:.6g}<extra>replica %{x}</extra>",
    )
    figure.add_scatter(
        x=number,
        y=mean,
        customdata=stderr,
        mode="lines",
        line={"color": colour, "width": 2},
        name="mean of the first n replicas",
        hovertemplate="n = %{x}<br>%{y:.6g} ± %{customdata:.2g}<extra></extra>",
    )
    figure.update_xaxes(title_text="number of replicas n")
    figure.update_yaxes(title_text=title_of(values))
    if not values.size:
        say(figure, "no replica of this cell is there yet")
    about = [settings_of(values), values.attrs.get("equation", "")]
    return dressed(figure, style, f"Convergence of {variable}, model {replicas.model}", about)


def running_mean(values: Array) -> tuple[Array, Array]:
    """Return mean and standard error of the first n of the values, for every n; shape (n,).

    One value has no error: NaN.

    Examples
    --------
    >>> mean, stderr = running_mean(np.array([1.0, 3.0, 2.0]))
    >>> mean.tolist(), stderr[1:].round(3).tolist()
    ([1.0, 2.0, 2.0], [1.0, 0.577])
    """
    n = np.arange(1, values.size + 1)
    mean = np.cumsum(values) / n
    centred = values - (mean[-1] if values.size else 0.0)  # against cancellation
    square, first = np.cumsum(centred**2), np.cumsum(centred)
    with np.errstate(all="ignore"):  # 0 / 0 for n = 1
        variance = (square - first**2 / n) / (n - 1)
    return mean, np.sqrt(np.where(n > 1, np.maximum(variance, 0), np.nan) / n)
