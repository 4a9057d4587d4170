"""Sweep.grid and Sweep.cases are requests, whatever their values are written as."""

import numpy as np
import pytest
import xarray as xr

from delocal import Sweep, SweepRequest
from delocal.physics.models import load_models
from delocal.service.errors import RequestError
from delocal.service.sweep_grid import FIELDS

EXPECTED = SweepRequest.parse(
    {
        "models": ["scaling"],
        "axes": {"d": [2, 3], "alpha": [3.0, 3.5], "beta": {"like": "alpha"}, "T": [1e-3, 1e-2]},
        "fixed": {"W": 1},
        "name": "dipoles",
        "exclude": [{"d": 3, "alpha": 3.5}],
        "seed": 4,
    }
)


@pytest.mark.parametrize("T", [[1e-3, 1e-2], (1e-3, 1e-2), {"logspace": [-3, -2, 2]}])
@pytest.mark.parametrize("d", [[2, 3], range(2, 4), (n for n in (2, 3))])
@pytest.mark.parametrize("alpha", [[3, 3.5], np.array([3, 3.5]), xr.DataArray([3, 3.5])])
@pytest.mark.parametrize("W", [1, np.float64(1), np.array(1)])
def test_a_grid_is_the_request_however_it_is_written(T, d, alpha, W):
    d = list(d) or [2, 3]  # a generator can be used up once
    excluded = [{"d": 3, "alpha": 3.5}]
    found = Sweep.grid(
        d=iter(d), alpha=alpha, beta="alpha", T=T, W=W, name="dipoles", exclude=excluded, seed=4
    )
    assert found.plan().sweep_id == EXPECTED.plan().sweep_id
    assert (found.name, found.seed) == ("dipoles", 4)


def test_cases_lie_along_their_own_dimension():
    points = [{"d": 2, "alpha": 3, "beta": 3}, {"d": 3, "alpha": 3, "beta": 3}]
    [part] = Sweep.cases("scaling", cases=points, T=[1e-3, 1e-2], W=1).plan().parts
    assert part.grid.names == ("case", "T")


def test_mistakes_are_those_of_a_request():
    with pytest.raises(RequestError, match="did you mean 'alpha'"):
        Sweep.grid(d=2, alhpa=[3], beta=3, T=1, W=1).plan()
    with pytest.raises(RequestError, match=r"axes\.T: 2 dimensions"):
        Sweep.grid(d=2, T=np.ones((2, 2)))
    with pytest.raises(RequestError, match="no axis 'alfa'"):
        Sweep.grid(d=2, alpha=[3], beta="alfa", T=1, W=1).plan()


def test_no_parameter_of_a_model_has_the_name_of_a_field():
    names = {p.name for model in load_models().values() for p in model.parameters}
    assert not names & set(FIELDS)
