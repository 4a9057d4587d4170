"""Settings of a cluster that contradict each other are refused, with advice."""

import builtins
import os
import sys

import pytest

from delocal.workers.clusters.processes import environment, worker_command
from delocal.workers.clusters.spec import ClusterSpec, merged, refuse_plain
from delocal.workers.clusters.start import start_cluster


@pytest.mark.parametrize(
    ("spec", "advice"),
    [
        (ClusterSpec(kind="address"), "needs cluster.address, such as tls://"),
        (ClusterSpec(kind="custom"), "package.module:function"),
        (ClusterSpec(workers=2, maximum=3), "set one of the two"),
        (ClusterSpec(minimum=2), "needs cluster.maximum"),
        (ClusterSpec(minimum=4, maximum=3), "more than cluster.maximum = 3"),
        (ClusterSpec(kind="slurm"), "needs cluster.maximum, the workers at most"),
        (ClusterSpec(kind="kubernetes"), "needs cluster.maximum"),
        (ClusterSpec(kind="gateway"), "needs cluster.maximum"),
        (ClusterSpec(kind="address", address="tcp://node7:8786"), "delocal tls make --out DIR"),
    ],
)
def test_contradictions(spec, advice):
    with pytest.raises(ValueError, match=advice):
        spec.check()


def test_bounds():
    assert ClusterSpec(workers=3).bounds == (3, 3)
    assert ClusterSpec(minimum=1, maximum=5).bounds == (1, 5)
    assert ClusterSpec().bounds == (len(os.sched_getaffinity(0)),) * 2
    address = ClusterSpec(kind="address", address="tcp://127.0.0.1:1", maximum=5)
    assert address.bounds == (0, 0)  # it is not ours to scale


@pytest.mark.parametrize(
    "address",
    [
        "tcp://127.0.0.1:1",
        "127.0.0.1:1",
        "tcp://[::1]:1",
        "localhost:1",
        "tls://far:1",
        "wss://f:1",
    ],
)
def test_loopback_and_tls_are_allowed(address):
    refuse_plain(address, insecure=False)


@pytest.mark.parametrize("address", ["tcp://far:1", "far:1", "tcp://10.0.0.1:1", "ws://far:1"])
def test_plain_bytes_beyond_this_machine_are_refused_unless_asked_for(address):
    with pytest.raises(ValueError, match=r"not encrypted.*cluster\.insecure = true"):
        refuse_plain(address, insecure=False)
    refuse_plain(address, insecure=True)


@pytest.mark.parametrize(
    ("kind", "module"),
    [("slurm", "dask_jobqueue"), ("kubernetes", "kubernetes"), ("gateway", "dask_gateway")],
)
def test_a_kind_whose_library_is_missing_names_its_extra(monkeypatch, kind, module):
    real = builtins.__import__

    def without(name, *rest):
        if name.partition(".")[0] == module:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, f"delocal.workers.clusters.{kind}", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ValueError, match=rf"needs {module}: pip install 'delocal\[{kind}\]'"):
        start_cluster(ClusterSpec(kind=kind, maximum=1), 0)


def test_workers_have_one_thread_a_nanny_and_quiet_settings():
    words = " ".join(worker_command("tcp://127.0.0.1:1", 3, None))
    assert "--nworkers 3 --nthreads 1" in words
    assert "--nanny" in words
    assert "--death-timeout 60" in words
    names = ("OMP", "OPENBLAS", "MKL", "NUMBA")
    assert {environment()[f"{name}_NUM_THREADS"] for name in names} == {"1"}
    assert environment()["DASK_DISTRIBUTED__SCHEDULER__WORK_STEALING"] == "False"


def test_a_folder_without_certificates_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"ca\.crt is missing.*delocal tls make"):
        worker_command("tls://127.0.0.1:1", 1, tmp_path)


def test_merged():
    assert merged({"a": 1, "b": {"c": [1]}}, {"b": {"c": [2], "d": 3}}) == {
        "a": 1,
        "b": {"c": [1, 2], "d": 3},
    }
