"""The regions tile the plane, and borders are where the paper draws them."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delocal.physics.phase_diagram import (
    Region,
    dynamical_exponent,
    infrared_convergent,
    infrared_convergent_pseudo2,
    region,
    superdiffusive,
)

dimensions = st.integers(1, 3)
ranges = st.fractions(Fraction(1, 10), 14, max_denominator=20)

OPEN = {
    Region.OUT_OF_DOMAIN: lambda d, a, b: a < b,
    Region.I: lambda d, a, b: b <= a < d,
    Region.IIa: lambda d, a, b: b < d < a,
    Region.IIb: lambda d, a, b: d < b <= a < 2 * d,
    Region.IIc: lambda d, a, b: d < b and a > 2 * d and d > a * b / (a + b),
    Region.III: lambda d, a, b: b < 2 * d and d < a * b / (a + b),
    Region.MBL: lambda d, a, b: 2 * d < b <= a,
}
BORDERS = {
    Region.CRITICAL_ALPHA_D: lambda d, a, b: a == d and b <= a and not a == b == d == 3,
    Region.CRITICAL_BETA_D: lambda d, a, b: b == d <= 2 and a > d,
    Region.BORDER_IIb_IIc: lambda d, a, b: a == 2 * d and d <= b < a and (b > d or d == 3),
    Region.BORDER_IIc_III: lambda d, a, b: d < b < 2 * d and d == a * b / (a + b),
    Region.CRITICAL_BETA_2D: lambda d, a, b: b == 2 * d <= a,
    Region.IIb: lambda d, a, b: b == d == 3 and d <= a < 2 * d,
    Region.IIc: lambda d, a, b: b == d == 3 and a > 2 * d,
}


def region_at(d, alpha, beta):
    return Region(int(region(float(d), float(alpha), float(beta))))


@given(dimensions, ranges, ranges)
def test_regions_tile_the_plane(d, alpha, beta):
    claims = [
        code for rules in (OPEN, BORDERS) for code, holds in rules.items() if holds(d, alpha, beta)
    ]
    assert claims == [region_at(d, alpha, beta)]


@given(dimensions, ranges)
def test_borders_are_tiled_too(d, other):
    for alpha, beta in ((d, other), (other, d), (2 * d, other), (other, 2 * d), (other, other)):
        test_regions_tile_the_plane.hypothesis.inner_test(d, Fraction(alpha), Fraction(beta))


@given(dimensions, ranges, ranges, st.sampled_from([-1, 1]), st.sampled_from([-1, 1]))
def test_open_regions_contain_their_neighbours(d, alpha, beta, right, up):
    code = region_at(d, alpha, beta)
    if alpha == beta or code not in OPEN or not OPEN[code](d, alpha, beta):
        return
    step = Fraction(1, 10**5)  # closer than any border: denominators stay below 20
    assert region_at(d, alpha + right * step, beta + up * step) == code


@pytest.mark.parametrize(
    ("border", "below", "above"),
    [
        ((2, 4, 3), (2, 4 - 1e-9, 3), (2, 4 + 1e-9, 3)),
        ((2, 6, 3), (2, 6 - 1e-9, 3), (2, 6 + 1e-9, 3)),
        ((2, 5, 4), (2, 5, 4 - 1e-9), (2, 5, 4 + 1e-9)),
        ((2, 3, 2), (2, 3, 2 - 1e-9), (2, 3, 2 + 1e-9)),
        ((2, 2, 1), (2, 2 - 1e-9, 1), (2, 2 + 1e-9, 1)),
    ],
)
def test_a_border_separates_what_it_is_named_after(border, below, above):
    assert [region_at(*point).name for point in (below, border, above)] == {
        (2, 4, 3): ["IIb", "BORDER_IIb_IIc", "IIc"],
        (2, 6, 3): ["IIc", "BORDER_IIc_III", "III"],
        (2, 5, 4): ["III", "CRITICAL_BETA_2D", "MBL"],
        (2, 3, 2): ["IIa", "CRITICAL_BETA_D", "IIb"],
        (2, 2, 1): ["I", "CRITICAL_ALPHA_D", "IIa"],
    }[border]


def test_points_meant_for_a_border_land_on_it():
    steps = np.linspace(2.2, 5.8, 37)  # 4 and 3 are among them but for rounding
    at_4 = int(np.argmin(np.abs(steps - 4)))
    assert region(2, steps[at_4], 3.0) == Region.BORDER_IIb_IIc
    assert region(2, 10.0, np.cumsum(np.full(40, 0.1))[-1]) == Region.CRITICAL_BETA_2D
    beta = np.linspace(1.1, 1.9, 9)
    assert (region(1, beta / (beta - 1), beta) == Region.BORDER_IIc_III).all()
    assert superdiffusive(1, 0.1 * 15)
    assert dynamical_exponent(1, 0.1 * 15) == pytest.approx(2)


def test_the_limiting_dimension_of_the_dipoles():
    assert region_at(3, 3, 3) == Region.IIb
    assert region_at(2, 2, 2) == region_at(1, 1, 1) == Region.CRITICAL_ALPHA_D


def test_broadcasting_and_nonsense():
    assert region(np.array([[2], [3]]), 3.5, [2.5, 3, 3.2]).shape == (2, 3)
    assert region(2, np.nan, 3) == Region.OUT_OF_DOMAIN
    assert region(2, 1e308, 3) in list(Region)


@given(dimensions, ranges, ranges)
def test_finite_kappa_implies_infrared_convergence(d, alpha, beta):
    if region_at(d, alpha, beta) not in (Region.IIb, Region.IIc, Region.III):
        return
    if not superdiffusive(d, float(beta)):
        assert infrared_convergent(d, float(alpha), float(beta))
        assert infrared_convergent_pseudo2(d, float(beta))


def test_infrared_divergence_is_confined_to_one_dimension():
    alpha = np.linspace(1.001, 1.3, 300)
    assert (infrared_convergent(1, alpha, alpha) == (alpha > 12 / 11)).all()
    assert not infrared_convergent_pseudo2(1, 1.05)  # printed (63) says otherwise
    assert 11 * 1.05 > 8 + 2
