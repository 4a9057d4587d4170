"""Every entry of data/scaling.json, which was computed apart from this code by computer algebra."""

import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from delocal.physics import conductivity, phase_diagram, relaxation, scales
from delocal.physics.parameters import power_laws, spin_model
from delocal.physics.phase_diagram import Region, belongs
from delocal.physics.powers import LogArray
from delocal.physics.quantities import QUANTITIES, exponents

REFERENCE = json.loads((Path(__file__).parent / "data" / "scaling.json").read_text())
POINTS = REFERENCE["points"]

REGIONS = {
    "out(alpha<beta)": Region.OUT_OF_DOMAIN,
    "I/II-critical(alpha=d)": Region.CRITICAL_ALPHA_D,
    "IIa": Region.IIa,
    "IIa/IIb(beta=d,d<=2)": Region.CRITICAL_BETA_D,
    "IIb": Region.IIb,
    "IIb*(beta=d>2)": Region.IIb,
    "IIb/IIc(alpha=2d)": Region.BORDER_IIb_IIc,
    "IIc": Region.IIc,
    "IIc*(beta=d>2)": Region.IIc,
    "IIc/III(D=0)": Region.BORDER_IIc_III,
    "III": Region.III,
    "critical(beta=2d)": Region.CRITICAL_BETA_2D,
    "MBL": Region.MBL,
}
QUANTITY = {
    "R1(T)": "R1",
    "R1_th": "R1_th",
    "R2*(T)=Lc": "L_c",
    "E*": "E_star",
    "Ns": "N_s",
    "R2(T)": "R2",
    "R2_th": "R2_th",
    "E2*": "E2_star",
    "kappa*": "kappa_opt",
    "kappa_ps": "kappa_ps",
    "kappa_s": "kappa_s",
    "kappa_sd": "kappa_sd",
    "kappa2*": "kappa_opt2",
    "kappa2": "kappa_ps2",
    "kappa_sd3": "kappa_sd2",
    "1/tau_ps(th)": "rate_ps",
    "1/tau2(th)": "rate_p2",
    "1/tau_s": "rate_s",
    "1/tau_sd": "rate_sd",
    "Tc_ps(L)": "T_c_ps",
    "Ec_ps(L)": "E_c_ps",
    "Tc_p2(L)": "T_c_p2",
    "Ec_p2(L)": "E_c_p2",
}
AT_GIVEN_SIZES = {
    "N1(R)": lambda p, at: scales.resonant_spins(p, at["R"]),
    "Ntotal_prefactor1": lambda p, at: scales.total_resonant_spins(p),
    "Ntotal_integral": lambda p, at: scales.integrated_resonant_spins(p),
    "R2*(R1)": lambda p, at: scales.interaction_radius(p, at["R1"]),
    "rho_ps(R1)": lambda p, at: scales.pseudospin_density(p, at["R1"]),
    "N2(R1,R2a)": lambda p, at: scales.resonant_pseudospins(p, at["R1"], at["R2a"]),
    "N2(R1,R2b)": lambda p, at: scales.resonant_pseudospins(p, at["R1"], at["R2b"]),
    "N2opt(R1)": lambda p, at: scales.peak_resonant_pseudospins(p, at["R1"]),
    "rho_p2s(R1,R2b)": lambda p, at: scales.pseudo2spin_density(p, at["R1"], at["R2b"]),
    "N3(R1,R2b,R3)": lambda p, at: scales.resonant_pseudo2spins(p, at["R1"], at["R2b"], at["R3"]),
    "N3max(R2b)": lambda p, at: scales.peak_resonant_pseudo2spins(p, at["R2b"]),
    "1/tau(R1)": lambda p, at: relaxation.pseudospin_rate(p, at["R1"]),
    "1/tau2(R1_th,R2b)": lambda p, at: relaxation.pseudo2spin_rate(
        p, scales.thermal_pseudospin_size(p), at["R2b"]
    ),
    "kappa_ps_integral34": lambda p, at: conductivity.kappa_assisted_integral(p),
    "kappa_IR(R1=2R1(T))": lambda p, at: conductivity.kappa_of_network(
        p, LogArray.of(2.0) * scales.optimal_pseudospin_size(p)
    ),
    "kappa_IR_integral44": lambda p, at: conductivity.kappa_infrared(p),
    "kappa2_integral59": lambda p, at: conductivity.kappa_assisted_pseudo2_integral(p),
    "kappa_IR2_integral62_corrected": lambda p, at: conductivity.kappa_infrared_pseudo2(p),
}


def name_of(point):
    letters = point.get("params", point)
    return f"{point.get('pset', '')}({letters['d']},{letters['alpha']},{letters['beta']})"


def ranges(letters):
    return [Fraction(letters[name]) for name in ("d", "alpha", "beta")]


def model_at(point):
    numbers = {name: float(point["params"][name]) for name in ("T", "W", "t", "V", "rho")}
    return spin_model(*(float(value) for value in ranges(point["params"])), **numbers)


def log10_of(reference):
    """Decimal logarithm of a number, or of the string of one that float64 cannot hold."""
    if isinstance(reference, str) and "e" in reference:
        mantissa, exponent = reference.split("e")
        return math.log10(float(mantissa)) + int(exponent)
    return math.inf if float(reference) == math.inf else math.log10(float(reference))


def region_at(letters):
    return Region(int(phase_diagram.region(*(float(value) for value in ranges(letters)))))


NUMBERS = [
    pytest.param(point, name, id=f"{name_of(point)}-{name}")
    for point in POINTS
    for name in point["numbers"]
    if name != "_at"
]


@pytest.mark.parametrize(("point", "name"), NUMBERS)
def test_number(point, name):
    p = model_at(point)
    at = {size: LogArray.of(float(value)) for size, value in point["numbers"]["_at"].items()}
    if name in QUANTITY:
        value = QUANTITIES[QUANTITY[name]].at(p, at["L"])
    else:
        value = AT_GIVEN_SIZES[name](p, at)
    expected = log10_of(point["numbers"][name])
    if math.isinf(expected):
        assert value.log10 == expected
    else:
        assert abs(float(value.log10) - expected) * math.log(10) < 1e-9


SUMMARY = REFERENCE["exponent_summary"]
EXPONENTS = [
    pytest.param(point["params"], name, declared, id=f"{name_of(point)}-{name}")
    for point in POINTS
    for name, declared in point["exponents"].items()
] + [
    pytest.param(row, name, row[name], id=f"summary{name_of(row)}-{name}")
    for row in SUMMARY
    for name in row
    if isinstance(row[name], dict)
]


@pytest.mark.parametrize(("letters", "name", "declared"), EXPONENTS)
def test_exponents_are_exact(letters, name, declared):
    ours = exponents(QUANTITY[name], *ranges(letters))
    assert all(isinstance(power, Fraction) for power in ours.values())
    for letter, power in declared.items():
        assert ours[letter] == Fraction(power)
    if letters not in SUMMARY:  # the summary lists some letters only
        assert {letter for letter, power in ours.items() if power != 0} <= set(declared)


def test_exponent_summary_has_no_quantity_too_many():
    for row in SUMMARY:
        region = region_at(row)
        for reference, name in QUANTITY.items():
            if name not in ("R1_th", "R2_th"):
                assert (reference in row) == (region in QUANTITIES[name].where)


@pytest.mark.parametrize("row", SUMMARY, ids=name_of)
def test_exponent_summary_classes(row):
    d, _, beta = (float(value) for value in ranges(row))
    z = phase_diagram.dynamical_exponent(d, beta)
    assert region_at(row) == REGIONS[row["region"]]
    assert z == float(Fraction(row["z"]))
    assert (phase_diagram.superdiffusive(d, beta) & (z < 2)) == row["superdiffusive"]
    assert (phase_diagram.superdiffusive(d, beta) & (z == 2)) == row["marginal"]


@pytest.mark.parametrize("point", POINTS, ids=name_of)
def test_classes(point):
    d, alpha, beta = exact = ranges(point["params"])
    floats = [float(value) for value in exact]
    region = phase_diagram.region(*floats)
    z = phase_diagram.dynamical_exponent(floats[0], floats[2])
    superdiffusive = phase_diagram.superdiffusive(floats[0], floats[2])
    laws = power_laws(*exact)
    ours = {
        "D": str(laws.D),
        "X": str(laws.X),
        "region": REGIONS[point["class"]["region"]],
        "superdiffusive": bool(superdiffusive & (z < 2)),
        "levy_marginal": bool(superdiffusive & (z == 2)),
        "tail_convergent_48": not superdiffusive,
        "z": round(float(z), 12),
        "ir_convergent_45": bool(phase_diagram.infrared_convergent(*floats)),
        "ir_convergent_46": beta * (11 * alpha - 5 * d) > alpha * (3 * d + 4),
        "ir2_convergent_correct": bool(
            phase_diagram.infrared_convergent_pseudo2(floats[0], floats[2])
        ),
        "ir2_convergent_printed": 11 * beta > 8 * d + 2,
        "in_domain": bool(belongs(region, phase_diagram.CONDUCTING)),
        "pseudo_network": bool(belongs(region, phase_diagram.WITH_PSEUDOSPIN_NETWORK)),
        "kappa_ps_defined": bool(belongs(region, phase_diagram.WITH_OPTIMAL_PSEUDOSPINS)),
        "kappa_p2_defined": bool(belongs(region, phase_diagram.WITH_PSEUDO2SPIN_NETWORK)),
        "pseudo2_network": bool(belongs(region, phase_diagram.WITH_PSEUDO2SPIN_NETWORK)),
    }
    expected = {
        **{name: point["class"][name] for name in ours},
        "region": Region(int(region)),
        "z": float(Fraction(point["class"]["z"])),
    }
    assert ours == expected


def test_all_entries_are_compared():
    numbers = {name for point in POINTS for name in point["numbers"]} - {"_at"}
    assert numbers == set(QUANTITY) | set(AT_GIVEN_SIZES)
    assert {name for point in POINTS for name in point["exponents"]} <= set(QUANTITY)
    assert set(QUANTITY.values()) == set(QUANTITIES)
    assert {point["class"]["region"] for point in POINTS} <= set(REGIONS)
    assert len(NUMBERS) > 500
    assert np.isin([1, 2, 3], [int(point["params"]["d"]) for point in POINTS]).all()
