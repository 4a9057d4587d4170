"""One row for each claim: what was measured, the bar, and whether it holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Row:
    """A claim and its measurement; a row without a bar is there to be seen."""

    name: str
    value: float
    bar: float | None
    better: Literal["higher", "lower"]
    command: str

    @property
    def holds(self) -> bool:
        """Whether the value is on the right side of the bar."""
        if self.bar is None:
            return True
        return self.value >= self.bar if self.better == "higher" else self.value <= self.bar

    def as_dict(self) -> dict[str, Any]:
        """Return the row with the columns of the results file."""
        fields = asdict(self)
        return {
            **{k: fields[k] for k in ("name", "value", "bar", "better")},
            "holds": self.holds,
            "command": self.command,
        }


def publish(rows: Sequence[Row], path: Path | None, versions: dict[str, str]) -> bool:
    """Print the table, write it as JSON if there is a path, and return whether every row holds."""
    table = Table("name", "value", "bar", "better", "holds", "command")
    for row in rows:
        bar = "" if row.bar is None else f"{row.bar:g}"
        table.add_row(row.name, f"{row.value:.4g}", bar, row.better, str(row.holds), row.command)
    Console(width=160).print(table)
    content = {"versions": versions, "rows": [row.as_dict() for row in rows]}
    if path is not None:
        path.write_text(json.dumps(content, indent=1) + "\n")
    return all(row.holds for row in rows)
