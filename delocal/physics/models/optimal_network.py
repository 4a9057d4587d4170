"""The optimal network as a random banded matrix: level statistics and participation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from delocal.physics.levels import (
    FEWEST,
    GOE,
    POISSON,
    inverse_participation,
    middle_states,
    spacing_ratios,
)
from delocal.physics.model import (
    STATUS,
    Arrays,
    Cancelled,
    CancelToken,
    Model,
    Option,
    Parameter,
    Status,
    Variable,
)
from delocal.physics.optimal_network import (
    COUPLINGS,
    SMALLEST_BOX,
    Network,
    banded_matrix,
    draw_network,
)

PAPER = "Gutman et al. (2016)"
MOST_SITES = 6000
"""On average; beyond, a realization takes a minute and a gigabyte."""
ESTIMATES = ("r", "ipr", "participation", "sites", "share")


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return nothing: no part of this is known in closed form."""
    return {}


def replicate(
    point: Mapping[str, float],
    options: Mapping[str, Any],
    rng: Generator,
    cancelled: CancelToken,
) -> dict[str, Any]:
    """Diagonalize the largest clusters of some realizations of the network."""
    d, N2, L = int(point["d"]), float(point["N2"]), float(point["L"])
    nothing = dict.fromkeys(ESTIMATES, np.nan)
    if N2 * L**d > MOST_SITES:
        return {**nothing, "status": Status.OUTSIDE_DOMAIN}
    found = []
    for _ in range(options["realizations"]):
        if cancelled():
            raise Cancelled
        network = draw_network(d, N2, L, rng, options["couplings"])
        numbers = _numbers(network, transverse=options["hopping"] == "transverse")
        if numbers is None:
            return {**nothing, "status": Status.NOT_CONVERGED}
        found.append(numbers)
    return dict(zip(ESTIMATES, np.mean(found, axis=0).tolist(), strict=True))


def derive(point: Mapping[str, float], known: Arrays) -> dict[str, NDArray[Any]]:
    """Return the part of its cluster that a state occupies."""
    return {"fraction": known["participation"] / known["sites"]}


def _numbers(network: Network, *, transverse: bool) -> tuple[float, ...] | None:
    """Return the `ESTIMATES` of one realization, or None if there are too few levels."""
    if len(network) < 3 * FEWEST:
        return None
    levels, states = middle_states(banded_matrix(network, transverse=transverse))
    ipr = inverse_participation(states)
    return (
        float(spacing_ratios(levels).mean()),
        float(ipr.mean()),
        float((1 / ipr).mean()),
        len(network),
        network.share,
    )


def _estimate(name: str, long_name: str, equation: str = "", comment: str = "") -> Variable:
    return Variable(name, long_name, "1", equation, estimated=True, comment=comment)


model = Model(
    name="optimal-network",
    version="1",
    kind="monte-carlo",
    title="The network of pseudo-spins as a random banded matrix",
    reference="D. B. Gutman et al., Energy transport in the Anderson insulator (2016), Fig. 4",
    parameters=(
        Parameter("d", "dimension", "1", 1, 3, integer=True),
        Parameter.positive("N2", "pseudo-spins in a volume R2***d: density of the network", "1"),
        Parameter("L", "edge of the box in units of R2*", "1", SMALLEST_BOX, 10_000),
    ),
    variables=(
        STATUS,
        _estimate(
            "r",
            "mean ratio of successive level spacings in the middle third of the spectrum",
            f"{PAPER}, Fig. 4",
            f"{POISSON:.4f} localized, {GOE} extended; grows with L on the conducting side of the "
            "critical N2 and falls on the other. NaN status not converged: a cluster too small",
        ),
        _estimate("ipr", "inverse participation ratio: mean of sum psi**4 over the same states"),
        _estimate("participation", "pseudo-spins that a state occupies: mean of 1 / sum psi**4"),
        _estimate("sites", "pseudo-spins in the largest cluster"),
        _estimate("share", "share of all pseudo-spins that are in the largest cluster"),
        Variable("fraction", "part of the largest cluster that a state occupies", derived=True),
    ),
    evaluate=evaluate,
    options=(
        Option(
            "couplings",
            tuple(COUPLINGS),
            "law of u_ij / E*: uniform in (-1, 1), of random sign and magnitude 1, or normal",
        ),
        Option(
            "hopping",
            ("full", "transverse"),
            "full: u_ij, as in Fig. 4; transverse: u_ij n^x_i n^x_j, what Eq. (20) lets hop",
        ),
        Option("realizations", (1, 4, 16, 64), "realizations of the network in a replica"),
    ),
    replicate=replicate,
    derive=derive,
    target="r",
    seconds_per_cell=0.2,
)
