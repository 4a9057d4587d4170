"""The table of universal numbers: what its words promise holds of what is published."""

import json
import re
from pathlib import Path

import pytest

from delocal.physics.counting import pseudospin_density
from delocal.physics.disorder import Ensemble
from delocal.physics.models import load_models
from delocal.service.universal_numbers import SHARE_AT_N2C, Span

PUBLISHED = Path(__file__).parents[2] / "docs" / "gallery" / "transport.json"
ROWS = {row["number"]: row for row in json.loads(PUBLISHED.read_text())}


def value_of(name):
    """Return the value and the error of a row, from such as 4.503(8)."""
    number, digits = re.fullmatch(r"([\d.]+)\((\d+)\)", ROWS[name]["value"]).groups()
    places = len(number.partition(".")[2])
    return float(number), int(digits) / 10**places


def test_a_span_says_how_far_it_reaches():
    span = Span.of([44.3, 1266.0, 59.7])
    assert str(span) == "44.3 to 1270"
    assert Span(44.3, 62.9).around(59.7) == "(+3.2/-15)"


def test_hops_alone_begin_where_the_optimal_network_has_its_critical_density():
    """Half of the resonant pairs between R0 and 2 R0 are antiparallel: pseudo-spins that turn."""
    for W in (144.0, 1e6):
        hot, R0 = Ensemble(d=3, alpha=3, beta=3, T=W / 2, W=W), W ** (1 / 3) / SHARE_AT_N2C
        critical, error = value_of("N2c(3)")
        assert abs(float(pseudospin_density(hot, R0)) * R0**3 / 2 - critical) < error


def test_what_is_published_is_within_its_bars():
    for name, low, high in (
        ("C(2, 6), box kernel", 4.45, 4.6),
        ("C(3, 6), box kernel", 7.2, 7.45),
        ("F(3, 3, 3)", 10.2, 11.8),
        ("N2c(3)", 1.08, 1.25),
    ):
        value, error = value_of(name)
        assert low < value < high
        assert error < 0.02 * value
    factor, _ = value_of("kappa_sd over (77), (3, 3, 3)")
    F, _ = value_of("F(3, 3, 3)")
    assert factor / F == pytest.approx(5.222, rel=0.01)


def test_spectral_diffusion_has_a_systematic_error_and_in_two_dimensions_no_value():
    low, high = map(float, ROWS["kappa_sd over (77), (3, 3, 3)"]["systematic"].split()[:3:2])
    assert 40 < low < 48
    assert 58 < high < 66
    plane = ROWS["kappa_sd over (77), (2, 3, 3)"]
    assert plane["value"] == "none"
    assert "convention" in plane["systematic"]
    assert all("convention" in ROWS[f"F(2, 3, 3; c = {c:g})"]["systematic"] for c in (1.5, 2, 5))


def test_every_number_measured_names_its_model_and_version():
    known = {f"{model.name} {model.version}" for model in load_models().values()}
    for row in ROWS.values():
        assert row["model, version"] in known or row["systematic"] == "not measured"
