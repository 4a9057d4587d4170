"""The model `scaling`: what every cell holds, at ordinary and at extreme parameters."""

import numpy as np
import pytest

from delocal.physics.model import Status
from delocal.physics.models import load_models
from delocal.physics.parameters import SCALED_BY
from delocal.physics.phase_diagram import IN_DOMAIN, Region
from delocal.physics.quantities import QUANTITIES

model = load_models()["scaling"]
fixed = {"T": 1e-3, "W": 1.0, "t": 0.02, "V": 0.02, "rho": 1.0, "L": 40.0}
EVERY_REGION = {
    Region.OUT_OF_DOMAIN: (2, 3, 3.5),
    Region.I: (2, 1.5, 1.2),
    Region.CRITICAL_ALPHA_D: (2, 2, 1.5),
    Region.IIa: (2, 3, 1.5),
    Region.CRITICAL_BETA_D: (2, 3, 2),
    Region.IIb: (2, 3, 3),
    Region.BORDER_IIb_IIc: (2, 4, 3),
    Region.IIc: (2, 5, 3),
    Region.BORDER_IIc_III: (2, 6, 3),
    Region.III: (2, 6, 3.5),
    Region.CRITICAL_BETA_2D: (2, 5, 4),
    Region.MBL: (2, 5, 4.5),
}


def at(point=None, **parameters):
    ranges = dict(zip(("d", "alpha", "beta"), point, strict=True)) if point else {}
    given = {name: np.asarray(value) for name, value in {**fixed, **ranges, **parameters}.items()}
    return model.evaluate(given, {})


@pytest.mark.parametrize("region", EVERY_REGION, ids=lambda region: region.name)
def test_status_and_what_is_defined(region):
    cell = at(EVERY_REGION[region])
    assert cell["region"] == region
    assert cell["status"] == (Status.DONE if region in IN_DOMAIN else Status.OUTSIDE_DOMAIN)
    for quantity in QUANTITIES.values():
        defined = region in quantity.where
        zero = region == Region.MBL and quantity.vanishes_when_localized
        expected = "number" if defined else "zero" if zero else "nan"
        assert kind(cell[quantity.name], cell[f"log10_{quantity.name}"]) == expected
        assert np.isfinite(cell[f"{quantity.name}_exponent"]).all() == defined
        assert np.isnan(cell[f"{quantity.name}_exponent"]).all() == (not defined)


def kind(value, log10):
    if np.isnan(value) and np.isnan(log10):
        return "nan"
    if value == 0 and log10 == -np.inf:
        return "zero"
    assert value > 0
    assert np.isfinite(log10)
    return "number"


def test_localized_cells_conduct_nothing():
    cell = at((3, 8, 7))
    assert cell["status"] == Status.DONE
    assert cell["kappa_sd"] == 0
    assert cell["rate_ps"] == 0
    assert cell["dominant_channel"] == cell["dominant_channel_asymptotic"] == 0
    assert np.isnan(cell["R1"])
    assert np.isnan(cell["z"])


def test_nothing_underflows():
    cell = at((2, 10, 3.9))
    assert cell["E2_star"] == 0
    assert cell["log10_E2_star"] == pytest.approx(-398.66, abs=0.005)
    assert cell["log10_kappa_opt2"] == pytest.approx(-1189.99, abs=0.005)


def test_superdiffusive_cells_say_so():
    cells = at(d=1, alpha=1.9, beta=np.array([1.2, 1.5, 1.6]))
    assert cells["superdiffusive"].tolist() == [1, 1, 0]
    assert cells["z"] == pytest.approx([1.4, 2.0, 2.0])
    assert at((1, 1.05, 1.05))["infrared_convergent"] == 0
    assert at((1, 1.9, 1.6))["infrared_convergent"] == 1


def test_regime_of_validity():
    cells = at((2, 3, 3), T=[1e-3, 2.0], W=[[1.0], [0.01]])
    assert cells["regime_valid"].tolist() == [[1, 0], [0, 0]]
    assert at((2, 3, 3), rho=100.0, T=1e-9)["regime_valid"] == 0  # t rho**(alpha/d) = 20 W
    dense = at((3, 3, 3), t=0.9, V=3.0)  # strong interaction: R1(T) < R1_th, against (41)
    assert dense["R1"] < dense["R1_th"]
    assert dense["regime_valid"] == 0
    assert at((2, 3, 3.5))["regime_valid"] == 0
    assert at((2, 5, 4.5))["regime_valid"] == 1  # localized: no network, nothing else to ask


def extremes():
    near = np.array([1e-13, 1e-12, 2e-12, 1e-9, 1e-3])
    around = np.unique(np.concatenate([1 - near, [1.0], 1 + near]))
    d = np.array([1.0, 2.0, 3.0]).reshape(-1, 1, 1)
    special = np.concatenate([around, 2 * around, [1e-300, 0.3, 1.5, 7.0, 1e6, 1e200, 1e300]])
    return d, (special * d).reshape(3, -1, 1), (special * d).reshape(3, 1, -1)


@pytest.mark.parametrize("T", [1e-300, 1.0, 1e300])
@pytest.mark.parametrize("W", [1e-300, 1.0, 1e300])
def test_extremes_give_numbers_or_a_status(T, W):
    """No warning, which would be an error here; and NaN only where a network is absent."""
    d, alpha, beta = extremes()
    cells = at(d=d, alpha=alpha, beta=beta, T=T, W=W, t=1e-200, V=1e200, rho=1e10)
    done = np.isin(cells["region"], list(IN_DOMAIN))
    np.testing.assert_array_equal(cells["status"], np.where(done, 1, 2))
    for quantity in QUANTITIES.values():
        defined = np.isin(cells["region"], list(quantity.where))
        defined |= (cells["region"] == Region.MBL) & quantity.vanishes_when_localized
        np.testing.assert_array_equal(~np.isnan(cells[quantity.name]), defined)
        np.testing.assert_array_equal(~np.isnan(cells[f"log10_{quantity.name}"]), defined)
    assert set(np.unique(cells["region"])) == set(Region)


def test_thresholds_exist_with_a_length_only():
    numbers = {name: value for name, value in fixed.items() if name != "L"}
    numbers |= {"d": 2, "alpha": 3.0, "beta": 3.0}
    without = model.evaluate({name: np.asarray(value) for name, value in numbers.items()}, {})
    assert not any(name.startswith(("T_c", "E_c", "log10_T_c")) for name in without)
    cell = at((2, 3, 3))
    assert cell["T_c_ps"] == pytest.approx(1.25)
    assert cell["T_c_ps_exponent_L"] == -1
    assert cell["E_c_ps_exponent_L"] == 0
    assert cell["T_c_ps"] > fixed["W"]  # nothing forbids it in a small sample


def test_variables_of_ranges_have_no_other_axis():
    d, alpha, T = np.array([2.0, 3.0]).reshape(2, 1, 1), np.full((1, 4, 1), 3.0), np.ones((1, 1, 5))
    cells = at(d=d, alpha=alpha, beta=3.0, T=T)
    assert cells["region"].shape == (2, 4, 1)
    assert cells["kappa_sd_exponent"].shape == (2, 4, 1, len(SCALED_BY))
    assert np.broadcast_shapes(cells["kappa_sd"].shape, (2, 4, 5)) == (2, 4, 5)


def test_attributes_tell_what_a_reader_must_know():
    by_name = {variable.name: variable for variable in model.variables}
    assert "extension" in by_name["kappa_sd2"].comment
    assert "infinite" in by_name["kappa_ps"].comment
    assert by_name["kappa_sd"].attributes["equation"] == "Gutman et al. (2016), Eq. (77)"
    assert by_name["region"].attributes["flag_meanings"].split()[5] == "IIb"
    for variable in model.variables:
        assert variable.long_name
        assert variable.units
        assert variable.dtype == ("int8" if variable.flags else "float64")
