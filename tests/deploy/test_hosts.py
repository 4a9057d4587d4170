"""A node of a Slurm site and a machine with systemd: settings, scripts and units that are right."""

import configparser
import inspect
import os
import re
import shlex
import subprocess

import pytest
from dask_jobqueue.core import Job, JobQueueCluster
from dask_jobqueue.slurm import SLURMJob

from delocal.service.settings import Settings
from delocal.workers.clusters.slurm import RESERVED, SlurmCluster, arguments
from delocal.workers.clusters.spec import ClusterSpec
from tests.deploy.conftest import DEPLOY, ROOT

STOPPING = ("how-to/run-a-service.md", "reference/settings.md")


def slurm_environment():
    lines = (DEPLOY / "slurm/delocal.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture
def slurm(read_settings, certificates):
    """The cluster of the recipe, with certificates that are there."""
    settings = read_settings(slurm_environment())
    spec = ClusterSpec(**{**dict(settings.cluster), "tls": certificates / "service"})
    spec.check()
    return spec


def test_the_recipe_for_slurm_has_options_that_there_are(slurm):
    takers = (SlurmCluster, JobQueueCluster, SLURMJob, Job)
    known = {name for taker in takers for name in inspect.signature(taker.__init__).parameters}
    assert slurm.options.keys() <= known - RESERVED.keys()
    assert arguments(slurm)["processes"] == 8
    assert slurm.bounds == (0, 64)


def test_an_option_of_slurm_that_there_is_not_is_found(slurm):
    wrong = ClusterSpec(**{**vars(slurm), "options": {**slurm.options, "log_folder": "logs"}})
    with pytest.raises(AssertionError):
        test_the_recipe_for_slurm_has_options_that_there_are(wrong)


def test_jobs_of_the_recipe_log_to_a_folder_that_all_nodes_share(slurm, tmp_path):
    """As dask-jobqueue writes them, on a machine that has another network and another disk."""
    logs = slurm.options["log_directory"]
    shared = "/shared/delocal/"
    assert logs.startswith(shared)
    assert slurm_environment()["DELOCAL_DATA"].startswith(shared)
    here = {"log_directory": logs.replace(shared, f"{tmp_path}/"), "interface": "lo"}
    spec = ClusterSpec(**{**vars(slurm), "options": {**slurm.options, **here}})
    with SlurmCluster(**arguments(spec)) as cluster:
        script = cluster.job_script()
    assert os.listdir(tmp_path) == ["logs"]
    for line in (
        f"#SBATCH -o {tmp_path}/logs/",
        f"#SBATCH -e {tmp_path}/logs/",
        "#SBATCH -p short\n",
        "#SBATCH -A physics\n",
        "#SBATCH --cpus-per-task=8\n",
        "#SBATCH --mem=16G\n",
        "#SBATCH -t 02:00:00\n",
        "--nworkers 8",
    ):
        assert line in script


def test_the_ledger_of_the_recipe_is_not_on_a_network(slurm):
    assert slurm_environment()["DELOCAL_DATABASE_URL"].startswith("sqlite:////var/lib/delocal/")


def test_the_script_for_slurm_passes_its_settings_on(tmp_path, parse_command):
    stub = tmp_path / "delocal"
    stub.write_text('#!/usr/bin/env bash\necho "$@"\nenv -0 | tr "\\0" "\\n"\n')
    stub.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    printed = subprocess.run(
        [str(DEPLOY / "slurm/serve.sh")],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert parse_command(shlex.split(printed[0]))["host"] == "127.0.0.1"
    for name, value in slurm_environment().items():
        assert f"{name}={value}" in printed


def test_commands_that_the_script_asks_for_exist(parse_command):
    text = (DEPLOY / "slurm/serve.sh").read_text()
    [made] = re.findall(r"^# .*?delocal (tls make .*)$", text, re.MULTILINE)
    out = parse_command(shlex.split(made))["out"]
    assert slurm_environment()["DELOCAL_CLUSTER__TLS"] == str(out / "service")


@pytest.fixture
def unit():
    """The unit of systemd, as pairs by section."""
    read = configparser.ConfigParser(strict=False, interpolation=None)
    read.optionxform = str
    read.read(DEPLOY / "systemd/delocal.service")
    return read


def test_the_unit_of_systemd_starts_what_exists(unit, parse_command, read_settings):
    service = unit["Service"]
    program, *words = shlex.split(service["ExecStart"])
    assert program.endswith("/bin/delocal")
    assert parse_command(words)["port"] == 8000
    given = dict(pair.split("=", 1) for pair in shlex.split(service["Environment"]))
    assert given.pop("NUMBA_CACHE_DIR") == f"/var/cache/{service['CacheDirectory']}"
    assert str(read_settings(given).data) == f"/var/lib/{service['StateDirectory']}"
    assert service["User"] == "delocal"


def test_the_unit_stops_in_order_and_then_for_good(unit, longest_stop):
    service = unit["Service"]
    assert (service["KillMode"], service["SendSIGKILL"]) == ("mixed", "yes")
    assert int(service["TimeoutStopSec"]) > longest_stop
    assert service["SuccessExitStatus"] == "143"


def test_the_documentation_says_how_long_stopping_takes(longest_stop):
    stop = Settings().stop_seconds
    rest = f"{longest_stop - stop:g} s"
    pages = {name: (ROOT / "docs" / name).read_text() for name in STOPPING}
    assert f"{stop:g} s, for open requests, and at most {rest} for" in pages[STOPPING[0]]
    assert f"all else takes {rest} at most" in pages[STOPPING[1]]


def test_the_unit_outlives_a_worker_and_a_database(unit):
    assert unit["Service"]["OOMPolicy"] == "continue"  # else a worker out of memory ends it all
    assert unit["Service"]["Restart"] == "on-failure"
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"


def test_the_unit_may_write_to_its_own_folders_and_compile(unit):
    service = unit["Service"]
    assert service["ProtectSystem"] == "strict"
    assert service["ReadWritePaths"] == "-/shared/delocal"
    assert (service["NoNewPrivileges"], service["CapabilityBoundingSet"]) == ("yes", "")
    assert "MemoryDenyWriteExecute" not in service  # numba could not compile


@pytest.mark.parametrize("page", sorted(DEPLOY.rglob("*.md")), ids=lambda page: page.parent.name)
def test_commands_in_the_pages_exist(page, parse_command):
    lines = [line.strip() for line in page.read_text().splitlines()]
    found = [shlex.split(line)[1:] for line in lines if line.startswith("delocal ")]
    assert found
    for words in found:
        parse_command(words)
