"""Slurm, by dask-jobqueue's real code: `sbatch` and its kin are scripts that start processes."""

import contextlib
import io
import json
import os
import re
import stat
import sys

import psutil
import pytest

from delocal.api.serving import serving
from delocal.service.settings import Settings
from delocal.workers.clusters.slurm import arguments, lifetimes, wall_seconds
from delocal.workers.clusters.spec import ClusterSpec
from delocal.workers.dask import DaskExecutor
from tests.api.cli_world import run
from tests.system.test_docs import DOCS, HERE, blocks, scripts

SBATCH = """#!{python}
import itertools, os, pathlib, subprocess, sys
jobs = pathlib.Path({jobs!r})
for number in itertools.count(1):
    try:
        script = open(jobs / f"{{number}}.sh", "x")
        break
    except FileExistsError:  # several are submitted at once
        continue
with script:
    script.write(pathlib.Path(sys.argv[1]).read_text())
with open(jobs / f"{{number}}.log", "wb") as log:
    command = ["bash", script.name]
    job = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
started = jobs / f"{{number}}.started"
started.write_text(str(job.pid))
started.rename(jobs / f"{{number}}.pid")
print("Submitted batch job", number)
"""
SCANCEL = """#!{python}
import os, pathlib, signal, sys
jobs = pathlib.Path({jobs!r})
(jobs / f"{{sys.argv[1]}}.cancelled").touch()
try:
    os.killpg(int((jobs / f"{{sys.argv[1]}}.pid").read_text()), signal.SIGTERM)
except ProcessLookupError:
    sys.exit("scancel: error: Invalid job id specified")
"""
SQUEUE = """#!{python}
import pathlib, sys
jobs = pathlib.Path({jobs!r})
asked = sys.argv[sys.argv.index("--jobs") + 1].split(",")
for job in asked:
    pid = (jobs / f"{{job}}.pid").read_text()
    try:
        state = pathlib.Path(f"/proc/{{pid}}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        continue
    if state != "Z":
        print(job)
"""


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    """Put the scripts on the PATH; return the folder where jobs leave their traces."""
    folder, bin_ = tmp_path / "jobs", tmp_path / "bin"
    folder.mkdir()
    bin_.mkdir()
    for name, script in (("sbatch", SBATCH), ("scancel", SCANCEL), ("squeue", SQUEUE)):
        file = bin_ / name
        file.write_text(script.format(python=sys.executable, jobs=str(folder)))
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{bin_}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(p for p in sys.path if p))
    return folder


def running(jobs):
    found = []
    for file in jobs.glob("*.pid"):
        leader = int(file.read_text())
        for process in psutil.process_iter(["status"]):
            try:
                if os.getpgid(process.pid) == leader and process.status() != "zombie":
                    found.append(process.pid)
            except (ProcessLookupError, psutil.NoSuchProcess):
                continue
    return found


@pytest.fixture
def spec(certificates):
    options = {"scheduler_options": {"host": "127.0.0.1"}, "queue": "short", "account": "phys"}
    return ClusterSpec(
        kind="slurm", maximum=2, options=options, tls=certificates / "service", idle_seconds=2
    )


@pytest.mark.usefixtures("nothing_left")
def test_a_sweep_on_jobs_which_are_gone_at_the_end(jobs, spec, sweep, eventually):
    executor = DaskExecutor(spec)
    try:
        assert list(jobs.glob("*.sh")) == []  # none before there is work
        assert executor.description.startswith("Dask at tls://127.0.0.1:")
        sweep(executor)
        script = (jobs / "1.sh").read_text()
        for line in (
            "#SBATCH -p short",
            "#SBATCH -A phys",
            "#SBATCH --cpus-per-task=1",
            "#SBATCH -t 01:00:00",
            "export OMP_NUM_THREADS=1",
            "export DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION=True",
        ):
            assert line in script
        command = script.splitlines()[-1]
        for words in (
            "--nthreads 1",
            "--nanny",
            "--death-timeout 60",
            "--lifetime 3240s --lifetime-stagger 144s",
            f"--tls-ca-file {spec.tls / 'ca.crt'}",
        ):
            assert words in command
        eventually(lambda: "not running" in executor.description)
        eventually(lambda: not running(jobs))
    finally:
        executor.close()
    eventually(lambda: not running(jobs))
    assert {f.stem for f in jobs.glob("*.cancelled")} == {f.stem for f in jobs.glob("*.sh")}


@pytest.mark.usefixtures("nothing_left")
def test_a_job_that_ended_is_submitted_again(jobs, spec, eventually, sweep, monkeypatch):
    monkeypatch.setattr("delocal.workers.clusters.scaling.REPEAT_SECONDS", 1.0)
    options = {**spec.options, "cores": 2, "log_directory": str(jobs)}
    fixed = ClusterSpec(kind="slurm", workers=2, options=options, tls=spec.tls)
    executor = DaskExecutor(fixed)
    try:
        eventually(lambda: len(executor._client.nthreads()) == 2)
        assert "#SBATCH --cpus-per-task=2" in (jobs / "1.sh").read_text()
        assert "--nworkers 2" in (jobs / "1.sh").read_text()
        os.killpg(int((jobs / "1.pid").read_text()), 9)
        eventually((jobs / "2.sh").exists)
        eventually(lambda: len(executor._client.nthreads()) == 2)
        sweep(executor)
    finally:
        executor.close()
    eventually(lambda: not running(jobs))


def test_options_that_are_not_theirs_to_set(spec):
    from delocal.workers.clusters.slurm import start

    wrong = ClusterSpec(kind="slurm", maximum=1, options={"processes": 4})
    with pytest.raises(ValueError, match="'processes' cannot be set; there is one process"):
        start(wrong, 0)


def test_plain_tcp_beyond_this_machine_is_refused_before_anything_starts():
    with pytest.raises(ValueError, match=r"not encrypted.*cluster\.insecure"):
        arguments(ClusterSpec(kind="slurm", maximum=1))
    arguments(ClusterSpec(kind="slurm", maximum=1, insecure=True))
    arguments(
        ClusterSpec(kind="slurm", maximum=1, options={"scheduler_options": {"host": "127.0.0.1"}})
    )


@pytest.mark.parametrize("wall", [60, 600, 3600, 24 * 3600])
def test_workers_end_before_their_wall_time(wall):
    lifetime, stagger = lifetimes(wall)
    assert 0 < lifetime - stagger < lifetime + stagger < wall
    assert wall - (lifetime + stagger) >= min(30, wall // 4)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5", 300), ("5:30", 330), ("1:00:00", 3600), ("2-3", 183600), ("1-1:1:1", 90061)],
)
def test_wall_times_of_slurm(text, seconds):
    assert wall_seconds(text) == seconds


def test_a_wall_time_that_is_none():
    with pytest.raises(ValueError, match="try HH:MM:SS"):
        wall_seconds("an hour")


@pytest.mark.usefixtures("nothing_left")
def test_the_tutorial_runs_on_jobs(jobs, tmp_path, monkeypatch, eventually):
    page = DOCS / "tutorials" / "run-on-slurm.md"
    monkeypatch.chdir(tmp_path)
    shell = "".join(blocks(page, "bash"))
    for name, value in re.findall(r"^export (\w+)=(.*)$", shell, re.MULTILINE):
        monkeypatch.setenv(name, value.strip("'"))
    options = json.loads(os.environ["DELOCAL_CLUSTER__OPTIONS"])
    here = {"scheduler_options": {"host": "127.0.0.1"}}  # this test has no network of nodes
    monkeypatch.setenv("DELOCAL_CLUSTER__OPTIONS", json.dumps({**options, **here}))
    run("delocal tls make --out tls")
    namespace = {}
    with serving(Settings(data=tmp_path / "shared")) as (url, _):
        for language, code, printed in scripts(page):
            output = io.StringIO()
            if language == "python":
                with contextlib.redirect_stdout(output):
                    exec(code.replace(HERE, url), namespace)
            assert printed is None or output.getvalue() == printed
        namespace["client"].close()
        assert "#SBATCH -p short" in (jobs / "1.sh").read_text()
    eventually(lambda: not running(jobs))
