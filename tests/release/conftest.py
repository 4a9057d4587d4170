"""The wheel and the sdist, built from this folder, and commands that do not see this folder."""

import os
import subprocess

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from tests.requirements import ROOT

CLEAN = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}


def run(*command, cwd, code=0):
    """Run a command where only what is installed can be imported; return what it printed."""
    ran = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=CLEAN,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert ran.returncode == code, ran.stdout
    return ran.stdout


def build_wheel(source, folder):
    return next(WheelBuilder(str(source)).build(directory=str(folder), versions=["standard"]))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The path of the wheel."""
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def sdist(tmp_path_factory):
    """The path of the sdist."""
    folder = str(tmp_path_factory.mktemp("sdist"))
    return next(SdistBuilder(str(ROOT)).build(directory=folder, versions=["standard"]))
