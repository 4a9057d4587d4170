"""Every example that `--help` shows is typed, and does what it says."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import typer
import yaml

import delocal
from delocal.api import cli
from delocal.api.cli import cluster
from delocal.api.client import Client
from delocal.api.serving import serving
from delocal.service.errors import Conflict
from delocal.service.logs import quiet_logs
from delocal.service.settings import ClusterSettings, Settings
from tests.api.cli_world import COLDER, DIPOLES, numbers, run, slow
from tests.processes import free_port, sessions
from tests.waiting import PATIENCE

ELSEWHERE = {"delocal demo -o elsewhere": "tests/system/test_demo.py"}
BECOME = ("scheduler", "worker")  # Dask, which tests/system/test_three_hosts.py runs
NO_JSON = {"serve", "demo", *BECOME}


def commands(group=None):
    """Yield every command with its words; `keys create` is one."""
    for name, command in (group or typer.main.get_command(cli.app)).commands.items():
        if hasattr(command, "commands"):
            yield from ((f"{name} {below}", c) for below, c in commands(command))
        else:
            yield name, command


COMMANDS = list(commands())


def examples():
    for name, command in COMMANDS:
        for line in command.epilog.splitlines()[1:]:
            yield name, line.replace("\\[", "[")


TYPED = [
    line
    for name, line in examples()
    if line not in ELSEWHERE and name not in BECOME and name != "serve"
]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with files, a service whose data lie in it, and a key of it."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "dipoles.yaml").write_text(yaml.safe_dump(DIPOLES, sort_keys=False))
    (folder / "colder.yaml").write_text(yaml.safe_dump(COLDER))
    delocal.run(DIPOLES, folder / "dipoles")
    settings = Settings(data=folder / "results", cluster=ClusterSettings(kind="none"))
    with serving(settings) as (url, service), Client(url) as client:
        yield folder, url, client, service


@pytest.fixture
def at_work(world, monkeypatch, tmp_path):
    """A copy of the files in a folder of its own, where the lines are typed."""
    folder, url, client, service = world
    monkeypatch.setenv("DELOCAL_URL", url)
    for file in folder.iterdir():
        os.symlink(file, tmp_path / file.name)
    monkeypatch.chdir(tmp_path)
    quiet_logs()  # of the service in this process, whose lines would stand among those of commands
    return url, client, service


def sweep_for(name, client):
    """Return the id of a sweep of its own to which a command may be done."""
    if name in ("cancel", "retry"):
        sweep = client.submit(slow())
        return (sweep.cancel() if name == "retry" else sweep).id
    sweep = client.submit({**DIPOLES, "seed": next(numbers)}).wait()
    return (sweep.delete() if name == "restore" else sweep).id


@pytest.mark.parametrize("line", TYPED)
def test_an_example_does_what_it_says(line, at_work):
    url, client, service = at_work
    name = line.split()[1]
    if "ID" in line.split():
        line = line.replace("ID", sweep_for(name, client))
    if "KEY" in line.split():
        line = line.replace("KEY", service.keys.create("laptop")[0].id)
    told = run(line.replace("http://127.0.0.1:8000", url))
    if "--json" in line:
        json.loads(told)
    for option in ("-o", "--out"):
        if f" {option} " in line:
            assert any(Path().glob(f"{line.partition(f' {option} ')[2].split()[0]}*"))
    for sweep in client.sweeps():  # the slow ones
        if sweep["state"] in ("queued", "running"):
            with suppress(Conflict):  # it has ended meanwhile
                client.sweep(sweep["id"]).cancel()


@pytest.mark.parametrize("line", [line for name, line in examples() if name == "serve"])
def test_a_service_starts_as_the_example_says(line, tmp_path):
    port = free_port()
    words = [*line.split()[1:], "--port", str(port)]
    command = [sys.executable, "-m", "delocal", *words]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    with sessions(tmp_path) as start:
        service = start(command, {**environment, "DELOCAL_DATA": str(tmp_path / "data")})
        with Client(f"http://127.0.0.1:{port}", patience=PATIENCE) as client:
            assert client.get("/readyz")
        service.send_signal(signal.SIGTERM)
        assert service.wait(timeout=PATIENCE) == 128 + signal.SIGTERM


@pytest.mark.parametrize("line", [line for name, line in examples() if name in BECOME])
def test_scheduler_and_workers_become_those_of_dask(line, monkeypatch, certificates, tmp_path):
    became = []
    os.symlink(certificates, tmp_path / "tls")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cluster.os, "execvpe", lambda *a: became.append(a))
    run(line)
    [(_, command, _)] = became
    options = [word for word in command if word.startswith("--")]
    shown = subprocess.run([*command[:3], "--help"], capture_output=True, text=True, check=True)
    for option in options:
        assert option.partition("=")[0] in shown.stdout


def test_an_example_that_is_typed_elsewhere_is_typed_there():
    for line, file in ELSEWHERE.items():
        assert line in [shown for _, shown in examples()]
        assert line in (Path(__file__).parents[2] / file).read_text()


@pytest.mark.parametrize(("name", "command"), COMMANDS)
def test_every_command_has_examples_and_help_for_each_word(name, command):
    lines = [line for shown, line in examples() if shown == name]
    assert lines
    assert all(line.startswith(f"delocal {name}") for line in lines)
    for parameter in command.params:
        assert parameter.name in ("port", "name", "help") or parameter.help, parameter.name


@pytest.mark.parametrize(("name", "command"), COMMANDS)
def test_every_command_that_ends_speaks_json(name, command):
    options = {option for parameter in command.params for option in parameter.opts}
    assert ("--json" in options) == (name not in NO_JSON)


def test_help_shows_the_examples():
    assert "delocal submit dipoles.yaml --dry-run" in run("delocal submit --help")
