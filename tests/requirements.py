"""What pyproject.toml asks for, and all that this needs in turn, as it is installed here."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def canonical(name):
    """Return the name of a distribution as all its spellings are compared."""
    return re.sub("[-_.]+", "-", name).lower()


def pins(path):
    """Return the versions in a file of constraints, by name."""
    lines = (line.split("==") for line in path.read_text().splitlines())
    return {canonical(name): version for name, version in lines}


def with_all_they_need(requirements):
    """Return the installed versions of distributions, and of all that they ask for in turn."""
    found, seen = {}, set()
    left = [Requirement(text) for text in requirements]
    while left:
        asked = left.pop()
        name = canonical(asked.name)
        if (name, *sorted(asked.extras)) in seen:
            continue
        seen.add((name, *sorted(asked.extras)))
        try:
            there = distribution(name)
        except PackageNotFoundError:  # for another platform, or of an extra that is not installed
            continue
        found[name] = there.version
        left += [r for r in map(Requirement, there.requires or ()) if _is_asked(r, asked.extras)]
    return found


def _is_asked(requirement, extras):
    marker = requirement.marker
    return not marker or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))
