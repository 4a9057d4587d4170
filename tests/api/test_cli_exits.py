"""What a command says when it ends: exit codes, messages, completion."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

from delocal.api import cli
from delocal.api.cli import complete
from delocal.api.cli.main import LATER, MISTAKE, NO
from delocal.api.client import Client
from delocal.api.serving import serving
from delocal.service.errors import NoRoom
from delocal.service.keys import AccessSettings
from delocal.service.settings import ClusterSettings, Settings
from delocal.service.states import SweepState
from tests.api.cli_world import DIPOLES, slow
from tests.waiting import PATIENCE

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    settings = Settings(data=tmp_path_factory.mktemp("data"), cluster=ClusterSettings(kind="none"))
    with serving(settings) as (url, service), Client(url) as client:
        yield url, client, service


@pytest.fixture
def running(served):
    sweep = served[1].submit(slow())
    yield sweep
    if sweep.status()["state"] in ("queued", "running"):
        sweep.cancel()


@pytest.fixture
def exits(monkeypatch, capsys):
    """Return a function that types a line and returns its exit code and what it says to stderr."""

    def type_(*words):
        monkeypatch.setattr("sys.argv", ["delocal", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code, " ".join(capsys.readouterr().err.split())

    return type_


def test_what_is_done_is_0(exits):
    assert exits("models") == (0, "")


def test_a_sweep_that_is_not_done_is_1(exits, served, running):
    running.cancel()
    assert exits("watch", running.id, "--url", served[0])[0] == NO == 1


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (["nothing"], "No such command 'nothing'"),
        (["models", "--nothing"], "No such option: --nothing"),
        (["models", "scalin"], "did you mean 'scaling'"),
        (["run", "nowhere.yaml", "-o", "x"], "does not exist"),
        (["show", "0123456789abcdef"], "GET /v1/sweeps lists those there are"),
        (["cells", "ID", "--status", "don"], "did you mean 'done'"),
        (["cells", "ID", "--variables", "kapa_sd"], "did you mean 'kappa_sd'"),
        (["cells", "ID", "--model", "scalin"], "did you mean 'scaling'"),
        (["fetch", "ID", "-o", "x.hdf"], "choose one of .zarr, .zip, .nc"),
        (["cancel", "ID"], "only a queued or running one can end"),
        (["config", "--data"], "requires an argument"),
        (["ls", "--where", "T"], "write NAME=VALUE"),
        (["fit", "ID", "kapa_sd", "--over", "T"], "did you mean 'kappa_sd'"),
        (["plot", "ID", "kapa"], "Known: "),
        (["plot", "ID", "kappa", "-o", "x.gif", "--sel", "alpha=3"], ".html, .png, .svg, .pdf"),
        (["fit", "./nowhere", "kappa_sd", "--over", "T"], "holds no sweep"),
        (["eval", "scaling", "alhpa=3"], "did you mean 'alpha'"),
        (["eval", "network", "d=2"], "is a Monte Carlo model"),
    ],
)
def test_a_mistake_is_2_and_says_what_to_do(exits, served, monkeypatch, words, advice):
    url, client, _ = served
    monkeypatch.setenv("DELOCAL_URL", url)
    sweep = client.submit(DIPOLES).wait().id
    code, said = exits(*(sweep if word == "ID" else word for word in words))
    assert (code, advice in re.sub("[│╭╮╰╯─ ]+", " ", said)) == (MISTAKE, True), said
    assert MISTAKE == 2


def test_a_key_that_is_missing_is_2(exits, tmp_path):
    access = AccessSettings(keys="always")
    settings = Settings(data=tmp_path, cluster=ClusterSettings(kind="none"), access=access)
    with serving(settings) as (url, _):
        code, said = exits("ls", "--url", url)
    assert (code, "delocal keys create" in said) == (MISTAKE, True)


def test_what_may_work_later_is_3(exits, served, running, monkeypatch, tmp_path):
    code, said = exits("ls", "--url", NOBODY)
    assert (code, "start one with `delocal serve`" in said) == (LATER, True)
    code, said = exits("fetch", running.id, "-o", tmp_path / "x", "--url", served[0])
    assert (code, "wait for it" in said) == (LATER, True)

    def full(*_, **__):
        raise NoRoom("the disk is full; make room")

    monkeypatch.setattr(Client, "submit", full)
    (tmp_path / "dipoles.yaml").write_text(yaml.safe_dump(DIPOLES))
    code, said = exits("submit", tmp_path / "dipoles.yaml", "--url", served[0])
    assert (code, "make room" in said) == (LATER, True)
    assert LATER == 3


def test_ctrl_c_is_130_and_leaves_the_sweep_alone(served, running, monkeypatch):
    url = served[0]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-m", "delocal", "watch", running.id, "--url", url]
    looked = threading.Event()
    status = served[2].sweeps.get
    monkeypatch.setattr(served[2].sweeps, "get", lambda i: (looked.set(), status(i))[1])
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as watching:
        assert looked.wait(PATIENCE)
        looked.clear()
        assert looked.wait(PATIENCE)  # it has its first answer, and asks again and again
        watching.send_signal(signal.SIGINT)
        assert "Traceback" not in watching.stderr.read()
    assert watching.returncode == 130
    assert not SweepState(running.status()["state"]).ended


def test_the_reference_lists_the_codes():
    page = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text()
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    assert listed == {0, NO, MISTAKE, LATER, 130}


def completions(line, **environment):
    asked = {
        "_DELOCAL_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    paths = {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    code = "import sys; sys.argv = ['delocal']; from delocal.api.cli import main; main()"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **paths, **asked, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout.split()


def test_the_shell_completes_commands_and_models():
    assert "submit" in completions("delocal su")
    assert completions("delocal models scal") == ["scaling"]


def test_names_and_sweeps_are_completed(served, monkeypatch):
    assert "gutman-fig3" in [name for name, _ in complete.reproductions("gutman")]
    monkeypatch.setenv("DELOCAL_URL", served[0])
    sweep = served[1].submit({**DIPOLES, "name": "dipoles", "seed": 1}).wait().id
    assert complete.sweeps(sweep[:6]) == [(sweep, "done: dipoles")]
    monkeypatch.setenv("DELOCAL_URL", NOBODY)
    assert complete.sweeps("") == []
    assert "kappa" in [name for name, _ in complete.figures("ka")]
