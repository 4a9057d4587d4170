"""Exact exponents: the paper's results, closed forms, and the slopes of the numbers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from delocal.physics import conductivity, relaxation, scales
from delocal.physics.models import load_models
from delocal.physics.parameters import SCALED_BY, exact, power_laws, spin_model
from delocal.physics.phase_diagram import Region, region
from delocal.physics.powers import LogArray, PowerLaw
from delocal.physics.quantities import QUANTITIES, exponents

F = Fraction


@st.composite
def conducting_points(draw):
    """Exact (d, alpha, beta) with d <= beta < 2 d and alpha >= beta, off the line D = 0."""
    d = draw(st.integers(1, 3))
    beta = d * draw(st.fractions(1, 2, max_denominator=20).filter(lambda ratio: ratio < 2))
    alpha = beta + draw(st.fractions(0, 8, max_denominator=20))
    assume(alpha * beta != (alpha + beta) * d)
    return d, alpha, beta


@pytest.mark.parametrize(
    ("d", "name", "T", "W"),
    [
        (2, "kappa_ps", 5, -12),
        (2, "kappa_s", 4, -9),
        (2, "kappa_sd", 3, -6),
        (3, "kappa_ps", F(4, 3), F(-16, 3)),
        (3, "kappa_s", F(4, 3), -3),
        (3, "kappa_sd", F(4, 3), F(-8, 3)),
        (2, "rate_ps", 7, -18),
        (2, "rate_s", 6, -15),
        (2, "rate_sd", 4, -9),
        (3, "rate_ps", 1, -6),
        (3, "rate_s", 1, -4),
        (3, "rate_sd", 1, -3),
    ],
)
def test_ladder_of_the_dipoles(d, name, T, W):
    """Eqs. (S-B.4), (S-B.5), (S-B.9), (S-B.10), (75), (76), (82), (83)."""
    powers = exponents(name, d, 3, 3)
    assert (powers["T"], powers["W"]) == (T, W)


def test_printed_conductivities_of_the_dipoles():
    """Eqs. (27), (28), (40), (42)."""
    assert exponents("kappa_opt", 2, 3, 3) == {"T": 7, "W": -18, "t": 6, "V": 6, "rho": 18}
    assert exponents("kappa_ps", 2, 3, 3) == {"T": 5, "W": -12, "t": 4, "V": 4, "rho": 12}
    optimal = {"T": F(4, 3), "W": F(-20, 3), "t": F(10, 3), "V": 3, "rho": F(20, 3)}
    assisted = {"T": F(4, 3), "W": F(-16, 3), "t": F(8, 3), "V": F(7, 3), "rho": F(16, 3)}
    assert exponents("kappa_opt", 3, 3, 3) == optimal
    assert exponents("kappa_ps", 3, 3, 3) == assisted


TABLE = {
    (2, "3", "5/2"): {
        "kappa_opt": "31/7,-90/7",
        "kappa_ps": "61/21,-50/7",
        "kappa_s": "22/7,-51/7",
        "kappa_sd": "17/7,-34/7",
        "rate_sd": "20/7,-47/7",
    },
    (1, "3/2", "3/2"): {
        "kappa_opt": "5,-14",
        "kappa_ps": "5/3,-4",
        "kappa_s": "1,-2",
        "kappa_sd": "1,-2",
        "rate_sd": "4,-9",
    },
    (2, "7/2", "3"): {
        "kappa_opt": "53/5,-126/5",
        "kappa_ps": "227/35,-72/5",
        "kappa_s": "73/10,-161/10",
        "kappa_sd": "23/5,-46/5",
        "rate_sd": "6,-13",
    },
    (3, "5", "3"): {
        "kappa_opt": "32/9,-100/9",
        "kappa_ps": "112/45,-52/9",
        "kappa_s": "34/9,-83/9",
        "kappa_sd": "8/3,-16/3",
        "rate_sd": "7/3,-17/3",
    },
    (2, "5", "3"): {
        "kappa_opt": "43,-90",
        "kappa_ps": "89/5,-36",
        "kappa_s": "46,-95",
        "kappa_sd": "19,-38",
        "kappa_ps2": "61/5,-24",
        "kappa_sd2": "33/5,-12",
        "rate_sd": "24,-49",
    },
    (3, "7", "5"): {
        "kappa_opt": "110,-224",
        "kappa_ps": "430/7,-124",
        "kappa_s": "106,-215",
        "kappa_sd": "46,-92",
        "kappa_ps2": "858/35,-48",
        "kappa_sd2": "90/7,-24",
        "rate_sd": "55,-111",
    },
    (2, "6", "7/2"): {"kappa_ps2": "95/3,-56", "kappa_sd2": "49/3,-28"},
    (3, "9", "5"): {"kappa_ps2": "134/5,-48", "kappa_sd2": "14,-24"},
}
GAMMA = {
    (2, "3", "3"): ("0", None),
    (3, "3", "3"): ("-3", None),
    (2, "3", "5/2"): ("-1/3", None),
    (2, "7/2", "3"): ("4/7", None),
    (3, "5", "3"): ("-3/5", None),
    (2, "5", "3"): ("8/5", "12/11"),
    (3, "7", "5"): ("19/7", "31/15"),
    (2, "6", "7/2"): (None, "11/7"),
    (3, "9", "5"): (None, "15/7"),
}


@pytest.mark.parametrize("point", TABLE, ids=str)
def test_table_of_key_points(point):
    for name, expected in TABLE[point].items():
        powers = exponents(name, *point)
        assert f"{powers['T']},{powers['W']}" == expected, name


@pytest.mark.parametrize("point", GAMMA, ids=str)
def test_table_of_thresholds(point):
    for name, expected in zip(("E_c_ps", "E_c_p2"), GAMMA[point], strict=True):
        assert expected is None or exponents(name, *point)["L"] == F(expected)


@given(conducting_points())
def test_closed_forms_of_the_exponents(point):
    """(26), (38), (52), (61), (67), (78) and (73) as corrected, (85), (S-A.9)."""
    d, a, b = point
    D, X = (a + b) * d - a * b, 2 * a * b - d * (a + b)
    mu = (5 * a * b - (2 + d) * a - 2 * d * b) / D
    nu = (3 * a - 2 * d) * (3 * b + d - 2) / (a * (2 * d - b)) - 2
    closed = {
        "R1": -b / D,
        "kappa_opt": mu,
        "kappa_ps": mu - X * (3 * a - 2 * b - d + 2) / (a * D),
        "kappa_s": 1 + a * (2 * a - d - 2) * b / (d * D),
        "kappa_sd": 1 + b * (2 * a - d - 2) / D,
        "kappa_opt2": nu,
        "kappa_ps2": nu - 2 * X * (b - d + 2) / (a * b * (2 * d - b)),
        "kappa_sd2": (3 * a - 2 * d) * (b + d - 2) / (a * (2 * d - b)),
    }
    for name, power in closed.items():
        assert exponents(name, d, a, b)["T"] == power, name
    gamma, gamma2 = (exponents(name, d, a, b)["L"] for name in ("E_c_ps", "E_c_p2"))
    assert gamma == 2 * b * (a - d) / a - d
    assert gamma2 == (2 * a * b - a * d - 2 * d**2) / (3 * a - 2 * d)
    assert d - gamma == 2 * D / a
    assert d - gamma2 == 2 * a * (2 * d - b) / (3 * a - 2 * d)
    assert gamma - gamma2 == 2 * (a - 2 * d) * X / (a * (3 * a - 2 * d))


def test_printed_forms_that_are_wrong_differ():
    printed_78 = 1 + F(3 * (2 - 6 + 2), 3)
    assert printed_78 == -1 != exponents("kappa_sd", 2, 3, 3)["T"]
    printed_73 = F(5 * 3 + 5 * 2 - 2 * 4, 3 * 5 - 4)
    assert printed_73 == F(17, 11) != exponents("E_c_p2", 2, 5, 3)["L"]
    assert exponents("T_c_p2", 2, 5, 3)["L"] + 2 == printed_73  # L**d Tc, not L**d Tc**2
    kappa_63 = conductivity.kappa_of_pseudo2_network(power_laws(2, 5, 3), PowerLaw.variable("R2"))
    assert kappa_63.of["R2"] == F(8 * 2 + 4 - 33, 2)


REPRESENTATIVE = [(2, 3, 3), (3, 3.3, 3.1), (1, 1.9, 1.6), (3, 7, 5), (2, 8, 2.5), (2, 6, 3.5)]
REPRESENTATIVE += [(3, 7, 3), (2, 4, 3), (1, 3, 1.5), (2, 10, 3.9), (3, 5.5, 5.5), (1, 1.05, 1.05)]


@pytest.mark.parametrize("letter", [*SCALED_BY, "L"])
@pytest.mark.parametrize("point", REPRESENTATIVE, ids=str)
def test_declared_exponents_are_measured_slopes(point, letter):
    model = load_models()["scaling"]
    numbers = {"T": 2e-4, "W": 1.7, "t": 0.03, "V": 0.05, "rho": 0.6, "L": 55.0}
    swept = {name: np.asarray(value) for name, value in numbers.items()}
    swept[letter] = numbers[letter] * np.array([1.0, 3.0])
    results = model.evaluate(
        {**dict(zip(("d", "alpha", "beta"), map(np.asarray, point), strict=True)), **swept}, {}
    )
    measured_any = False
    for quantity in QUANTITIES.values():
        logs = np.broadcast_to(results[f"log10_{quantity.name}"], 2)
        slope = (logs[1] - logs[0]) / np.log10(3.0)
        declared = declared_exponent(results, quantity, letter)
        np.testing.assert_allclose(slope, declared, rtol=1e-9, atol=1e-9, err_msg=quantity.name)
        if np.isfinite(declared):
            power = exponents(quantity.name, *point)[letter] if letter != "L" else None
            assert power is None or float(power) == pytest.approx(declared, rel=1e-9, abs=1e-12)
            measured_any = True
    assert measured_any


def declared_exponent(results, quantity, letter):
    if letter == "L":
        exists = np.isfinite(results[f"log10_{quantity.name}"]).any()
        return results.get(f"{quantity.name}_exponent_L", 0.0 if exists else np.nan)
    return results[f"{quantity.name}_exponent"][..., SCALED_BY.index(letter)]


OF_SIZES = {
    scales.resonant_spins: ("R",),
    scales.total_resonant_spins: (),
    scales.pseudospin_density: ("R1",),
    scales.interaction_radius: ("R1",),
    scales.pseudospin_size: ("R2",),
    scales.peak_resonant_pseudospins: ("R1",),
    scales.peak_resonant_pseudo2spins: ("R2",),
    relaxation.pseudospin_rate: ("R1",),
    relaxation.pseudo2spin_rate: ("R1", "R2"),
    relaxation.chain_matrix_element: ("E",),
    conductivity.kappa_of_network: ("R1",),
    conductivity.kappa_of_pseudo2_network: ("R2",),
}


@pytest.mark.parametrize("formula", OF_SIZES, ids=lambda formula: formula.__name__)
def test_exponents_of_functions_of_a_size(formula):
    point, sizes = (2, F(5), F(3)), OF_SIZES[formula]
    numbers = {"T": 2e-4, "W": 1.7, "t": 0.03, "V": 0.05, "rho": 0.6, "R": 9, "R1": 7, "R2": 80}
    numbers["E"] = 1e-3

    def log_at(values):
        p = spin_model(*map(float, point), *(values[letter] for letter in SCALED_BY))
        return float(formula(p, *(LogArray.of(values[size]) for size in sizes)).ln)

    law = formula(power_laws(*point), *(PowerLaw.variable(size) for size in sizes)).of
    for letter in (*SCALED_BY, *sizes):
        slope = log_at(numbers | {letter: numbers[letter] * np.e}) - log_at(numbers)
        assert slope == pytest.approx(float(law.get(letter, 0)), rel=1e-9, abs=1e-9), letter
        assert isinstance(law.get(letter, F(0)), F)


def test_floats_stand_for_simple_fractions():
    assert exact(0.1 + 0.2) == F(3, 10)
    assert exact(np.float64(7 / 3)) == F(7, 3)
    assert exact(np.linspace(2.2, 6.0, 20)[7]) == F(18, 5)
    assert exponents("R1", 2, 3.1, "29/10") == exponents("R1", 2, F(31, 10), 2.9)
    for value in (np.pi, 3 + 1e-7, 1e-9, 123456.789, 1e300):
        assert abs(exact(value) / F(value) - 1) <= F(1, 10**12)


def test_an_unknown_quantity_is_refused_with_advice():
    with pytest.raises(KeyError, match="known: R1, R1_th"):
        exponents("kapa", 2, 3, 3)


def test_exponents_diverge_at_the_border_of_III():
    assert region(2, 6, 3) == Region.BORDER_IIc_III
    with pytest.raises(ZeroDivisionError):
        exponents("kappa_sd", 2, 6, 3)
    assert exponents("kappa_sd2", 2, 6, 3)["T"] == 7
