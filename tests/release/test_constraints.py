"""Files of constraints name every package, at versions that get along, and nobody's machine."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

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
    lowest = pins(ROOT / "constraints-lowest.txt").get(canonical(asked.name))
    advice = "`make constraints` writes the file; if it cannot have this bound, raise the bound"
    assert lowest is not None, advice
    assert Version(lowest) == Version(bound.version), advice


@pytest.mark.slow
def test_making_the_constraints_again_changes_nothing(tmp_path):
    for name in ("Makefile", "pyproject.toml", *FILES):
        shutil.copy(ROOT / name, tmp_path)
    here = f"BIN={Path(sys.executable).parent}"
    subprocess.run(
        ["make", "-o", ".venv/.ready-dev", here, "constraints"], cwd=tmp_path, check=True
    )
    for name in FILES:
        assert (tmp_path / name).read_text() == (ROOT / name).read_text()
