"""A percolation threshold from the replicas of a sweep, against the one found directly."""

import numpy as np
import pytest

from delocal.physics.disorder import Ensemble, stream
from delocal.physics.networks import CUT
from delocal.service.analysis import percolation_threshold
from delocal.service.errors import SelectionError
from delocal.service.run import run
from tests.physics.measured import find_threshold


def test_a_threshold_is_found_from_the_replicas_of_a_sweep():
    request = {
        "models": ["percolation"],
        "axes": {"box": [8, 24]},
        "fixed": {"d": 2, "alpha": 3, "beta": 3, "density": 1.475, "width": 0.1},
        "options": {"percolation": {"interaction": "cut"}},
        "sampling": {"replicas": 300},
    }
    tree = run(request)
    found = percolation_threshold(tree, "either")
    assert abs(found.degree.value - 4.512) < 4 * found.degree.stderr < 0.5
    assert abs(found.crossing.value - 0.6905) < 4 * found.crossing.stderr
    assert found.peak.value == pytest.approx(3.306 * found.density.value, rel=1e-3)
    same = find_threshold(
        Ensemble(2, 3, 3, T=1e-3, W=20),
        1e3,
        (8, 24),
        np.linspace(1.35, 1.6, 9),
        (300, 300),
        lambda n: stream("another", n),
        interaction=CUT,
        kind="either",
    )
    apart = found.density.value - same.density.value
    assert abs(apart) < 4 * np.hypot(found.density.stderr, same.density.stderr)
    with pytest.raises(SelectionError, match="did you mean 'either'"):
        percolation_threshold(tree, "eithr")
    alone = run({**request, "axes": {"box": [8]}, "sampling": {"replicas": 2}})
    with pytest.raises(SelectionError, match="two values of `box`"):
        percolation_threshold(alone)
