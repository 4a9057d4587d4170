"""The extra `client` is enough for `delocal.connect`: no server, no database, no Dask."""

import subprocess
import sys

import pytest

from delocal.api.serving import serving
from delocal.service.settings import ClusterSettings, Settings
from tests.requirements import PROJECT, with_all_they_need
from tests.waiting import PATIENCE

SESSION = '''
import sys
from importlib.metadata import packages_distributions

allowed = set(sys.argv[2].split())
home = {name: {d.lower().replace("_", "-") for d in found}
        for name, found in packages_distributions().items()}

class Hiding:
    """Finds what another finder finds, but for packages that are not in the extra."""

    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in home and top != "delocal" and not home[top] & allowed:
            return None
        return self.finder.find_spec(name, path, target)

sys.meta_path = [Hiding(finder) for finder in sys.meta_path]
import delocal

with delocal.connect(sys.argv[1]) as client:
    sweep = client.submit({"models": ["scaling"], "axes": {"T": [1e-3, 1e-2]},
                           "fixed": {"d": 2, "alpha": 3, "beta": 3, "W": 1}}).wait()
    print(float(sweep.open()["scaling"].kappa_sd.sel(T=1e-3)))
for absent in ("fastapi", "sqlalchemy", "dask", "distributed", "alembic", "plotly"):
    assert absent not in sys.modules, absent
'''


def test_a_client_connects_submits_and_opens_without_the_service(tmp_path):
    extra = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["client"]]
    allowed = with_all_they_need(extra)
    assert not {"fastapi", "sqlalchemy", "dask", "distributed"} & allowed.keys()
    with serving(Settings(data=tmp_path, cluster=ClusterSettings(kind="none"))) as (url, _):
        ran = subprocess.run(
            [sys.executable, "-c", SESSION, url, " ".join(allowed)],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    assert ran.returncode == 0, ran.stderr
    assert float(ran.stdout) == pytest.approx(1.6e-16)


def test_the_service_has_what_its_answers_are_made_with():
    extras = PROJECT["optional-dependencies"]
    assert "delocal[service,client,export]" in extras["api"]
    assert any(name.startswith("h5netcdf") for name in extras["export"])
    assert any(name.startswith("pyarrow") for name in extras["export"])
