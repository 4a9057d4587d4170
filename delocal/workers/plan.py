"""What a sweep is to compute: immutable, and stored beside the data that it leads to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal

from delocal.physics.model import Model
from delocal.physics.models import load_models
from delocal.workers.grid import Blocks, Dimension, Grid, block_shape
from delocal.workers.keys import content_key
from delocal.workers.refinement import Refinement, refined_of
from delocal.workers.sampling import REPLICA, Sampling, replicas_of, summary_of

BLOCK_CELLS = 131_072  # 1 MiB for each float64 variable: one chunk, read in about a millisecond
BLOCK_SECONDS = 1.0  # an expensive model gets smaller blocks, so that little is lost with one


@dataclass(frozen=True)
class Part:
    """The share of one model in a sweep: its grid and how that is cut into blocks.

    A Monte Carlo model has two: its ``replicas``, on a grid with one more dimension, and their
    ``summary`` in mean and error. Both cut the cells into the same boxes. In a ``refined`` part a
    cell is a search along the one parameter that its grid lacks.
    """

    model: str
    version: str
    grid: Grid
    options: Mapping[str, Any]
    block_shape: tuple[int, ...]
    role: Literal["cells", "replicas", "summary", "refined"] = "cells"
    sampling: Sampling | None = None
    refinement: Refinement | None = None

    @property
    def name(self) -> str:
        """Name of its group in the store."""
        return f"{self.model}_replicas" if self.role == "replicas" else self.model

    @property
    def content(self) -> list[Any]:
        """What its results follow from: not how it is cut."""
        content = [self.model, self.version, self.grid.to_json(), dict(self.options)]
        if self.sampling is not None:
            content.append(asdict(self.sampling))
        return [*content, self.refinement.to_json()] if self.refinement else content

    @property
    def evaluations(self) -> int:
        """How often a cell, or a replica, evaluates the model; for a search about, and at most."""
        if self.refinement is None:
            return 1
        replicas = 1 if self.sampling is None else self.sampling.replicas
        return replicas * self.refinement.evaluations(model_named(self))

    @property
    def batches(self) -> int:
        """Into how many blocks the replicas of the same cells are cut."""
        return self.blocks.counts[-1] if self.role == "replicas" else 1

    @property
    def first_batches(self) -> int:
        """How many of these are computed to begin with."""
        if self.role != "replicas" or self.sampling is None:
            return 1
        return -(-self.sampling.replicas // self.block_shape[-1])

    def rounds(self) -> Iterator[range]:
        """Yield the batches of the first cells in rounds, each as many as there were before."""
        done, wanted = 0, self.first_batches
        while done < self.batches:
            yield range(done, wanted)
            done, wanted = wanted, min(2 * wanted, self.batches)

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
            "role": self.role,
            "sampling": None if self.sampling is None else asdict(self.sampling),
            "refinement": None if self.refinement is None else self.refinement.to_json(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Part:
        """Return the part that `to_json` wrote; older ones know of no refinement."""
        refinement = content.get("refinement")
        return cls(
            content["model"],
            content["version"],
            Grid.from_json(content["grid"]),
            content["options"],
            tuple(content["block_shape"]),
            content["role"],
            None if content["sampling"] is None else Sampling(**content["sampling"]),
            None if refinement is None else Refinement.from_json(refinement),
        )


@dataclass(frozen=True)
class Plan:
    """All that a sweep is to compute, one part for each model.

    `sweep_id` follows from the content of the request alone; `digest` also from how it is cut.
    `sources` are sweeps in the same folder whose cells may be copied.
    """

    sweep_id: str
    parts: tuple[Part, ...]
    provenance: Mapping[str, Any]
    sources: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """Identity of the plan with its blocks: what a cached handle may be kept by."""
        return content_key([self.sweep_id, [part.to_json() for part in self.parts]])

    @property
    def cells(self) -> int:
        """Number of cells of all models; replicas of a cell do not count."""
        return sum(part.grid.size for part in self.parts if part.role != "replicas")

    def part(self, name: str) -> Part:
        """Return the part called `name`; KeyError if there is none."""
        return {part.name: part for part in self.parts}[name]

    def replicas_of(self, summary: Part) -> Part:
        """Return the replicas that a summary summarizes."""
        return next(p for p in self.parts if p.role == "replicas" and p.model == summary.model)

    def to_json(self) -> dict[str, Any]:
        """Return plain content from which `from_json` makes an equal plan."""
        return {
            "sweep_id": self.sweep_id,
            "parts": [part.to_json() for part in self.parts],
            "provenance": dict(self.provenance),
            "sources": list(self.sources),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Plan:
        """Return the plan that `to_json` wrote."""
        parts = tuple(Part.from_json(part) for part in content["parts"])
        sources = tuple(content.get("sources", ()))
        return cls(content["sweep_id"], parts, content["provenance"], sources)


def plan_parts(
    model: Model,
    grid: Grid,
    options: Mapping[str, Any],
    sampling: Sampling,
    block_cells: int | None = None,
    refinement: Refinement | None = None,
) -> tuple[Part, ...]:
    """Return the share of `model` in a sweep: one part, or replicas and their summary.

    A block of replicas takes about `BLOCK_SECONDS`: many cells where they are cheap, and where
    one is dear a few of its replicas, so that it keeps every worker busy.
    """
    if refinement is not None:
        return (plan_refined(model, grid, options, sampling, refinement, block_cells),)
    if model.replicate is None:
        return (plan_part(model, grid, options, block_cells),)
    affordable = max(1, int(BLOCK_SECONDS / model.seconds_per_cell))
    cells = block_cells or max(1, min(BLOCK_CELLS, affordable) // sampling.replicas)
    summary = replace(plan_part(model, grid, options, cells), role="summary", sampling=sampling)
    batch = max(n for n in _divisors(sampling.replicas) if n <= max(1, affordable // cells))
    indices = tuple(map(float, range(sampling.max_replicas)))
    more = (*summary.grid.dimensions, Dimension(REPLICA, {REPLICA: indices}))
    replicas = replace(
        summary,
        role="replicas",
        grid=replace(summary.grid, dimensions=more),
        block_shape=(*summary.block_shape, batch),
    )
    return replicas, summary


def plan_refined(
    model: Model,
    grid: Grid,
    options: Mapping[str, Any],
    sampling: Sampling,
    refinement: Refinement,
    block_cells: int | None = None,
) -> Part:
    """Return the search for `refinement` in every cell of the other dimensions of `grid`.

    Cells of a Monte Carlo estimate are dear, and a block is often one of them.
    """
    others = tuple(d for d in grid.dimensions if refinement.along not in d.values)
    noise = sampling if refinement.is_noisy(model) else None
    searched = replace(
        plan_part(model, replace(grid, dimensions=others), options, 1, refinement.parameters),
        role="refined",
        sampling=noise,
        refinement=refinement,
    )
    seconds = model.seconds_per_cell * searched.evaluations
    cells = block_cells or max(1, min(BLOCK_CELLS, int(BLOCK_SECONDS / seconds)))
    return replace(searched, block_shape=block_shape(searched.grid.shape, cells))


def plan_part(
    model: Model,
    grid: Grid,
    options: Mapping[str, Any],
    block_cells: int | None = None,
    searched: tuple[str, ...] = (),
) -> Part:
    """Return `model` over `grid`, cut into blocks of a good size.

    A parameter that the grid lacks, and that is not searched, has the model's default.
    """
    defaults = {
        p.name: p.default
        for p in model.parameters
        if p.default is not None and p.name not in {*grid.parameters, *searched}
    }
    full = replace(grid, fixed={**defaults, **grid.fixed})
    own = full.restricted_to({parameter.name for parameter in model.parameters})
    affordable = int(BLOCK_SECONDS / model.seconds_per_cell)
    cells = block_cells or max(1, min(BLOCK_CELLS, affordable))
    return Part(model.name, model.version, own, options, block_shape(own.shape, cells))


def _divisors(number: int) -> list[int]:
    return [n for n in range(1, number + 1) if number % n == 0]


def model_of(part: Part) -> Model:
    """Return the model of a part, with the variables that the part has.

    ValueError if this installation has another version of it.
    """
    model = model_named(part)
    if part.refinement is not None:
        return refined_of(model, part.refinement)
    if part.role == "replicas":
        return replicas_of(model)
    return summary_of(model) if part.role == "summary" else model


def model_named(part: Part) -> Model:
    """Return the model of a part as it is evaluated; ValueError if it has another version."""
    model = load_models().get(part.model)
    if model is None or model.version != part.version:
        have = f"version {model.version}" if model else "no such model"
        raise ValueError(
            f"the sweep needs model {part.model!r} version {part.version}; this installation has "
            f"{have}. Install the delocal version that the sweep's provenance names; a model of "
            "your own is registered in a file or package that workers can import, not in a "
            "notebook."
        )
    return model
