"""Version and citation stand in several files, and all say the same."""

import datetime
import json
import re
import subprocess
from importlib.metadata import version

import pytest
import xarray as xr
import yaml

from delocal.service.citations import bibtex
from tests.requirements import PROJECT, ROOT

VERSION = PROJECT["version"]
[(HEADING, RELEASED)] = re.findall(
    r"\A.*?^## (?:Unreleased \()?([\d.]+)\)?(?: - (\S+))?$",
    (ROOT / "CHANGELOG.md").read_text(),
    re.MULTILINE | re.DOTALL,
)
"""The newest version of the changelog, and the day of its release; empty before it."""

CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("README.md", r"^Version ([\d.]+), "),
        ("deploy/Dockerfile", r"-t delocal:(\S+)"),
        ("deploy/compose.yaml", r"delocal:([\d.]+)\}"),
        ("deploy/.env.example", r"^IMAGE=delocal:(\S+)"),
        ("deploy/kubernetes/workers/kustomization.yaml", r"newTag: (\S+)\}"),
        ("deploy/kubernetes/operator/kustomization.yaml", r"newTag: (\S+)\}"),
        ("deploy/kubernetes/operator/cluster.yaml", r'delocal:([\d.]+)"'),
    ],
)
def test_files_name_this_version(name, pattern):
    found = re.findall(pattern, (ROOT / name).read_text(), re.MULTILINE)
    assert found
    assert set(found) == {VERSION}


def test_package_changelog_and_api_are_of_one_version():
    assert version("delocal") == VERSION, "installed anew after the version was changed?"
    assert HEADING == VERSION
    document = json.loads((ROOT / "docs/reference/openapi.json").read_text())
    assert document["info"]["version"] == VERSION


def test_the_tag_of_a_release_names_its_version():
    asked = ["git", "tag", "--points-at", "HEAD", "--list", "v[0-9]*"]
    # A copy without its repository has no tags.
    tags = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    assert set(tags.split()) <= {f"v{VERSION}"}
    if tags:
        datetime.date.fromisoformat(RELEASED)


def test_the_file_of_citation_has_what_its_format_asks_for():
    assert CITATION["cff-version"] == "1.2.0"
    assert CITATION["type"] == "software"
    assert CITATION["message"].strip()
    assert CITATION["authors"]
    assert all(set(author) == {"name"} for author in CITATION["authors"])
    known = {"abstract", "date-released", "keywords", "license"}
    required = {"cff-version", "message", "title", "type", "version", "authors"}
    assert CITATION.keys() - known == required


def test_the_file_of_citation_agrees_with_the_package():
    assert CITATION["version"] == VERSION
    assert str(CITATION.get("date-released", "")) == RELEASED
    assert CITATION["license"] == PROJECT["license"]
    assert CITATION["keywords"] == PROJECT["keywords"]


def test_results_cite_the_program_as_its_file_says():
    [entry] = bibtex([xr.Dataset()]).strip().split("\n\n")
    fields = dict(re.findall(r"^  (\w+) = \{(.*?)\},?$", entry, re.MULTILINE))
    assert fields == {
        "author": " and ".join(f"{{{author['name']}}}" for author in CITATION["authors"]),
        "title": f"{{{CITATION['title']}}}",
        "note": f"computer program, version {CITATION['version']}",
    }
