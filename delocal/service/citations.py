"""What a reader of results has to cite, as BibTeX."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version

import xarray as xr

from delocal.physics.models import load_models
from delocal.physics.papers import Paper


def bibtex(datasets: Iterable[xr.Dataset]) -> str:
    """Return the entries for the theories that made the `datasets`, and for this program.

    The papers are those of the model, by its name in the attributes. A model that names none, or
    that is not known here, is cited in the words of its dataset.
    """
    papers = [paper for ds in datasets for paper in _papers(ds)]
    entries = dict.fromkeys(paper.bibtex for paper in [*papers, _program()])
    return "\n\n".join(entries) + "\n"


def _papers(ds: xr.Dataset) -> tuple[Paper, ...]:
    name = str(ds.attrs.get("model", ""))
    model = load_models().get(name)
    if model is not None and model.papers:
        return model.papers
    words = str(ds.attrs.get("references", ""))
    return (Paper(name, str(ds.attrs.get("title", name)), note=words),) if words else ()


def _program() -> Paper:
    number = version("delocal")
    return Paper(
        f"delocal-{number}",
        "delocal: energy transport in Anderson insulators",
        ("{The delocal developers}",),  # braces: a group, no first and last name
        note=f"computer program, version {number}",
    )
