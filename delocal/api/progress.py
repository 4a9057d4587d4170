"""How far a sweep has come, as a bar in a terminal or a notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Status = dict[str, Any]
Update = Callable[[Status], None]


def bars(console: Console) -> Progress:
    """Return progress bars that disappear from no terminal and fill no log."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console)


@contextmanager
def sweep_bar(wanted: bool | None = None, console: Console | None = None) -> Iterator[Update]:
    """Give a function that draws the status of a sweep.

    Parameters
    ----------
    wanted
        Whether there is a bar; None for one where somebody sees it, in a terminal or a notebook.
    """
    console = console or Console(stderr=True)
    if wanted is None:
        wanted = console.is_terminal or console.is_jupyter
    if not wanted:
        yield lambda status: None
        return
    with bars(console) as progress:
        task = progress.add_task("cells", total=None)

        def update(status: Status) -> None:
            total, left = status["cells"]["total"], status["cells"].get("not_computed", 0)
            known = {"total": total, "completed": total - left, "description": status["state"]}
            progress.update(task, **known, refresh=True)  # in a notebook the last one is not drawn

        yield update
