"""Files of constraints name every package, at versions that get along, and nobody's machine."""

import re
import subprocess
import sys

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.requirements import PROJECT, ROOT, canonical, pins, with_all_they_need

FILES = ["constraints.txt", "constraints-lowest.txt"]
EXTRAS = PROJECT["optional-dependencies"]


@pytest.mark.parametrize("name", FILES)
def test_each_line_is_a_package_and_its_version(name):
    lines = (ROOT / name).read_text().splitlines()
    assert [
        line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][\w.+!]*", line)
    ] == []
    assert lines == sorted(lines, key=lambda line: canonical(line.partition("==")[0]))


def test_what_is_installed_here_is_what_the_constraints_say():
    found = with_all_they_need(["delocal[all,dev,docs]"])
    del found["delocal"]
    pinned = pins(ROOT / "constraints.txt")
    assert found == {name: pinned.get(name) for name in found}
    assert {"numpy", "dask", "fastapi", "mypy"} <= found.keys()


def test_packages_installed_here_get_along():
    checked = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def lower_bounds():
    used = [
        *PROJECT["dependencies"],
        *(r for extra in EXTRAS.keys() - {"docs"} for r in EXTRAS[extra]),
    ]
    asked = {Requirement(text) for text in used if not text.startswith("delocal[")}
    return sorted(asked, key=str)


@pytest.mark.parametrize("asked", lower_bounds(), ids=lambda asked: asked.name)
def test_the_lowest_set_has_the_lower_bound_itself(asked):
    [bound] = asked.specifier
    assert bound.operator == ">="
    assert Version(pins(ROOT / "constraints-lowest.txt")[canonical(asked.name)]) == Version(
        bound.version
    )
