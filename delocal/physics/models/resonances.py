"""Resonant pairs of active spins, counted by Monte Carlo beside their exact number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from delocal.physics.counting import resonant_partners
from delocal.physics.disorder import Ensemble, sample_active_spins, separation
from delocal.physics.model import STATUS, Arrays, CancelToken, Model, Option, Status, Variable
from delocal.physics.papers import GUTMAN
from delocal.physics.parameters import spin_parameters
from delocal.physics.resonances import resonant_pairs

PAPER = "Gutman et al. (2016)"
OCTAVES = tuple(2.0**k for k in range(20))
HUGE = 1e80  # its cube is a number
NEEDS = ("d", "alpha", "T", "W", "t", "rho")


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the exact numbers: NaN where T > W/2."""
    points = np.broadcast_arrays(*(parameters[name] for name in NEEDS))
    N1 = np.full((*points[0].shape, len(OCTAVES)), np.nan)
    for place in np.ndindex(points[0].shape):
        ensemble = _ensemble(
            dict(zip(NEEDS, (p[place] for p in points), strict=True)), options["hopping"]
        )
        if ensemble is not None:
            N1[place] = resonant_partners(ensemble, _radii(ensemble))
    return {"N1_exact": N1, "rho_ps_exact": _density(parameters)[..., np.newaxis] / 2 * N1}


def replicate(
    point: Mapping[str, float],
    options: Mapping[str, Any],
    rng: Generator,
    cancelled: CancelToken,
) -> dict[str, Any]:
    """Count the resonant pairs of one box of active spins by octaves of their distance."""
    ensemble = _ensemble(point, options["hopping"])
    if ensemble is None:
        nothing = dict.fromkeys(("N1", "rho_ps", "N_pairs"), np.nan)
        return {**nothing, "status": Status.OUTSIDE_DOMAIN}
    box = (options["spins"] / ensemble.active_density) ** (1 / ensemble.d)
    spins = sample_active_spins(ensemble, box, rng)
    radii = _radii(ensemble)
    i, j = resonant_pairs(
        spins.positions,
        spins.energies,
        box=box,
        alpha=ensemble.alpha,
        t=ensemble.t,
        rmin=radii[0],
        coupling=ensemble.hopping,
        key=int(rng.integers(2**63)),
        cancelled=cancelled,
    )
    apart = separation(spins.positions[i], spins.positions[j], box)
    r = np.sqrt((apart**2).sum(axis=1))
    pairs, _ = np.histogram(r, np.append(radii, 2 * radii[-1]))
    whole = np.where(2 * radii <= box / 2, 1.0, np.nan)  # octaves cut by the box do not count
    return {
        "N1": 2 * pairs * whole / max(len(spins.energies), 1),
        "rho_ps": pairs * whole / box**ensemble.d,
        "N_pairs": i.size / options["spins"],
    }


def _ensemble(point: Mapping[str, Any], hopping: Any) -> Ensemble | None:
    """Return the disorder at a point, or None where it has no meaning.

    That is where more than all spins would be active, or where a power of what it is made of is
    more than a number can hold.
    """
    d, alpha, T, W, t, rho = (float(point[name]) for name in NEEDS)
    if T > W / 2 or not all(1 / HUGE < x < HUGE for x in (rho, W / T, t / T)):
        return None
    return Ensemble(int(d), alpha, alpha, T, W, t=t, rho=rho, hopping=hopping)


def _density(parameters: Arrays) -> NDArray[Any]:
    return np.asarray(2 * parameters["rho"] * parameters["T"] / parameters["W"])


def _radii(ensemble: Ensemble) -> NDArray[np.float64]:
    return np.asarray(np.asarray(OCTAVES) * ensemble.rho ** (-1 / ensemble.d))


N1 = Variable(
    "N1",
    "active spins from R to 2R in resonance with an active spin",
    "1",
    f"{PAPER}, Eq. (4)",
    dims=("R",),
    estimated=True,
    comment="R in units of rho**(-1/d); NaN where 2R exceeds half the box; an error of 0 beside 0 "
    "means that no pair was seen",
)
RHO_PS = Variable(
    "rho_ps",
    "density of pseudo-spins of size R to 2R",
    "length**(-d)",
    f"{PAPER}, Eq. (8)",
    dims=("R",),
    estimated=True,
    comment=N1.comment,
)

model = Model(
    name="resonances",
    version="1",
    kind="monte-carlo",
    title="Resonant pairs of active spins in the power-law spin model",
    reference="D. B. Gutman et al., Energy transport in the Anderson insulator (2016)",
    papers=(GUTMAN,),
    parameters=spin_parameters(*NEEDS),
    variables=(
        STATUS,
        N1,
        Variable("N1_exact", f"exact {N1.long_name}", "1", N1.equation, dims=("R",)),
        RHO_PS,
        Variable(
            "rho_ps_exact", f"exact {RHO_PS.long_name}", RHO_PS.units, RHO_PS.equation, dims=("R",)
        ),
        Variable(
            "N_pairs",
            "resonant pairs per active spin, beyond rho**(-1/d) and up to half the box",
            "1",
            f"{PAPER}, Eq. (5)",
            estimated=True,
            comment="grows with the box where alpha <= d",
        ),
    ),
    evaluate=evaluate,
    options=(
        Option("hopping", ("fixed", "uniform", "gaussian"), "law of |t_ij|, of scale t"),
        Option("spins", (100_000, 10_000, 1_000_000), "active spins in a box, on average"),
    ),
    replicate=replicate,
    target="N_pairs",
    coordinates={"R": OCTAVES},
    seconds_per_cell=0.1,
)
