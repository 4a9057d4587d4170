"""The threshold of localization on the Bethe lattice, by population dynamics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from delocal.physics.bethe import critical_disorders
from delocal.physics.model import STATUS, Arrays, CancelToken, Model, Option, Parameter, Variable
from delocal.physics.papers import ABOU_CHACRA
from delocal.physics.pools import cutoff_amplitude, growth, pool_threshold
from delocal.physics.site_disorder import LAW_OPTION, law_of

PAPER = "Abou-Chacra, Anderson, Thouless (1973)"


def evaluate(parameters: Arrays, options: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the threshold of an infinite pool, and how fast pools approach it."""
    law = law_of(options["law"])
    K = np.asarray(parameters["K"])
    amplitude = [cutoff_amplitude(int(k), law) for k in K.ravel()]
    return {
        "W_c_infinite": critical_disorders(K, 0.0, law)[0],
        "cutoff_amplitude": np.reshape(amplitude, K.shape),
    }


def replicate(
    point: Mapping[str, float],
    options: Mapping[str, Any],
    rng: Generator,
    cancelled: CancelToken,
) -> dict[str, Any]:
    """Run one pool that looks for its W_c and, if W is given, another that stays there."""
    K, N = int(point["K"]), int(point["N"])
    law, generations = law_of(options["law"]), options["generations"]
    W_c, rate = pool_threshold(K, N, generations, rng, law=law, cancelled=cancelled), np.nan
    if "W" in point:
        rate = growth(K, point["W"], N, generations, rng, law=law, cancelled=cancelled)
    return {"W_c": W_c, "growth": rate}


model = Model(
    name="bethe-pool",
    version="1",
    kind="monte-carlo",
    title="Localization on the Bethe lattice by population dynamics",
    reference="R. Abou-Chacra, P. W. Anderson, D. J. Thouless, J. Phys. C 6, 1734 (1973)",
    papers=(ABOU_CHACRA,),
    parameters=(
        Parameter("K", "children of a site, K + 1 neighbours", "1", 2, 1000, integer=True),
        Parameter("N", "samples in the pool", "1", 100, 1e6, integer=True, default=1e4),
        Parameter(
            "W",
            "disorder at which to measure the growth",
            "hopping",
            0,
            open_bounds=True,
            optional=True,
        ),
    ),
    variables=(
        STATUS,
        Variable(
            "W_c",
            "disorder at which imaginary parts do not grow in a pool of N",
            "hopping",
            PAPER,
            estimated=True,
            comment="below that of an infinite pool by about cutoff_amplitude / ln(N)**2, relative",
        ),
        Variable(
            "growth",
            "growth of the mean ln of the imaginary part in a generation",
            "1",
            PAPER,
            estimated=True,
            comment="at the W given; NaN without one",
        ),
        Variable("W_c_infinite", "W_c of an infinite pool", "hopping", PAPER, depends=("K",)),
        Variable(
            "cutoff_amplitude",
            "A in ln(W_c_infinite / W_c) = A / ln(N)**2 for large N",
            "1",
            "Brunet and Derrida (1997), Eq. (7)",
            depends=("K",),
        ),
    ),
    evaluate=evaluate,
    options=(
        LAW_OPTION,
        Option("generations", (1000, 100, 300, 3000, 10_000), "generations averaged"),
    ),
    replicate=replicate,
    target="W_c",
    seconds_per_cell=0.5,
)
