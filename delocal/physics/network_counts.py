"""What is counted in one network, and what follows from mean counts: N2, degree, optimal size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.physics.model import Arrays, Status, Variable
from delocal.physics.networks import Links, links_by_octave
from delocal.physics.percolation import clusters
from delocal.physics.pseudospins import PseudoSpins

RATIOS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)
"""Lower ends of the octaves of distance, in units of the size at which coupling meets splitting."""
COUNTED = (
    *("shell_links", "links", "density", "largest", "susceptibility"),
    *("wrapping", "wrapping_every", "spanning"),
)
NOTHING: Mapping[str, Any] = {
    **dict.fromkeys(COUNTED, np.nan),
    "status": Status.OUTSIDE_DOMAIN,
}
"""What a model returns where there is no network."""


def counts(sites: PseudoSpins, links: Links, unit: float) -> dict[str, Any]:
    """Return the `COUNTED` of one network.

    Parameters
    ----------
    unit
        The distance that `RATIOS` are in.
    """
    box, d = sites.box, sites.midpoint.shape[1]
    found = clusters(sites.midpoint, links.a, links.b, box)
    number, volume = max(len(sites), 1), box**d
    edges = unit * np.array([*RATIOS, 2 * RATIOS[-1]])
    in_shells = links_by_octave(sites, links, edges) / volume
    return {
        "shell_links": np.where(edges[1:] <= box / 2, in_shells, np.nan),
        "links": len(links) / volume,
        "density": len(sites) / volume,
        "largest": found.largest / number,
        "susceptibility": found.second_moment / number,
        "wrapping": float(found.wraps.any()),
        "wrapping_every": float(found.wraps.all()),
        "spanning": float(found.spans.any()),
    }


def partners(known: Arrays) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return from mean counts the mean number of partners by octave, and the mean degree."""
    by_octave = 2 * known["shell_links"] / known["density"][:, np.newaxis]
    return by_octave, 2 * known["links"] / known["density"]


def count_variables(what: str, dim: str, equation: str) -> tuple[Variable, ...]:
    """Return the variables of the `COUNTED`, for sites called `what`, octaves along `dim`."""
    per_volume = "length**(-d)"
    names: Mapping[str, tuple[str, str, str]] = {
        "density": (f"density of {what}", per_volume, equation),
        "links": (f"density of resonant pairs of {what}", per_volume, ""),
        "shell_links": (f"the same, of distance {dim} to 2 {dim}", per_volume, ""),
        "largest": (f"share of the {what} in the largest cluster", "1", ""),
        "susceptibility": ("mean cluster size without the largest cluster", "1", ""),
        "wrapping": ("probability that a cluster winds around the box", "1", ""),
        "wrapping_every": ("probability that clusters wind around it in every direction", "1", ""),
        "spanning": ("probability that a cluster is as long as the box", "1", ""),
    }
    return tuple(
        Variable(name, *given, dims=(dim,) if name == "shell_links" else (), estimated=True)
        for name, given in names.items()
    )
