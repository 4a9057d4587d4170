"""Figures and tables of the papers, drawn again from sweeps: `delocal reproduce NAME`.

A reproduction names the sweeps that it needs and a function that draws their datasets. Its
caption says what agrees with the paper and what does not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import xarray as xr

from delocal.service.errors import NotFound, did_you_mean
from delocal.service.figures import save
from delocal.service.reproductions import load_reproductions
from delocal.service.run import run

Requests = Mapping[str, Mapping[str, Any]]
Trees = Mapping[str, xr.DataTree]
Runner = Callable[[Mapping[str, Any], Path], xr.DataTree]


@dataclass(frozen=True)
class Drawn:
    """What came of a reproduction.

    Parameters
    ----------
    caption
        One paragraph: what is shown, what agrees with the paper, what does not.
    figure
        A plotly figure, or None for a table.
    table
        Rows of a table by column, as they are to be printed.
    """

    caption: str
    figure: go.Figure | None = None
    table: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True)
class Reproduction:
    """A figure or table that can be made again.

    Parameters
    ----------
    name, title
        As in ``delocal reproduce NAME``, such as ``gutman-fig3``; one line.
    source
        Paper and figure, such as ``Gutman et al. (2016), Fig. 3``.
    requests
        The sweeps it is drawn from, by a label.
    draw
        From the datasets of these sweeps, by the same labels.
    """

    name: str
    title: str
    source: str
    requests: Requests
    draw: Callable[[Trees], Drawn]


def one_reproduction(name: str) -> Reproduction:
    """Return a reproduction; NotFound if there is none of this name."""
    known = load_reproductions()
    if name not in known:
        raise NotFound(f"nothing called {name!r} to reproduce; {did_you_mean(name, known)}")
    return known[name]


def reproduce(
    name: str,
    output: Path,
    *,
    replicas: int | None = None,
    formats: tuple[str, ...] = ("html",),
    runner: Runner = run,
) -> Drawn:
    """Run the sweeps of a reproduction and write what is drawn from them.

    Parameters
    ----------
    output
        Folder. The figure as ``NAME.html``, the table as ``NAME.json``, the caption as
        ``NAME.md`` and the folders of the sweeps ``NAME/LABEL`` are written there; a sweep begun
        there goes on.
    replicas
        Of each Monte Carlo cell, in place of the number that the published figures have.
    formats
        Of the figure: ``html``; ``png``, ``svg``, ``pdf`` need Chrome or Chromium.
    runner
        Runs a request into a folder; `delocal.run` by default.

    Raises
    ------
    NotFound
        Nothing of that name.
    """
    chosen = one_reproduction(name)
    output.mkdir(parents=True, exist_ok=True)
    trees = {
        label: runner(_with_replicas(request, replicas), output / name / label)
        for label, request in chosen.requests.items()
    }
    drawn = chosen.draw(trees)
    text = f"# {chosen.title}\n\nAfter {chosen.source}.\n\n{drawn.caption}\n"
    (output / f"{name}.md").write_text(text)
    if drawn.figure is not None:
        for suffix in formats:
            save(drawn.figure, output / f"{name}.{suffix}")
    if drawn.table:
        (output / f"{name}.json").write_text(json.dumps(list(drawn.table), indent=1))
    return drawn


def _with_replicas(request: Mapping[str, Any], replicas: int | None) -> Mapping[str, Any]:
    if replicas is None or "sampling" not in request:
        return request
    return {**request, "sampling": {"replicas": replicas}}
