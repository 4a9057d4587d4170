"""Curves whose crossing is the percolation threshold of the network of pseudo-spins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from delocal.physics import phase_diagram
from delocal.physics.disorder import Ensemble
from delocal.physics.model import (
    STATUS,
    Arrays,
    CancelToken,
    Model,
    Parameter,
    Status,
    Variable,
)
from delocal.physics.network_models import INTERACTION
from delocal.physics.networks import INTERACTIONS
from delocal.physics.papers import GUTMAN
from delocal.physics.parameters import RANGES, spin_parameters
from delocal.physics.phase_diagram import WITH_OPTIMAL_PSEUDOSPINS, Region
from delocal.physics.thresholds import Curve, curve, grow_network, peak_per_density

PAPER = "Gutman et al. (2016)"
WINDOW = tuple(float(x) for x in np.linspace(-1, 1, 9))
CURVES: Mapping[str, Curve] = {
    "either": "either",
    "one": "one",
    "every": "all",
    "second_to_first": "s2/s1",
}
DILUTE = 1e-9  # t / (2 T R1**alpha): so small that rho' is the only parameter left


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the largest N2 at the middle of the window, exactly."""
    ranges = np.broadcast_arrays(*(parameters[name] for name in RANGES))
    per_density = np.full(ranges[0].shape, np.nan)
    for place in np.ndindex(per_density.shape):
        chosen = _ensemble(*(float(values[place]) for values in ranges))
        if chosen is not None:
            per_density[place] = peak_per_density(*chosen)
    return {"N2_peak": per_density * parameters["density"]}


def replicate(
    point: Mapping[str, float],
    options: Mapping[str, Any],
    rng: Generator,
    cancelled: CancelToken,
) -> dict[str, Any]:
    """Grow one network through the window, site by site, and follow its clusters."""
    chosen = _ensemble(point["d"], point["alpha"], point["beta"])
    if chosen is None:
        nothing = dict.fromkeys((*CURVES, "degree"), np.nan)
        return {**nothing, "status": Status.OUTSIDE_DOMAIN}
    ensemble, R1 = chosen
    densities, box = point["density"] * (1 + point["width"] * np.array(WINDOW)), point["box"]
    interaction = INTERACTIONS[options["interaction"]]
    grown, per_density = grow_network(ensemble, R1, box, densities, rng, interaction)
    curves = {
        name: curve([grown], densities, box, ensemble.d, kind)[0] for name, kind in CURVES.items()
    }
    return {**curves, "degree": point["density"] * per_density}


def _ensemble(d: float, alpha: float, beta: float) -> tuple[Ensemble, float] | None:
    """Return a cold sample and its R1, or None where pseudo-spins have no optimal size."""
    region = Region(int(phase_diagram.region(d, alpha, beta)))
    if region not in WITH_OPTIMAL_PSEUDOSPINS:
        return None
    cold = Ensemble(int(d), alpha, beta, T=0.5, W=1.0)
    return cold, float(DILUTE ** (-1 / alpha))


def _curve(name: str, long_name: str, comment: str = "") -> Variable:
    return Variable(name, long_name, dims=("x",), estimated=True, comment=comment)


model = Model(
    name="percolation",
    version="1",
    kind="monte-carlo",
    title="Percolation of dilute pseudo-spins: curves that cross at the threshold",
    reference="D. B. Gutman et al., Energy transport in the Anderson insulator (2016)",
    papers=(GUTMAN,),
    parameters=(
        *spin_parameters(*RANGES),
        Parameter(
            "density",
            "reduced density rho_ps R2***d at the middle of the window",
            "1",
            minimum=0,
            open_bounds=True,
        ),
        Parameter(
            "width",
            "half the width of the window over its middle",
            "1",
            minimum=0,
            maximum=0.999,
            open_bounds=True,
            default=0.2,
        ),
        Parameter("box", "edge of the box in units of R2*", "1", minimum=4, maximum=1e6),
    ),
    variables=(
        STATUS,
        _curve("either", "probability that a cluster winds around the box in any direction"),
        _curve("one", "probability that a cluster winds around the box in a given direction"),
        _curve("every", "probability that clusters wind around the box in every direction"),
        _curve("second_to_first", "size of the second cluster over that of the largest"),
        Variable(
            "degree",
            "mean number of resonant partners at the middle of the window",
            estimated=True,
            comment="proportional to the density",
        ),
        Variable(
            "N2_peak",
            "largest N2(R1, R2) over R2 at the middle of the window, with the full power law",
            equation=f"{PAPER}, Eq. (9)",
            depends=(*RANGES, "density"),
            comment="exact; for beta = d the plateau that N2 saturates at",
        ),
    ),
    evaluate=evaluate,
    options=(INTERACTION,),
    replicate=replicate,
    target="degree",
    coordinates={"x": WINDOW},
    seconds_per_cell=0.05,
)
