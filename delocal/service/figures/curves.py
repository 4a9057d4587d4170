"""Variables over one axis: lines of theories, points with error bars of Monte Carlo."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from delocal.physics.model import Status
from delocal.service.figures.choices import Choices
from delocal.service.figures.offers import Offer
from delocal.service.figures.series import Series, series_of
from delocal.service.figures.style import (
    DASHES,
    DECADES,
    SYMBOLS,
    Style,
    coordinate_axis,
    decade_ticks,
    dressed,
    in_lines,
    log_ticks,
    say,
    title_of,
    unit_of,
    words,
)
from delocal.service.figures.values import settings_of

Scale = Literal["linear", "log", "decades"]
"""Of the values: `decades` shows logarithms on a linear axis, for they underflow."""
PREPOSITIONS = {"of", "by", "at", "in", "for", "over", "the"}
NAMED = 2  # variables beside the axis
FEW = 12  # points that a line alone would hide


def draw_curves(
    offers: Sequence[Offer], choices: Choices, title: str | None = None, *, log: bool | None = None
) -> go.Figure:
    """Return all variables of the offers over `x`, one line for each value of `y` if there is one.

    A variable with a standard error is drawn as points, else as a line. What is about the same,
    such as a theory and its Monte Carlo, has one colour.

    Parameters
    ----------
    log
        Whether the values have a logarithmic axis; None lets them decide.

    Raises
    ------
    SelectionError
        An axis is left open, units differ, or there are too many lines.
    """
    series = series_of(offers, choices)
    scale = _scale(series, log)
    legend = Legend(series)
    figure = go.Figure()
    for each, look in zip(series, _looks(series, choices.style), strict=True):
        figure.add_scatter(name=legend.label(each), **_points(each, scale), **look)
    figure.update_xaxes(coordinate_axis(series[0].x))
    figure.update_yaxes(title_text=legend.axis, **_ticks(series, scale))
    figure.update_layout(showlegend=len(series) > 1)
    if not series[0].values.notnull().any():
        say(figure, f"no values: {_counted(series[0].status)}")
    about = [settings_of(*(s.values for s in series)), legend.source, legend.comment]
    return dressed(figure, choices.style, title or legend.title, about)


class Legend:
    """What series are called: what they share is on the axis, the rest in the legend."""

    def __init__(self, series: Sequence[Series]) -> None:
        self._one_variable = len({s.name for s in series}) == 1
        self._one_subject = len({s.subject[0] for s in series}) == 1
        self._one_model = len({s.model for s in series}) == 1
        self._meaning = _shared([str(s.values.attrs.get("long_name", "")).split() for s in series])
        while self._meaning and self._meaning[-1] in PREPOSITIONS:
            self._meaning = self._meaning[:-1]
        sources = [str(s.values.attrs.get("equation", "")).split(", ") for s in series]
        self._source = _shared(sources)
        self._first = series[0].values
        self._names = list(dict.fromkeys(s.name for s in series))

    @property
    def axis(self) -> str:
        """The title of the axis of values."""
        if self._one_variable:
            return title_of(self._first)
        more = ", ..." if len(self._names) > NAMED else ""
        named = " ".join(self._meaning) or ", ".join(self._names[:NAMED]) + more
        return f"{in_lines(named)}{unit_of(self._first)}"

    @property
    def title(self) -> str:
        """What a figure of these series is called."""
        meaning = self._first.attrs.get("long_name", "") if self._one_variable else ""
        title = str(meaning or " ".join(self._meaning) or ", ".join(self._names))
        return title[:1].upper() + title[1:]

    @property
    def source(self) -> str:
        """The paper, or the equation, that all series are from."""
        return ", ".join(self._source)

    @property
    def comment(self) -> str:
        """What a reader must know, if all series are about the same."""
        return str(self._first.attrs.get("comment", "")) if self._one_subject else ""

    def label(self, series: Series) -> str:
        """Return the entry of one of the series."""
        parts = [] if self._one_variable else [self._described(series)]
        parts += [series.family] if series.family else []
        if not self._one_model:
            kind = ", Monte Carlo" if series.stderr is not None else ""
            parts.append(f"model {series.model}{kind}")
        return ", ".join(parts) or series.name

    def _described(self, series: Series) -> str:
        """Return the name of a variable with its meaning, which in a family would be repeated."""
        if series.family:
            return series.name
        attributes = series.values.attrs
        meaning = str(attributes.get("long_name", "")).split()[len(self._meaning) :]
        source = str(attributes.get("equation", "")).split(", ")[len(self._source) :]
        return ", ".join(filter(None, [" ".join([f"{series.name}:", *meaning]), *source]))


def _shared(lists: Sequence[list[str]]) -> list[str]:
    """Return the words that all lists begin with."""
    alike = itertools.takewhile(lambda words: len(set(words)) == 1, zip(*lists, strict=False))
    return [words[0] for words in alike]


def _scale(series: Sequence[Series], log: bool | None) -> Scale:
    if log is None:
        log = any(s.is_logarithmic for s in series) and not any(s.is_negative for s in series)
    if not log:
        return "linear"
    return "decades" if any(s.underflows for s in series) else "log"


def _looks(series: Sequence[Series], style: Style) -> list[dict[str, Any]]:
    """Return colour, dash, symbol and mode of each: by its subject, variable, model and kind."""
    subjects = list(dict.fromkeys(s.subject for s in series))
    names = list(dict.fromkeys(s.name for s in series))
    models = list(dict.fromkeys(s.model for s in series))
    looks = []
    for s in series:
        place = subjects.index(s.subject)
        colour = style.colour(place, len(subjects), ordered=bool(s.family))
        symbol = SYMBOLS[models.index(s.model) % len(SYMBOLS)]
        symbols = np.where(s.status == Status.NOT_CONVERGED, f"{symbol}-open", symbol)
        marker = {"color": colour, "size": 8 if s.stderr is not None else 5, "symbol": symbols}
        if s.stderr is not None:
            looks.append({"mode": "markers", "marker": marker})
            continue
        line = {"color": colour, "dash": DASHES[names.index(s.name) % len(DASHES)], "width": 2}
        mode = "lines" if s.x.size > FEW else "lines+markers"
        looks.append({"mode": mode, "line": line, "marker": marker})
    return looks


def _points(series: Series, scale: Scale) -> dict[str, Any]:
    """Return the arrays of one series, and what is shown at a point."""
    values = series.values.values.astype(float)
    y = series.decades if scale == "decades" else values
    x_name, power = series.x.name, "10^" if scale == "decades" else ""
    shown = f"{x_name} = %{{x:.6g}}<br>{series.name} = {power}%{{y:.6g}}"
    arrays: dict[str, Any] = {"x": series.x.values, "y": np.where(np.isfinite(y), y, np.nan)}
    if series.stderr is not None:
        error = series.stderr
        if scale == "decades":
            error = error / (np.abs(values) * np.log(10))
        arrays["error_y"] = {"array": error, "thickness": 1.5, "width": 3}
        shown += " ± %{error_y.array:.2g}"
    return {**arrays, "hovertemplate": f"{shown}<extra>%{{fullData.name}}</extra>"}


def _counted(status: NDArray[np.int8]) -> str:
    """Return how many cells there are of each status."""
    found = zip(*np.unique(status, return_counts=True), strict=True)
    return ", ".join(f"{count} {words(Status(code).label)}" for code, count in found)


def _ticks(series: Sequence[Series], scale: Scale) -> dict[str, Any]:
    if scale == "decades":
        return {**DECADES, **decade_ticks(np.concatenate([s.decades for s in series]))}
    if scale == "log":
        return log_ticks(np.concatenate([s.values.values.astype(float) for s in series]))
    return {}
