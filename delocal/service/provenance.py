"""Where a result comes from: versions of what computed it, and of this code."""

from __future__ import annotations

import json
import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import xarray as xr

RECORDED = ("delocal", "numpy", "scipy", "xarray", "zarr", "dask")


def versions() -> dict[str, str]:
    """Return the version of everything that a number may depend on."""
    return {
        "python": platform.python_version(),
        **{package: version(package) for package in RECORDED},
    }


@cache
def provenance() -> dict[str, str]:
    """Return what goes into the attributes of every dataset; plain texts, as NetCDF needs."""
    return {
        "Conventions": "CF-1.11",
        "source": f"delocal {version('delocal')}",
        "versions": ", ".join(f"{name} {number}" for name, number in versions().items()),
        "git_revision": _git_revision(),
    }


def recorded(ds: xr.Dataset) -> dict[str, Any]:
    """Return what the attributes of a dataset say of where it comes from, as Python objects.

    Keys, where they are recorded: ``model``, ``model_version``, ``options``, ``request``, ``seed``,
    ``source``, ``versions``, ``git_revision``, ``references``.
    """
    attributes = ds.attrs
    plain = ("model", "model_version", "source", "git_revision", "references")
    found: dict[str, Any] = {name: str(attributes[name]) for name in plain if name in attributes}
    found |= {n: json.loads(attributes[n]) for n in ("options", "request") if n in attributes}
    if "seed" in attributes:
        found["seed"] = int(attributes["seed"])
    if "versions" in attributes:
        entries = (entry.split(" ") for entry in str(attributes["versions"]).split(", "))
        found["versions"] = dict(entries)
    return found


def _git_revision() -> str:
    """Return the revision of this code, or an empty text where it is not in a git checkout."""
    here = Path(__file__).resolve().parent
    if not (here.parents[1] / ".git").exists():
        return ""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=here,
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):  # no git: the versions must do
        return ""
    return described.stdout.strip()
