"""The page docs/coverage.md names functions and tests that exist, and all formulas are on it."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "coverage.md").read_text()
FORMULAS = ("scales", "conductivity", "relaxation")


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"`((?:transport\.)?[a-z_]+\.[A-Za-z0-9_]+)`", PAGE)))
)
def test_what_the_page_names_exists(name):
    module, _, attribute = name.rpartition(".")
    if attribute == "py":
        assert list((ROOT / "tests" / "physics").glob(name)) or list(
            (ROOT / "delocal" / "physics").glob(name)
        )
    else:
        assert hasattr(importlib.import_module(f"delocal.physics.{module}"), attribute)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(test_\w+)`", PAGE))))
def test_what_the_page_calls_a_test_is_one(name):
    assert any(f"def {name}(" in path.read_text() for path in (ROOT / "tests").rglob("*.py"))


@pytest.mark.parametrize("module", FORMULAS)
def test_every_formula_is_on_the_page(module):
    found = importlib.import_module(f"delocal.physics.{module}")
    for name, function in inspect.getmembers(found, inspect.isfunction):
        if function.__module__.endswith(f"physics.{module}") and not name.startswith("_"):
            assert f"`{module}.{name}`" in PAGE
