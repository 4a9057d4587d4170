"""Scheduler, workers and service on three hosts: network namespaces, joined by a bridge.

`unshare` gives the test a machine of its own, whoever runs it. What crosses the wire is TLS.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HOSTS = {"scheduler": "10.77.0.1", "worker": "10.77.0.2", "service": "10.77.0.3"}
REQUEST = {
    "models": ["scaling"],
    "axes": {"alpha": {"linspace": [2.2, 7.0, 300]}, "T": {"geomspace": [1e-6, 1e-2, 700]}},
    "fixed": {"W": 1, "d": 3, "beta": 3},
}
NETWORK = """
set -eu
mount -t tmpfs none /run
ip link add bridge type bridge
ip link set bridge up
""" + "".join(
    f"""
ip netns add {name}
ip link add to-{name} type veth peer name wire netns {name}
ip link set to-{name} master bridge up
ip -n {name} addr add {address}/24 dev wire
ip -n {name} link set wire up
ip -n {name} link set lo up
"""
    for name, address in HOSTS.items()
)
RUN = """
on() { host=$1; shift; ip netns exec "$host" "$PYTHON" -m delocal "$@"; }
wait_for() { for _ in $(seq 600); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done; exit 9; }
trap 'kill $(jobs -p); wait' EXIT

! on service serve --data data-plain 2> plain-service.txt || exit 3
! on worker worker tcp://10.77.0.1:8786 2> plain-worker.txt || exit 4
unset DELOCAL_CLUSTER__ADDRESS

on scheduler scheduler --host 10.77.0.1 --tls tls/scheduler 2> scheduler.txt &
on worker worker tls://10.77.0.1:8786 --workers 2 --tls tls/worker 2> worker.txt &
export DELOCAL_CLUSTER__ADDRESS=tls://10.77.0.1:8786 DELOCAL_CLUSTER__TLS=tls/service
reach='import socket; socket.create_connection(("10.77.0.1", 8786))'
wait_for ip netns exec service "$PYTHON" -c "$reach"
on service serve --data data 2> service.txt &
wait_for on service submit request.yaml --json
on service submit request.yaml --json > submitted.json
on service watch "$(on service submit request.yaml --json | "$PYTHON" -c \
    'import json, sys; print(json.load(sys.stdin)["id"])')" --json > watched.json
"""


@pytest.mark.slow
def test_a_sweep_over_three_hosts_and_no_plain_tcp(tmp_path):
    (tmp_path / "request.yaml").write_text(yaml.safe_dump(REQUEST))
    environment = {
        **os.environ,
        "PYTHON": sys.executable,
        "PYTHONPATH": str(ROOT),
        "DELOCAL_CLUSTER__KIND": "address",
        "DELOCAL_CLUSTER__ADDRESS": "tcp://10.77.0.1:8786",
    }
    make = [sys.executable, "-m", "delocal", "tls", "make", "--out", "tls"]
    subprocess.run(make, cwd=tmp_path, env=environment, check=True, capture_output=True)
    command = [
        "unshare",
        "--kill-child",
        "--user",
        "--map-root-user",
        "--net",
        "--mount",
        "--pid",
        "--mount-proc",
    ]
    done = subprocess.run(
        [*command, "bash", "-c", NETWORK + RUN],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, (done, [f.read_text() for f in tmp_path.glob("*.txt")])
    watched = json.loads((tmp_path / "watched.json").read_text())
    assert watched["state"] == "done"
    assert watched["cells"]["done"] + watched["cells"].get("outside_domain", 0) == 300 * 700
    for name in ("plain-service.txt", "plain-worker.txt"):
        assert "beyond this machine and not encrypted" in (tmp_path / name).read_text()
