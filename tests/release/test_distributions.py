"""The wheel holds the package and nothing else; the sdist what the wheel is built from."""

import configparser
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.release.conftest import build_wheel
from tests.requirements import PROJECT, ROOT, canonical

LARGEST = 2**20  # bytes of a distribution; pictures of the documentation alone are more


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def files_in(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)) for path in paths if "__pycache__" not in path.parts}


def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheel, unpacked):
    assert files_in(unpacked / "delocal") == files_in(ROOT / "delocal")
    [about] = (path.name for path in unpacked.iterdir() if path.name != "delocal")
    assert about == f"delocal-{PROJECT['version']}.dist-info"
    assert Path(wheel).stat().st_size < LARGEST


@pytest.mark.parametrize(
    "needed",
    [
        "py.typed",
        "api/web/index.html",
        "api/web/app.js",
        "service/migrations/env.py",
        "service/migrations/versions/0001_sweeps_blocks_failures_events_costs.py",
    ],
)
def test_the_wheel_has_what_is_no_import(unpacked, needed):
    assert (unpacked / "delocal" / needed).is_file()


def test_the_wheel_says_what_it_needs_and_has_the_command(unpacked):
    [about] = unpacked.glob("*.dist-info")
    metadata = message_from_bytes((about / "METADATA").read_bytes())
    assert metadata["Version"] == PROJECT["version"]
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    extras = set(map(canonical, PROJECT["optional-dependencies"]))
    assert set(metadata.get_all("Provides-Extra")) == extras
    assert (about / "licenses" / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    commands = configparser.ConfigParser()
    commands.read(about / "entry_points.txt")
    assert dict(commands["console_scripts"]) == PROJECT["scripts"]


def test_the_sdist_builds_the_same_wheel(sdist, wheel, tmp_path):
    assert Path(build_wheel(sdist, tmp_path)).read_bytes() == Path(wheel).read_bytes()


def test_the_sdist_holds_what_a_wheel_is_built_from_and_its_reader_reads(sdist):
    assert {path.name for path in sdist.iterdir()} == {
        ".gitignore",  # hatchling's: what it may leave out
        "CHANGELOG.md",
        "CITATION.cff",
        "LICENSE",
        "PKG-INFO",
        "README.md",
        "constraints-lowest.txt",
        "constraints.txt",
        "delocal",
        "pyproject.toml",
    }
    assert files_in(sdist / "delocal") == files_in(ROOT / "delocal")
