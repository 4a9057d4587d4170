"""What is promised of an installed delocal, where no source is: each extra alone, and all of it."""

import json
import re
import shutil
import signal
import sys
import textwrap
import urllib.request
from pathlib import Path

import pytest

from tests.processes import free_port, sessions
from tests.release.conftest import CLEAN, run
from tests.requirements import PROJECT, ROOT
from tests.waiting import PATIENCE, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TOOLS = ("pytest", "pytest-timeout", "hypothesis")
README = (ROOT / "README.md").read_text()
HOMES = {
    "delocal.workers.obstore": "s3",
    "delocal.workers.clusters.certificates": "tls",
    "delocal.workers.clusters.slurm": "slurm",
    "delocal.workers.clusters.kubernetes": "kubernetes",
    "delocal.workers.clusters.gateway": "gateway",
    "delocal.api.oidc": "oidc",
}
"""Modules that are in no layer's extra but in one of their own."""

LAYERS = {
    "workers": ["physics", "workers"],
    "service": ["physics", "workers", "service"],
    "api": ["physics", "workers", "service", "api"],
}
IMPORT_LAYERS = f"""
import importlib, pkgutil, sys
import delocal

assert "site-packages" in delocal.__file__, delocal.__file__
for layer in sys.argv[1:]:
    package = importlib.import_module(f"delocal.{{layer}}")
    for found in pkgutil.walk_packages(package.__path__, f"{{package.__name__}}."):
        if found.name not in {sorted(HOMES)} and ".migrations." not in found.name:
            importlib.import_module(found.name)
"""
PROMISES = {
    "export": """
import delocal
ds = delocal.evaluate("scaling", T=[1e-3, 1e-2], d=2, alpha=3, beta=3, W=1)
ds.to_netcdf("scaling.nc", engine="h5netcdf")
ds.delocal.to_dataframe().to_parquet("scaling.parquet")
""",
    "client": """
import delocal
try:
    delocal.connect("http://127.0.0.1:1").models()
except ConnectionError:
    pass
else:
    raise AssertionError("nobody is there")
""",
    "notebook": "import delocal, ipywidgets; delocal.connect",
    "postgresql": "import psycopg, delocal; delocal.run",
    "telemetry": """
from fastapi import FastAPI
from delocal.api import tracing
tracing.install(FastAPI())
""",
    "tls": """
from pathlib import Path
from delocal.workers.clusters.certificates import make_certificates
assert make_certificates(Path("tls"))
""",
    **{extra: f"import {module}" for module, extra in HOMES.items() if extra != "tls"},
}


@pytest.fixture(scope="module")
def install(tmp_path_factory):
    """Return a function that makes an environment of a distribution, and says where its bin is."""

    def make(distribution, extra="", tools=()):
        here = tmp_path_factory.mktemp(extra or "base")
        folder = here / "environment"
        asked = f"delocal[{extra}]" if extra else "delocal"
        uv = (sys.executable, "-m", "uv")
        run(*uv, "venv", "--python", sys.executable, folder, cwd=here)
        chosen = ("--python", folder / "bin" / "python", "-c", ROOT / "constraints.txt")
        source = f"{asked} @ {Path(distribution).as_uri()}"
        run(*uv, "pip", "install", *chosen, source, *tools, cwd=here)
        return folder / "bin"

    return make


@pytest.fixture(scope="module")
def base(install, sdist):
    return install(sdist, tools=TOOLS)


@pytest.fixture(scope="module")
def everything(install, wheel):
    return install(wheel, "all", TOOLS)


@pytest.fixture
def tests_alone(tmp_path):
    """A folder with the tests, and nothing of the package."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "tests", tmp_path / "tests", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_base_evaluates_every_model(base, tests_alone):
    names = ["test_models", "test_scaling_model", "test_scales", "test_kirchhoff"]
    files = [f"tests/physics/{name}.py" for name in names]
    run(base / "python", "-m", "pytest", "-q", "--noconftest", *files, cwd=tests_alone)


@pytest.mark.parametrize(
    ("name", "extra"),
    [("run", "service"), ("evaluate", "workers"), ("connect", "client"), ("Sweep", "service")],
)
def test_the_base_says_which_extra_has_the_rest(base, tmp_path, name, extra):
    said = run(base / "python", "-c", f"import delocal; delocal.{name}", cwd=tmp_path, code=1)
    assert re.search(rf"delocal\.{name} needs \w+: pip install 'delocal\[{extra}\]'$", said.strip())


@pytest.mark.parametrize("command", [["delocal"], ["python", "-m", "delocal"]], ids=" ".join)
def test_the_command_says_which_extra_it_is_in(base, tmp_path, command):
    said = run(base / command[0], *command[1:], "models", cwd=tmp_path, code=2)
    advice = r"error: the command line needs \w+: pip install 'delocal\[api\]'\n"
    assert re.fullmatch(advice, said)


@pytest.mark.parametrize("extra", LAYERS)
def test_all_of_a_layer_is_imported_with_its_extra_alone(install, wheel, tmp_path, extra):
    python = install(wheel, extra) / "python"
    run(python, "-c", IMPORT_LAYERS, *LAYERS[extra], cwd=tmp_path)


@pytest.mark.parametrize("extra", PROMISES)
def test_an_extra_alone_does_what_it_is_for(install, wheel, tmp_path, extra):
    run(install(wheel, extra) / "python", "-c", PROMISES[extra], cwd=tmp_path)


def test_every_extra_is_tried():
    assert {*LAYERS, *PROMISES, "all", "dev", "docs"} == PROJECT["optional-dependencies"].keys()


def test_the_lines_of_the_readme_run(everything, tmp_path):
    [(code, printed)] = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", README, re.DOTALL)
    assert run(everything / "python", "-c", code, cwd=tmp_path) == printed


def test_the_request_of_the_readme_is_run_and_served(everything, tmp_path):
    [request] = re.findall(r"`dipoles.yaml`:\n\n```yaml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "dipoles.yaml").write_text(textwrap.dedent(request))
    run(everything / "delocal", "run", "dipoles.yaml", "-o", "dipoles", cwd=tmp_path)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with sessions(tmp_path) as start:
        command = [
            everything / "delocal",
            "serve",
            "--port",
            str(port),
            "--data",
            tmp_path / "data",
        ]
        served = start(command, CLEAN)
        eventually(lambda: answers(f"{url}/healthz"))
        assert b"<script" in urllib.request.urlopen(url, timeout=30).read()
        sent = run(
            everything / "delocal", "submit", "--json", "--url", url, "dipoles.yaml", cwd=tmp_path
        )
        run(everything / "delocal", "watch", "--url", url, json.loads(sent)["id"], cwd=tmp_path)
        served.send_signal(signal.SIGTERM)
        assert served.wait(PATIENCE) == 128 + signal.SIGTERM


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def test_tests_hold_for_what_is_installed(everything, tests_alone):
    names = ["workers/test_store", "workers/test_dataset", "service/test_request", "api/test_rest"]
    files = [f"tests/{name}.py" for name in names]
    run(everything / "python", "-m", "pytest", "-q", *files, cwd=tests_alone)
