"""The hot-cold mixture against numbers computed apart, its integrals, and its own closed forms."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import expit

from delocal.physics import hot_cold, hot_cold_transport
from delocal.physics.continuum_disorder import (
    Continuum,
    level_spacing,
    localization_length,
    transform,
    wavevector,
)
from delocal.physics.hot_cold import HotCold
from delocal.physics.hot_cold_printed import (
    leading_threshold,
    printed_threshold_in_field,
)
from delocal.physics.hot_cold_threshold import closed_height, find_threshold, root_height
from delocal.physics.model import Status
from delocal.physics.powers import LogArray

ROWS = json.loads((Path(__file__).parent / "reference" / "hotcold.json").read_text())["entries"]
WIRES = [("lorentz", "1d"), ("exponential", "1d")]
PLANES = list(itertools.product(("white", "lorentz", "exponential"), ("2d", "2d-field")))
KINDS = WIRES + PLANES
CLOSED = [*WIRES, ("white", "2d"), ("white", "2d-field")]
PREFACTORS = ("bare", "assembled")
CRITERIA = ("resonance", "bethe")
TWO = LogArray.of(2.0)


def mixture(disorder, geometry, Delta_c_over_T, **more):
    """The parameters of the reference: w = 0.5, u = 0.3; in the plane 1/tau = 2.5, alpha = 0.2."""
    given = {"w": 0.5, "u": 0.3} if geometry == "1d" else {"w": 2.5, "u": 0.4 * math.pi}
    medium = Continuum.of(disorder, geometry, w=given["w"])
    T = level_spacing(medium, TWO).value / np.asarray(Delta_c_over_T, dtype=float)
    return HotCold.of(medium, T=T, u=given["u"], **more)


def number(x):
    return float(x.value)


def at_threshold(p, prefactors="bare"):
    return number(find_threshold(p, prefactors).eps)


def ln_sigma(p, eps):
    return float((p.eF.value - eps.value) / p.T.value)


WHAT = {
    "eps0": lambda p, eps: number(p.medium.eps_0),
    "xi_h": lambda p, eps: number(localization_length(p.medium, eps)),
    "Neff": lambda p, eps: number(hot_cold.coordination_number(p, eps)),
    "alpha": lambda p, eps: number(hot_cold.coupling_constant(p, eps)),
    "eta_white": lambda p, eps: number(hot_cold.resonance_parameter(p, eps)),
    "eth_ass": lambda p, eps: at_threshold(p, "assembled"),
    "eth_lorentz": lambda p, eps: at_threshold(p),
    "eth_exp": lambda p, eps: at_threshold(p),
    "eth_asym": lambda p, eps: number(leading_threshold(p)),
    "lnsigma_": lambda p, eps: -number(hot_cold_transport.suppression(p, find_threshold(p))),
    "ln_nh": lambda p, eps: float(hot_cold_transport.hot_density(p, find_threshold(p)).ln),
    "chi": lambda p, eps: number(hot_cold.chi(p)),
    "Eact": lambda p, eps: number(hot_cold_transport.activation_energy(p, find_threshold(p))),
    "xi2_c_field": lambda p, eps: number(p.xi_c),
    "D3hc2": lambda p, eps: number(hot_cold.three_particle_spacing(p, eps)),
    "ratio27": lambda p, eps: number(p.Delta_c / hot_cold.hot_spacing(p, eps)),
    "lnsigma2_29": lambda p, eps: ln_sigma(p, leading_threshold(p)),
    "eth2B_derived": lambda p, eps: number(leading_threshold(p)),
}


def mixture_of_row(row):
    given, field = row["params"], "field" in row["id"] or "2B" in row["id"]
    if "w2" in given:
        medium = Continuum.of("white", "2d-field" if field else "2d", m=given["m"], w=given["w2"])
        u = 2 * math.pi * given["alpha"] / given["m"]
    else:
        disorder = {"exp": "exponential"}.get(given.get("corr"), given.get("corr", "white"))
        medium = Continuum.of(disorder, "1d", m=given["m"], w=given["w"], d=given["d"])
        u = given["u"]
    T = given.get("T", 1.0)
    if isinstance(T, str):
        T = number(level_spacing(medium, LogArray.of(given["eF"]))) / float(T.split("/")[1])
    return HotCold.of(medium, T=T, eF=given["eF"], u=u)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_numbers_agree_with_the_reference(row):
    name = max((name for name in WHAT if row["id"].startswith(name)), key=len)
    measured = WHAT[name](mixture_of_row(row), LogArray.of(row["params"].get("eps", 1.0)))
    assert measured == pytest.approx(float(row["value"]), rel=float(row["rtol"]))


def test_the_density_of_excitations_is_the_integral_of_the_spectral_function():
    """Eq. (6) from Eqs. (3) and (5): 2 pi**2/3 to all digits, where l_M/xi_c is large."""
    p = mixture("exponential", "1d", 1e30)
    T = number(p.T)
    xi = number(p.xi_c)

    def energies(y):  # of f(eps) [1 - f(eps + omega)], omega = -y T; trapezoid, exact for such
        eps = np.arange(-45, 45 + y, 0.25)
        return (expit(-eps) * expit(eps - y)).sum() * 0.25

    def places(y):
        l_M = 2 * xi * (math.log(1e30) - math.log(y))
        step = 0.4 * math.sqrt(2 * xi * l_M)
        x = np.arange(l_M % step, 2.5 * l_M, step)
        return -2 * hot_cold.spectral_function(p, x, y * T).sum() * step

    integral, _ = quad(lambda y: energies(y) * places(y), 0, 50, epsabs=0, epsrel=1e-12)
    coefficient = 2 * T**2 * integral * xi * (number(p.Delta_c) / T) ** 2
    assert coefficient == pytest.approx(2 * math.pi**2 / 3, rel=1e-12)
    assert number(hot_cold.thermal_density(p)) == pytest.approx(2 * T**2 * integral, rel=1e-12)


def test_white_noise_is_marginal():
    """Eqs. (8), (9), (11), (12): powers of eps, which cancel in eta_hc."""
    p, eps = mixture("white", "1d", 10.0), LogArray.of([10.0, 1e7])
    functions = {
        hot_cold.coordination_number: 1,
        hot_cold.three_particle_spacing: -1.5,
        hot_cold.hartree_amplitude: -1.5,
        hot_cold.coupling_constant: -0.5,
        hot_cold.resonance_parameter: 0,
    }
    for function, power in functions.items():
        slope = np.diff(function(p, eps).ln)[0] / np.log(1e6)
        assert slope == pytest.approx(power, abs=1e-12)


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_the_assembled_parameter_is_that_of_its_parts(kind):
    p, eps = mixture(*kind, [5, 100]), LogArray.of(9.0)
    parts = hot_cold.hartree_amplitude(p, eps) / hot_cold.three_particle_spacing(p, eps)
    assembled = hot_cold.resonance_parameter(p, eps, "assembled")
    rounding = 1e-15 * np.abs(hot_cold.hot_spacing(p, eps).ln).max() + 1e-13
    np.testing.assert_allclose(parts.ln, assembled.ln, rtol=0, atol=4 * rounding)
    factor = (assembled / hot_cold.resonance_parameter(p, eps)).value
    exact = 4 * math.pi**2 / 3 if kind[1] == "1d" else 4
    np.testing.assert_allclose(factor, exact, rtol=4 * rounding)
    if kind[1] == "1d":  # 2k, not k: backscattering
        W = transform(p.medium, TWO * wavevector(p.medium, eps))
        expected = p.medium.w / W / (LogArray.of(math.pi**2) * hot_cold.chi(p))
        np.testing.assert_allclose((expected * LogArray.of(factor)).ln, assembled.ln, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_growth_of_the_parameter_is_its_logarithmic_derivative(kind):
    p, ln_eps, h = mixture(*kind, 30.0), np.log([2.5, 40.0]), 1e-5
    below, above = (
        hot_cold.resonance_parameter(p, LogArray(ln_eps + s * h)).ln for s in (-1.0, 1.0)
    )
    growth = hot_cold.growth_of_resonance(p, LogArray(ln_eps))
    np.testing.assert_allclose(growth, (above - below) / (2 * h), rtol=1e-7)


@pytest.mark.parametrize("prefactors", PREFACTORS)
@pytest.mark.parametrize("kind", CLOSED, ids="-".join)
def test_closed_forms_are_roots(kind, prefactors):
    p = mixture(*kind, np.geomspace(4, 1e9, 60))
    closed, found = closed_height(p, prefactors), root_height(p, prefactors)
    assert found.done.all()
    np.testing.assert_allclose(found.value, closed, rtol=1e-13)


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("prefactors", PREFACTORS)
def test_the_criterion_is_met_at_the_threshold(kind, prefactors, criterion):
    p = mixture(*kind, np.geomspace(5, 1e6, 9))
    found = find_threshold(p, prefactors, criterion)
    assert (found.status == Status.DONE).all()
    eta = hot_cold.resonance_parameter(p, found.eps, prefactors).ln
    ln_N = hot_cold.coordination_number(p, found.eps).ln
    needed = -np.log(np.maximum(ln_N, 1)) if criterion == "bethe" else 0.0
    steepness = hot_cold.growth_of_resonance(p, found.eps)
    assert (np.abs(eta - needed) < 1e-13 * (10 + steepness)).all()


@pytest.mark.parametrize("kind", PLANES[2:], ids="-".join)
def test_roots_agree_with_the_criterion_written_anew(kind):
    """Brent's method on plain numbers, with 1/tau by quadrature."""
    p = mixture(*kind, 40.0)
    power, m, w, d, alpha = 2 if kind[1] == "2d-field" else 1, 1.0, 2.5, 0.5, 0.2

    def g(q):
        return math.exp(-q * d) if kind[0] == "lorentz" else (1 + (q * d) ** 2) ** -1.5

    def xi(eps):
        k = math.sqrt(2 * m * eps)
        rate = quad(lambda t: 2 * math.sin(t) ** 2 * g(2 * k * math.sin(t)), 0, math.pi)[0]
        tau = math.pi / (m * w * rate)
        return math.sqrt(2 * eps / m) * tau, (math.pi * eps * tau) ** power

    def eta(eps):
        (path, exponent), (path_c, exponent_c) = xi(eps), xi(2.0)
        ratio = path / path_c * math.exp(min(exponent - exponent_c, 200.0))
        return alpha * ratio**2 / 40.0**3 * math.log(40.0) ** 2

    assert at_threshold(p) == pytest.approx(brentq(lambda e: eta(e) - 1, 2.0, 4.0), rel=1e-9)


def test_leading_logarithms_are_as_far_off_as_computed_apart():
    cold = [5, 10, 30, 100, 1000]
    lorentz, exponential = (mixture(*kind, cold) for kind in WIRES)
    ratio = (leading_threshold(lorentz) / find_threshold(lorentz).eps).value
    np.testing.assert_allclose(ratio, [0.57, 0.63, 0.70, 0.75, 0.82], atol=0.005)
    assembled = (leading_threshold(lorentz) / find_threshold(lorentz, "assembled").eps).value
    np.testing.assert_allclose(assembled[[0, -1]], [1.09, 1.03], atol=0.005)
    inverse_chi = 1 / hot_cold.chi(exponential).value
    of_exponential = (leading_threshold(exponential) / find_threshold(exponential).eps).value
    assert (np.abs(of_exponential * math.pi**2 - 1) < inverse_chi).all()
    kept = (leading_threshold(exponential) / find_threshold(exponential, "assembled").eps).value
    assert (np.abs(kept / (4 / 3) - 1) < 2 * inverse_chi).all()


def test_the_printed_logarithm_in_two_dimensions_overestimates():
    """(28) drops ln(Delta_c/T)**2 and eps/eF, which both lower eps_th: by 1.2 to 1.4."""
    p = mixture("white", "2d", [5, 10, 30, 100, 1000, 1e6])
    ratio = (leading_threshold(p).value - 2) / (find_threshold(p).eps.value - 2)
    np.testing.assert_allclose(ratio, [1.337, 1.406, 1.409, 1.377, 1.314, 1.206], atol=1e-3)


def test_in_a_field_the_energy_and_not_the_logarithm_gets_a_square_root():
    """(26) with (30): eps_th**2 is linear in the logarithm. The text has another law."""
    p = mixture("white", "2d-field", [10, 1e3, 1e30, 1e100])
    derived, printed = leading_threshold(p).value, printed_threshold_in_field(p).value
    exact = find_threshold(p).eps.value
    assert [x[0] for x in (exact, derived, printed)] == pytest.approx(
        [2.470, 2.588, 3.161], abs=5e-4
    )
    wrong, right = (np.abs(x / exact - 1) for x in (printed, derived))
    assert (wrong > 2 * right).all()
    # As T -> 0 the text's law keeps a wrong factor: 1/(2 pi tau) for 1/(sqrt(2) pi tau).
    colder = mixture("white", "2d-field", 1e300)
    assert number(printed_threshold_in_field(colder)) < number(leading_threshold(colder))


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
@pytest.mark.parametrize("criterion", CRITERIA)
def test_the_activation_energy_is_the_slope_of_ln_sigma(kind, criterion):
    cold, h = np.geomspace(5, 1e6, 7), 1e-4
    p = mixture(*kind, cold)
    exact = hot_cold_transport.activation_energy(p, find_threshold(p, "bare", criterion), criterion)

    def minus_ln_sigma(ln_shift):
        warmer = mixture(*kind, cold * np.exp(-ln_shift))
        found = find_threshold(warmer, "bare", criterion)
        return hot_cold_transport.suppression(warmer, found).value

    shifts = {s: minus_ln_sigma(s * h) for s in (-2, -1, 1, 2)}
    slope = (8 * (shifts[-1] - shifts[1]) - (shifts[-2] - shifts[2])) / (12 * h)
    np.testing.assert_allclose(slope * p.T.value, exact.value, rtol=1e-7)


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("prefactors", PREFACTORS)
def test_transport_is_superactivated(kind, criterion, prefactors):
    """E_act exceeds eps_th - eF and grows as T falls, over the whole domain."""
    D = 1 if kind[1] == "1d" else 2
    p = mixture(*kind, np.geomspace(1.0001 * math.exp(D / 3), 1e12, 120))
    found = find_threshold(p, prefactors, criterion)
    assert (found.status == Status.DONE).sum() > 100
    slope = hot_cold_transport.activation_energy(p, found, criterion).ln
    slope = slope[found.status == Status.DONE]
    assert (np.diff(slope) > 0).all()
    assert (slope > found.above.ln[found.status == Status.DONE]).all()


def test_activation_energies_are_those_computed_apart():
    def measured(kind, cold):
        p = mixture(*kind, cold)
        return hot_cold_transport.activation_energy(p, find_threshold(p)).value

    lorentz = measured(("lorentz", "1d"), [5, 10, 30, 100, 1000])
    np.testing.assert_allclose(lorentz, [64.5, 88.3, 134, 196, 350], rtol=3e-3)
    plane = measured(("white", "2d"), [5, 10, 100, 1000, 1e6])
    np.testing.assert_allclose(plane, [2.55, 3.19, 5.42, 7.79, 15.3], rtol=2e-3)


def test_with_exponential_disorder_the_exponent_goes_as_the_fourth_power():
    """E_act/(eps_th - eF) = 4 - 1/ln(Delta_c/T) + O(1/X), and ln sigma ~ -T**-4."""
    cold = np.array([1e2, 1e6, 1e20])
    p = mixture("exponential", "1d", cold)
    found = find_threshold(p)
    ratio = (hot_cold_transport.activation_energy(p, found) / found.above).value
    np.testing.assert_allclose(ratio, 4 - 1 / np.log(cold), atol=1e-5)


@pytest.mark.parametrize("kind", [*WIRES, ("white", "2d")], ids="-".join)
def test_the_density_of_hot_electrons_is_the_integral_over_them(kind):
    p = mixture(*kind, [5.0, 10.0])
    found = find_threshold(p)
    closed = hot_cold_transport.hot_density_integral(p, found)
    excess = closed / hot_cold_transport.hot_density(p, found)
    for i, T in enumerate(p.T.value):
        x = float(found.eps.value[i] / T)  # rho(eps) over rho(eps_th), Boltzmann's tail
        power = 0.5 if kind[1] == "1d" else 0.0
        tail, _ = quad(lambda y, x=x, s=power: math.exp(-y) * (1 + y / x) ** -s, 0, 60)
        rounding = 1e-15 * abs(float(closed.ln[i]))  # of the logarithm that both have in common
        assert float(excess.value[i]) == pytest.approx(tail, rel=1e-12 + rounding)
    if kind == ("lorentz", "1d"):
        assert 1 / excess.value[0] == pytest.approx(1.0002, abs=5e-5)


def test_the_tail_of_fermi_is_that_of_boltzmann():
    """f(eps) of Sec. I in place of its exponential, where eps_th is only a few T above eF."""
    p = mixture("lorentz", "1d", 1.5)
    p = HotCold.of(p.medium, T=p.T.value, u=3.5)
    found = find_threshold(p, "assembled")
    x, T = number(hot_cold_transport.suppression(p, found)), number(p.T)
    assert 1 < x < 5

    def density(eps):
        return expit(-(eps - 2.0) / T) / (math.pi * math.sqrt(2 * eps))

    low = number(found.eps)
    fermi, _ = quad(density, low, low + 50 * T, epsabs=0, epsrel=1e-11)
    boltzmann = number(hot_cold_transport.hot_density_integral(p, found))
    assert fermi == pytest.approx(boltzmann * (1 - math.exp(-x) / 2), rel=math.exp(-2 * x))


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_hot_levels_stay_resolved(kind):
    """Eq. (19): 1/(tau Delta_h) = 1/N_eff at eta = 1, from V_hc**2/Delta_3hc."""
    p = mixture(*kind, [5, 10, 100, 1000])
    found = find_threshold(p, "assembled")
    V, spacing = hot_cold.hartree_amplitude(p, found.eps), hot_cold.hot_spacing(p, found.eps)
    golden_rule = V**2 / hot_cold.three_particle_spacing(p, found.eps) / spacing
    eta = hot_cold.resonance_parameter(p, found.eps, "assembled")
    width = hot_cold_transport.level_width(p, found.eps, eta)
    np.testing.assert_allclose(width.ln, golden_rule.ln, rtol=1e-10)
    assert (np.diff(width.ln) < 0).all()
    assert width.value[0] < (0.003 if kind[1] == "1d" else 0.13)
    if kind[1] != "1d":  # N_eff = 2/[c alpha (T/Delta_c) ln(Delta_c/T)] for all, c = 4
        np.testing.assert_allclose(width.value[0], 2 * 0.2 * 0.2 * np.log(5), rtol=1e-9)


def test_white_noise_in_one_dimension_needs_the_bethe_lattice():
    medium = Continuum.of("white")
    p = HotCold.of(medium, T=[0.3, 0.4])
    assert find_threshold(p).localized.all()
    found = find_threshold(p, "bare", "bethe")
    np.testing.assert_allclose(found.eps.log10[0], 170, atol=1.0)
    np.testing.assert_allclose(root_height(p, "bare", "bethe").value, found.height, rtol=1e-12)
    eta = hot_cold.resonance_parameter(p, p.eF).value
    ln_N = hot_cold.coordination_number(p, found.eps).ln
    np.testing.assert_allclose(eta * ln_N, 1, rtol=1e-12)


@pytest.mark.parametrize("kind", [*KINDS, ("white", "1d")], ids="-".join)
@pytest.mark.parametrize("criterion", CRITERIA)
def test_without_growth_of_the_length_all_is_localized(kind, criterion):
    found = find_threshold(mixture(*kind, [3, 30, 3000], xi_growth=False), "bare", criterion)
    assert (found.status == Status.DONE).all()
    assert found.localized.all()
    assert (found.height == np.inf).all()


def test_the_relaxed_criterion_lowers_the_threshold():
    for kind, prefactors in itertools.product(KINDS, PREFACTORS):
        p = mixture(*kind, [5, 50, 5e5])
        strict, relaxed = (find_threshold(p, prefactors, c).height for c in CRITERIA)
        assert (relaxed < strict).all()
