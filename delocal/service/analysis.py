"""Percolation thresholds, from the replicas of a sweep."""

from __future__ import annotations

import numpy as np
import xarray as xr

from delocal.physics.disorder import stream
from delocal.physics.model import Status
from delocal.physics.thresholds import Estimate, Threshold, threshold_of
from delocal.service.errors import SelectionError, did_you_mean
from delocal.workers.sampling import REPLICA

CURVES = ("either", "one", "every", "second_to_first")


def percolation_threshold(
    tree: xr.DataTree, curve: str = "second_to_first", boxes: tuple[float, float] | None = None
) -> Threshold:
    """Return where the curves of two boxes cross, from the replicas of a `percolation` sweep.

    Parameters
    ----------
    tree
        A sweep of the model ``percolation`` over ``box``, all else fixed.
    curve
        ``either``, ``one``, ``every`` (wrapping probabilities) or ``second_to_first``.
    boxes
        The two boxes; by default the smallest and the largest.

    Raises
    ------
    SelectionError
        No such curve, or not two boxes.
    """
    if curve not in CURVES:
        raise SelectionError(f"no curve {curve!r}; {did_you_mean(curve, CURVES)}")
    mean, replicas = (tree[name].to_dataset() for name in ("percolation", "percolation_replicas"))
    if replicas[curve].dims != ("box", REPLICA, "x") or replicas.sizes["box"] < 2:
        raise SelectionError(
            f"a threshold needs a sweep over two values of `box` alone, not over "
            f"{', '.join(map(str, mean.status.dims)) or 'nothing'}"
        )
    pair = (float(replicas.box[0]), float(replicas.box[-1])) if boxes is None else boxes
    small, large = (_done(replicas.sel(box=box)) for box in pair)
    density = float(mean.density)
    degrees = large.degree.values / density
    densities = density * (1 + float(mean.width) * replicas.x.values)
    rng = stream(f"bootstrap {tree.attrs.get('sweep_id', '')} {curve}", 0)
    found = threshold_of(densities, small[curve].values, large[curve].values, degrees, rng)
    per_density = float(mean.N2_peak) / density
    peak = Estimate(found[0].value * per_density, found[0].stderr * per_density)
    return Threshold(*found, peak)


def _done(replicas: xr.Dataset) -> xr.Dataset:
    return replicas.isel({REPLICA: np.flatnonzero(replicas.status.values == Status.DONE)})
