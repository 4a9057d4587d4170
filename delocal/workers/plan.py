"""What a sweep is to compute: immutable, and stored beside the data that it leads to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from delocal.physics.model import Model
from delocal.physics.models import load_models
from delocal.workers.grid import Blocks, Grid, block_shape
from delocal.workers.keys import content_key

BLOCK_CELLS = 131_072  # 1 MiB for each float64 variable: one chunk, read in about a millisecond
BLOCK_SECONDS = 1.0  # an expensive model gets smaller blocks, so that little is lost with one


@dataclass(frozen=True)
class Part:
    """The share of one model in a sweep: its grid and how that is cut into blocks."""

    model: str
    version: str
    grid: Grid
    options: Mapping[str, Any]
    block_shape: tuple[int, ...]

    @property
    def blocks(self) -> Blocks:
        """The blocks, each one whole chunk of every variable."""
        return Blocks(self.grid.shape, self.block_shape)

    def to_json(self) -> dict[str, Any]:
        """Return plain content from which `from_json` makes an equal part."""
        return {
            "model": self.model,
            "version": self.version,
            "grid": self.grid.to_json(),
            "options": dict(self.options),
            "block_shape": list(self.block_shape),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Part:
        """Return the part that `to_json` wrote."""
        return cls(
            content["model"],
            content["version"],
            Grid.from_json(content["grid"]),
            content["options"],
            tuple(content["block_shape"]),
        )


@dataclass(frozen=True)
class Plan:
    """All that a sweep is to compute, one part for each model.

    `sweep_id` follows from the content of the request alone; `digest` also from how it is cut.
    """

    sweep_id: str
    parts: tuple[Part, ...]
    provenance: Mapping[str, Any]

    @cached_property
    def digest(self) -> str:
        """Identity of the plan with its blocks: what a cached handle may be kept by."""
        return content_key([self.sweep_id, [part.to_json() for part in self.parts]])

    @property
    def cells(self) -> int:
        """Number of cells of all parts."""
        return sum(part.grid.size for part in self.parts)

    def part(self, model: str) -> Part:
        """Return the share of `model`; KeyError if it has none."""
        return {part.model: part for part in self.parts}[model]

    def to_json(self) -> dict[str, Any]:
        """Return plain content from which `from_json` makes an equal plan."""
        return {
            "sweep_id": self.sweep_id,
            "parts": [part.to_json() for part in self.parts],
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Plan:
        """Return the plan that `to_json` wrote."""
        parts = tuple(Part.from_json(part) for part in content["parts"])
        return cls(content["sweep_id"], parts, content["provenance"])


def plan_part(
    model: Model, grid: Grid, options: Mapping[str, Any], block_cells: int | None = None
) -> Part:
    """Return the share of `model` in a sweep over `grid`, cut into blocks of a good size.

    A parameter that the grid lacks has the model's default.
    """
    defaults = {
        p.name: p.default
        for p in model.parameters
        if p.default is not None and p.name not in grid.parameters
    }
    full = replace(grid, fixed={**defaults, **grid.fixed})
    own = full.restricted_to({parameter.name for parameter in model.parameters})
    affordable = int(BLOCK_SECONDS / model.seconds_per_cell)
    cells = block_cells or max(1, min(BLOCK_CELLS, affordable))
    return Part(model.name, model.version, own, options, block_shape(own.shape, cells))


def model_of(part: Part) -> Model:
    """Return the model of a part; ValueError if this installation has another version of it."""
    model = load_models().get(part.model)
    if model is None or model.version != part.version:
        have = f"version {model.version}" if model else "no such model"
        raise ValueError(
            f"the sweep needs model {part.model!r} version {part.version}; this installation has "
            f"{have}. Install the delocal version that the sweep's provenance names."
        )
    return model
