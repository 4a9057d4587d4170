"""The wheel and the sdist, built from this folder."""

import tarfile

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from tests.requirements import ROOT


def build_wheel(source, folder):
    return next(WheelBuilder(str(source)).build(directory=str(folder), versions=["standard"]))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The path of the wheel."""
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def sdist(tmp_path_factory):
    """The folder of the unpacked sdist."""
    folder = tmp_path_factory.mktemp("sdist")
    built = next(SdistBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"]))
    with tarfile.open(built) as archive:
        archive.extractall(folder, filter="data")
    return folder / built.removesuffix(".tar.gz").rpartition("/")[2]
