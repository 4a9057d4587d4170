"""The threshold of localization on the Bethe lattice, by the eigenvalue of its recursion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.physics.bethe import critical_disorders
from delocal.physics.bethe_limits import asymptotic_disorder, best_estimate, upper_limit
from delocal.physics.model import STATUS, Arrays, Model, Parameter, Status, Variable
from delocal.physics.papers import ABOU_CHACRA
from delocal.physics.site_disorder import LAW_OPTION, law_of

PAPER = "Abou-Chacra, Anderson, Thouless (1973)"


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return W_c for the law of the option, and what it is close to."""
    law = law_of(options["law"])
    K, E = parameters["K"], parameters["E"]
    W_c, error, status = critical_disorders(K, E, law)
    inside = status != Status.OUTSIDE_DOMAIN
    limits = {
        "upper_limit": upper_limit(K, law),
        "best_estimate": best_estimate(K, law),
        "asymptotic": asymptotic_disorder(K, law),
    }
    return {
        "status": status,
        "W_c": W_c,
        "W_c_error": error,
        **{name: np.where(inside, value, np.nan) for name, value in limits.items()},
    }


model = Model(
    name="bethe",
    version="1",
    kind="self-consistent",
    title="Localization on the Bethe lattice",
    reference="R. Abou-Chacra, P. W. Anderson, D. J. Thouless, J. Phys. C 6, 1734 (1973)",
    papers=(ABOU_CHACRA,),
    parameters=(
        Parameter("K", "children of a site, K + 1 neighbours", "1", 2, 1e6, integer=True),
        Parameter("E", "energy of the states, below K + 1", "hopping", 0, default=0.0),
    ),
    variables=(
        STATUS,
        Variable(
            "W_c",
            "disorder above which states of energy E are localized",
            "hopping",
            PAPER,
            comment="W is the full width of the box, the standard deviation of the Gaussian, the "
            "half width at half maximum of the Cauchy law, the unit of x in a table",
        ),
        Variable("W_c_error", "numerical error of W_c: its change with the resolution", "hopping"),
        Variable(
            "upper_limit",
            "Anderson's upper limit of W_c, without real self-energies",
            "hopping",
            PAPER,
        ),
        Variable(
            "best_estimate",
            "Anderson's best estimate of W_c",
            "hopping",
            PAPER,
            comment="NaN where its equation has no root, and for a table without a density at 0",
        ),
        Variable(
            "asymptotic",
            "W_c for many neighbours, at E = 0",
            "hopping",
            comment="NaN for a table that is not symmetric",
        ),
    ),
    evaluate=evaluate,
    options=(LAW_OPTION,),
    seconds_per_cell=0.2,
)
