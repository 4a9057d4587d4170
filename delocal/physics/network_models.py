"""What the models of resonant networks share: the disorder at a cell, exponents of sizes, options.

A model gives the regions of the phase diagram in which its network has an optimal size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.physics import phase_diagram
from delocal.physics.disorder import Ensemble
from delocal.physics.model import Arrays, Option
from delocal.physics.networks import INTERACTIONS
from delocal.physics.parameters import RANGES, SCALED_BY, SpinModel, power_laws, spin_model
from delocal.physics.phase_diagram import Region, belongs
from delocal.physics.powers import LogArray, PowerLaw

NEEDS = (*RANGES, *SCALED_BY)
"""The parameters of an `Ensemble`, in its order."""
LARGEST_LOG = 150.0  # 1e65: products of some powers of such numbers are numbers
INTERACTION = Option(
    "interaction",
    tuple(INTERACTIONS),
    "tail: V/r**beta up to half the box; cut: none beyond R2*; as-printed: Eq. (19); "
    "four-spin: sum over the four constituents",
)


def ensemble_at(point: Mapping[str, Any], regions: frozenset[Region]) -> Ensemble | None:
    """Return the disorder at a point, or None outside the `regions` and where T > W/2."""
    d, alpha, beta, T, W, t, V, rho = (float(point[name]) for name in NEEDS)
    region = Region(int(phase_diagram.region(d, alpha, beta)))
    if T > W / 2 or region not in regions:
        return None
    return Ensemble(int(d), alpha, beta, T, W, t=t, V=V, rho=rho)


def logarithmic(ensemble: Ensemble) -> SpinModel[LogArray]:
    """Return the parameters of a disorder, which no power of theirs can overflow."""
    return spin_model(*(getattr(ensemble, name) for name in NEEDS))


def finite_scales(p: SpinModel[LogArray], size: Callable[[SpinModel[LogArray]], LogArray]) -> bool:
    """Whether the scales of a network, and their powers, are numbers that a double can hold.

    Near the borders of the phase diagram, and at the lowest temperatures, its `size` is not.
    """
    with np.errstate(all="ignore"):
        R = size(p)
        scales = (p.t, p.rho, p.V / p.t, p.T / p.W, R, R**p.alpha, R**p.beta)
    return all(abs(float(scale.ln)) < LARGEST_LOG for scale in scales)


def ensembles(
    points: Sequence[NDArray[Any]], regions: frozenset[Region]
) -> Iterator[tuple[tuple[int, ...], Ensemble]]:
    """Yield where in the `points` there is an `ensemble_at`, and that ensemble.

    Parameters
    ----------
    points
        The parameters that an ensemble `NEEDS`, in that order, all of one shape.
    """
    for place in np.ndindex(points[0].shape):
        values = (of_all[place] for of_all in points)
        ensemble = ensemble_at(dict(zip(NEEDS, values, strict=True)), regions)
        if ensemble is not None:
            yield place, ensemble


def size_exponents(
    parameters: Arrays,
    regions: frozenset[Region],
    size: Callable[[SpinModel[PowerLaw]], PowerLaw],
) -> NDArray[np.float64]:
    """Return the exponents of a `size`, in the order of `SCALED_BY`; NaN outside the `regions`."""
    ranges = np.broadcast_arrays(*(parameters[name] for name in RANGES))
    inside = belongs(phase_diagram.region(*ranges), regions)
    with np.errstate(all="ignore"):
        of = size(power_laws(*ranges)).of
    absent = np.where(inside, 0.0, np.nan)
    return np.stack([absent + of.get(letter, 0.0) for letter in SCALED_BY], axis=-1)
