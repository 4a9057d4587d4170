"""A small model of every feature a model may have, logging as it was, and time for slow tests."""

import logging
import uuid

import numpy as np
import pytest
import structlog
import xarray as xr
from hypothesis import HealthCheck, settings

from delocal.physics.model import STATUS, Model, Option, Parameter, Status, Variable
from delocal.workers.clusters.certificates import make_certificates
from tests import s3_server, waiting
from tests.postgresql import PostgreSQL

# The same examples each time, however slow they are: what fails here fails everywhere. Others are
# drawn with `pytest --hypothesis-profile=random`.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", patient, derandomize=True)
settings.register_profile("random", patient, derandomize=False)
settings.load_profile("same")

NAMESPACES = (
    "delocal.workers.plan",
    "delocal.workers.dataset",
    "delocal.service.request",
    "delocal.service.evaluation",
)
LONG = 1800
"""Seconds that a slow test has, on a machine that is slow and shared."""


def pytest_collection_modifyitems(items):
    """Give long statistics more time than other tests have."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LONG))


def oscillator(parameters, options):
    """Levels of an oscillator; beyond x = 5 it does not exist."""
    x, n, scale = (np.asarray(parameters[name], dtype=float) for name in ("x", "n", "scale"))
    half = 0.5 if options["zero_point"] == "yes" else 0.0
    inside = x <= 5
    results = {
        "status": np.where(inside, Status.DONE, Status.OUTSIDE_DOMAIN),
        "energy": np.where(inside, scale * (n + half) * np.exp(-x), np.nan),
        "slopes": np.stack(np.broadcast_arrays(scale, n + half), axis=-1),
        "parity": n % 2,
        "spacing": scale,
    }
    if "size" in parameters:
        results["filling"] = parameters["size"] * x
    return results


@pytest.fixture
def toy():
    """Extra dimensions, flags, options, an optional parameter, variables of few parameters."""
    return Model(
        name="toy",
        version="1",
        kind="closed-form",
        title="An oscillator",
        reference="No paper (2000)",
        parameters=(
            Parameter("x", "place", "length", minimum=0, maximum=10),
            Parameter("n", "level", "1", minimum=1, maximum=9, integer=True),
            Parameter("scale", "frequency", "energy", minimum=0, open_bounds=True, default=2.0),
            Parameter("size", "size", "length", minimum=0, open_bounds=True, optional=True),
        ),
        variables=(
            STATUS,
            Variable("energy", "energy of the level", "energy", "No paper (2000), Eq. (1)"),
            Variable("slopes", "slopes", "1", depends=("n", "scale"), dims=("wrt",)),
            Variable("parity", "parity", depends=("n",), dtype="int8", flags={"even": 0, "odd": 1}),
            Variable("spacing", "distance of levels", "energy", depends=("scale",)),
            Variable("filling", "filling", needs="size"),
        ),
        evaluate=oscillator,
        options=(Option("zero_point", ("yes", "no"), "whether half a quantum is added"),),
        coordinates={"wrt": ("n", "scale")},
    )


@pytest.fixture
def install(monkeypatch):
    """Return a function that makes its arguments the only models there are."""

    def put(*models):
        known = {model.name: model for model in models}
        for namespace in NAMESPACES:
            monkeypatch.setattr(f"{namespace}.load_models", lambda: known)

    return put


@pytest.fixture
def contents():
    """Return a function that reads a model of a store: all that two equal sweeps share."""

    def read(store, model):
        ds = xr.open_zarr(store.zarr_path / model, chunks=None)
        return {
            str(name): (array.dims, str(array.dtype), array.values.tobytes(), array.attrs)
            for name, array in ds.drop_vars("wrt").variables.items()
        }

    return read


@pytest.fixture
def eventually():
    """Return a function that waits until a condition holds."""
    return waiting.eventually


@pytest.fixture(scope="session")
def postgresql():
    """The URL of a PostgreSQL server, which ends with the tests."""
    server = PostgreSQL()
    yield server.url
    server.remove()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """A folder with certificates for each role."""
    folder = tmp_path_factory.mktemp("tls")
    make_certificates(folder)
    return folder


@pytest.fixture(scope="session")
def s3():
    """A bucket of an S3 server on the loopback, its address and keys in the environment."""
    with s3_server.serving() as (endpoint, bucket), pytest.MonkeyPatch.context() as patch:
        for name, value in s3_server.environment(endpoint).items():
            patch.setenv(name, value)
        yield f"s3://{bucket}"


@pytest.fixture
def prefix(s3):
    """A new, empty prefix of the bucket."""
    return f"{s3}/{uuid.uuid4().hex[:8]}"


@pytest.fixture(params=["folder", "bucket"])
def place(request, tmp_path):
    """Where sweeps may lie: a folder, and a prefix of a bucket."""
    if request.param == "folder":
        return str(tmp_path / "place")
    return request.getfixturevalue("prefix")


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory):
    """Keep what clients keep away from the cache of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def logging_as_before():
    """Put logging back: a command of a service configures it for the whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    if structlog.is_configured() or root.handlers != handlers:
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
        root.handlers[:], root.level = handlers, level
