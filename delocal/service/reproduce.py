"""Figures and tables of the papers, drawn again from sweeps: `delocal reproduce NAME`.

A reproduction names the sweeps that it needs and a function that draws their datasets. Its
caption says what agrees with the paper and what does not.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import xarray as xr

from delocal.service.errors import NotFound, NotReady, did_you_mean
from delocal.service.figures import save
from delocal.service.ledger import SweepRecord
from delocal.service.reproductions import load_reproductions
from delocal.service.request import SweepRequest
from delocal.service.settings import Service
from delocal.service.states import SweepState
from delocal.workers.storage import within
from delocal.workers.store import DATA

Requests = Mapping[str, Mapping[str, Any]]
Trees = Mapping[str, xr.DataTree]
Progress = Callable[[str, SweepRecord], None]
POLL_SECONDS = 0.1


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


def describe_examples() -> list[dict[str, Any]]:
    """Return what can be made again, with the requests of its sweeps by label."""
    return [
        {"name": r.name, "title": r.title, "source": r.source, "requests": dict(r.requests)}
        for r in load_reproductions().values()
    ]


def reproduce(
    name: str,
    output: Path,
    service: Service,
    *,
    replicas: int | None = None,
    formats: tuple[str, ...] = ("html",),
    progress: Progress | None = None,
) -> Drawn:
    """Run the sweeps of a reproduction and write what is drawn from them.

    Parameters
    ----------
    output
        Folder, to which the figure is written as ``NAME.html``, the table as ``NAME.json``, the
        caption as ``NAME.txt``, and where the datasets are as ``NAME.sweeps.json``.
    service
        Runs the sweeps, and keeps them: one that it has already is not run again.
    replicas
        Of each Monte Carlo cell, in place of the number that the published figures have.
    formats
        Of the figure: ``html``; ``png``, ``svg``, ``pdf`` need Chrome or Chromium.
    progress
        Called with the label and the record of the sweep waited for, again and again.

    Raises
    ------
    NotFound
        Nothing of that name.
    NotReady
        A sweep failed, or a picture is wanted and there is no browser to draw it.
    """
    chosen = one_reproduction(name)
    requests = {
        label: SweepRequest.parse(_with_replicas(request, replicas))
        for label, request in chosen.requests.items()
    }
    ids = {label: _submit(service, request) for label, request in requests.items()}
    for label, sweep_id in ids.items():
        _wait(service, label, sweep_id, progress)
    drawn = chosen.draw({label: service.sweeps.store(i).open() for label, i in ids.items()})
    output.mkdir(parents=True, exist_ok=True)
    text = f"After {chosen.source}.\n\n{drawn.caption}\n"
    (output / f"{name}.txt").write_text(text)
    paths = {label: within(service.sweeps.store(i).location, DATA) for label, i in ids.items()}
    (output / f"{name}.sweeps.json").write_text(json.dumps(paths, indent=1))
    if drawn.figure is not None:
        for suffix in formats:
            save(drawn.figure, output / f"{name}.{suffix}")
    if drawn.table:
        (output / f"{name}.json").write_text(json.dumps(list(drawn.table), indent=1))
    return drawn


def write_gallery(output: Path, names: Iterable[str]) -> Path:
    """Write ``index.md`` of what `reproduce` made in a folder: figures, tables, captions.

    Parameters
    ----------
    names
        What was made, with pictures, into `output`.
    """
    parts = [GALLERY]
    for name in names:
        chosen, table = one_reproduction(name), output / f"{name}.json"
        caption = (output / f"{name}.txt").read_text().strip()
        parts.append(f"## {chosen.title}\n\n`delocal reproduce {name}`. {caption}")
        if (output / f"{name}.png").exists():
            parts.append(f"![{chosen.title}]({name}.png)")
        if table.exists():
            parts.append(_markdown_table(json.loads(table.read_text())))
    index = output / "index.md"
    index.write_text("\n\n".join(parts) + "\n")
    return index


GALLERY = """# Gallery

Figures and tables of the papers, drawn again from sweeps. `delocal reproduce NAME` makes one anew,
`delocal reproduce all --png` makes all of them and this page. Each caption says what agrees with
the paper and what does not."""


def _markdown_table(rows: Sequence[Mapping[str, str]]) -> str:
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns), *([row[c] for c in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _submit(service: Service, request: SweepRequest) -> str:
    """Enter a sweep, or go on with one that failed or was cancelled before."""
    record = service.sweeps.submit(request)
    if record.state in (SweepState.FAILED, SweepState.CANCELLED):
        service.sweeps.retry(record.id)
    return record.id


def _wait(service: Service, label: str, sweep_id: str, progress: Progress | None) -> None:
    while not (record := service.sweeps.get(sweep_id)).state.ended:
        if progress is not None:
            progress(label, record)
        time.sleep(POLL_SECONDS)
    if record.state != SweepState.DONE:
        raise NotReady(f"the sweep {sweep_id} ({label}) ended as {record.state}: see its failures")


def _with_replicas(request: Mapping[str, Any], replicas: int | None) -> Mapping[str, Any]:
    if replicas is None or "sampling" not in request:
        return request
    return {**request, "sampling": {"replicas": replicas}}
