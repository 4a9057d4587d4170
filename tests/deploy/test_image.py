"""The image: what goes into it exists, installs, starts, and is checked."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib

import pytest

from tests.deploy.conftest import ROOT
from tests.processes import free_port, sessions

PATIENCE = 120


def rest_of(dockerfile, name):
    return [rest for found, rest in dockerfile if found == name]


def copied(dockerfile):
    """Return what is copied from here, by where it goes below the working directory."""
    ours = [rest.split() for rest in rest_of(dockerfile, "COPY") if not rest.startswith("--from")]
    return {source: place for *sources, place in ours for source in sources}


def health_check(dockerfile):
    [check] = rest_of(dockerfile, "HEALTHCHECK")
    return json.loads(check.partition("CMD ")[2])


def extras_of(install):
    return set(re.search(r"\.\[(.*?)\]", install)[1].split(","))


def test_the_image_is_made_of_what_exists(dockerfile):
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for source in copied(dockerfile):
        assert (ROOT / source).exists(), source
        assert f"!{source}" in ignored


def test_the_image_has_everything_that_a_setting_may_ask_for(dockerfile):
    [install] = [rest for rest in rest_of(dockerfile, "RUN") if "pip install" in rest]
    assert "-c constraints.txt" in install
    extras = extras_of(install)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    known = project["optional-dependencies"]
    below = {name: re.findall(r"delocal\[(.*?)\]", " ".join(known[name])) for name in known}
    found, new = set(), extras
    while new:
        found |= new
        new = {e for name in new for many in below[name] for e in many.split(",")} - found
    assert found >= known.keys() - {"dev", "docs", "notebook"}


def test_the_image_runs_without_root_and_is_checked(dockerfile, parse_command):
    assert rest_of(dockerfile, "USER") == ["10001:10001"]
    assert dockerfile.index(("USER", "10001:10001")) > max(
        i for i, (name, _) in enumerate(dockerfile) if name == "COPY"
    )
    assert "http://127.0.0.1:8000/healthz" in health_check(dockerfile)[-1]
    assert rest_of(dockerfile, "ENTRYPOINT") == ['["delocal"]']
    [command] = map(json.loads, rest_of(dockerfile, "CMD"))
    assert parse_command(command[1:] if command[0] == "delocal" else command)["port"] == 8000
    assert all(":" in rest.split()[0] for rest in rest_of(dockerfile, "FROM"))


def test_the_image_writes_to_its_volumes_and_to_memory_alone(dockerfile, compose):
    [environment] = rest_of(dockerfile, "ENV")
    places = dict(re.findall(r"(\S+)=(/\S+)", environment))
    assert places["DELOCAL_DATA"] == "/data"
    assert compose["services"]["worker"]["tmpfs"] == ["/tmp", places["NUMBA_CACHE_DIR"]]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_image_installs_from_its_steps_and_serves(dockerfile, tmp_path):
    """What the Dockerfile copies and runs, in a folder and an environment that are new."""
    source, home = tmp_path / "src", tmp_path / "delocal"
    for name, place in copied(dockerfile).items():
        target = source / place / (name if place == "./" else "")
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, target)
    [steps] = [rest for rest in rest_of(dockerfile, "RUN") if "pip install" in rest]
    steps = steps.replace("python -m venv", f"{shlex.quote(sys.executable)} -m venv")
    # An image has no cache to keep; this machine has one that need not be loaded anew.
    steps = steps.replace("/opt/delocal", shlex.quote(str(home))).replace("--no-cache-dir", "")
    subprocess.run(["bash", "-euc", steps], cwd=source, check=True)

    port = str(free_port())
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    data = str(tmp_path / "data")
    path = f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = {**kept, "PATH": path, "DELOCAL_DATA": data, "DELOCAL_CLUSTER__KIND": "none"}

    def in_image(command):
        return subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert version in in_image(["delocal", "--version"]).stdout
    wanted = "import joserfc, opentelemetry.sdk, psycopg, obstore, kubernetes, dask_jobqueue"
    assert in_image(["python", "-c", wanted]).stderr == ""
    [entry], [command] = (
        map(json.loads, rest_of(dockerfile, name)) for name in ("ENTRYPOINT", "CMD")
    )
    words = [{"0.0.0.0": "127.0.0.1", "8000": port}.get(word, word) for word in command]
    check = [word.replace("8000", port) for word in health_check(dockerfile)]
    with sessions(tmp_path) as start:
        service = start([str(home / "bin" / entry[0]), *words], environment)
        assert in_image(check).returncode != 0 or service.poll() is None
        end = time.monotonic() + PATIENCE
        while in_image(check).returncode:
            assert service.poll() is None
            assert time.monotonic() < end, "the health check fails"
            time.sleep(0.2)
