"""Kubernetes: the resource is what the API takes, and a stub of its server runs what it says.

The stub answers as the API server does for the two resources of the operator, and acts as the
operator: it starts the commands of the pods as processes of this machine.
"""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from delocal.workers.clusters import kubernetes
from delocal.workers.clusters.spec import ClusterSpec
from delocal.workers.dask import DaskExecutor
from tests.manifests import against, problems
from tests.waiting import PATIENCE

OPTIONS = {
    "image": "registry.example.org/delocal:0.1.0",
    "namespace": "physics",
    "tls_secret": "delocal-tls",
    "pod": {
        "nodeSelector": {"pool": "batch"},
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "delocal"}}],
    },
    "container": {
        "resources": {"requests": {"cpu": "1", "memory": "2Gi"}},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    },
}


@pytest.fixture
def spec(certificates):
    return ClusterSpec(
        kind="kubernetes", maximum=2, options=OPTIONS, tls=certificates / "service", idle_seconds=3
    )


def test_the_resource_is_what_the_api_takes(spec):
    resource = kubernetes.cluster_resource(spec, 3)
    scheduler, worker = resource["spec"]["scheduler"], resource["spec"]["worker"]
    assert worker["replicas"] == 3
    found = [
        *against(resource["metadata"], "V1ObjectMeta"),
        *against(scheduler["spec"], "V1PodSpec"),
        *against(scheduler["service"], "V1ServiceSpec"),
        *against(worker["spec"], "V1PodSpec"),
    ]
    assert found == []


def test_pods_have_one_thread_certificates_and_the_options(spec):
    worker = kubernetes.cluster_resource(spec, 0)["spec"]["worker"]["spec"]
    [container] = worker["containers"]
    assert container["command"] == ["delocal"]
    assert container["args"][:4] == [
        "worker",
        "tls://delocal-scheduler.physics.svc:8786",
        "--workers",
        "1",
    ]
    environment = {pair["name"]: pair["value"] for pair in container["env"]}
    assert environment["OMP_NUM_THREADS"] == "1"
    assert environment["DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"] == "True"
    assert [mount["name"] for mount in container["volumeMounts"]] == ["tls", "data"]
    assert [volume["name"] for volume in worker["volumes"]] == ["tls", "data"]
    assert worker["nodeSelector"] == {"pool": "batch"}
    assert worker["securityContext"] == {"runAsNonRoot": True}


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({"options": {}}, "needs cluster.options: image"),
        ({"options": {**OPTIONS, "imag": "x"}}, "'imag' is none of kubernetes; known: image"),
        ({"tls": None}, "belong together"),
        ({"tls": None, "options": {"image": "x"}}, "not encrypted"),
    ],
)
def test_wrong_options(spec, change, advice):
    with pytest.raises(ValueError, match=advice):
        kubernetes.cluster_resource(ClusterSpec(**{**vars(spec), **change}), 0)


def test_a_mistake_in_a_manifest_is_found():
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"nam": "x", "image": 1}]}}
    assert problems(pod) == [
        "spec.containers.0.image: Input should be a valid string",
        "spec.containers.0.name: Field required",
        "spec.containers.0.nam: Extra inputs are not permitted",
    ]
    assert (
        "host_network"
        in problems(
            {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [], "host_network": True}}
        )[0]
    )


class Operator(BaseHTTPRequestHandler):
    """The API server with the operator of Dask behind it, for one namespace."""

    protocol_version = "HTTP/1.1"
    log_message = staticmethod(lambda *_: None)

    def do_POST(self):
        resource = self.body()
        self.server.resources["daskclusters/" + resource["metadata"]["name"]] = resource
        self.server.start_pods(resource)
        self.answer(201, resource)

    def do_PATCH(self):
        name, change = self.name, self.body()
        if name not in self.server.resources:
            return self.answer(404, {"kind": "Status", "code": 404})
        self.server.scale(change["spec"]["worker"]["replicas"])
        self.answer(200, self.server.resources[name])

    def do_DELETE(self):
        found = self.server.resources.pop(self.name, None)
        self.server.resources.clear()
        self.server.stop_pods()
        self.answer(200 if found else 404, {"kind": "Status", "code": 200 if found else 404})

    @property
    def name(self):
        return "/".join(self.path.partition("?")[0].split("/")[-2:])

    def body(self):
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, code, content):
        data = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class ApiServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, certificates, scheduler_port):
        super().__init__(("127.0.0.1", 0), Operator)
        self.resources, self.pods, self.asked = {}, [], []
        self.certificates, self.port = certificates, scheduler_port

    def start_pods(self, resource):
        self.cluster = resource
        name = resource["metadata"]["name"]
        group = {"kind": "DaskWorkerGroup", "metadata": {"name": f"{name}-default"}}
        self.resources[f"daskworkergroups/{name}-default"] = group
        self.run("scheduler", 0)
        self.scale(resource["spec"]["worker"]["replicas"])

    def scale(self, replicas):
        self.asked.append(replicas)
        for number in range(len(self.pods), replicas + 1):  # the first pod is the scheduler
            self.run("worker", number)

    def run(self, role, number):
        [container] = self.cluster["spec"][role]["spec"]["containers"]
        place = {
            "0.0.0.0": "127.0.0.1",
            str(kubernetes.PORT): str(self.port),
            "tls://delocal-scheduler.physics.svc:8786": f"tls://127.0.0.1:{self.port}",
            str(kubernetes.TLS): str(self.certificates / role),
            "$(DASK_WORKER_NAME)": f"worker-{number}",
        }
        words = [place.get(word, word) for word in container["args"]]
        extra = ["--http", "127.0.0.1:0"] if role == "scheduler" else []
        environment = {pair["name"]: pair["value"] for pair in container["env"]}
        environment |= {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[3])}
        command = [sys.executable, "-m", *container["command"], *words, *extra]
        self.pods.append(subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL))

    def stop_pods(self):
        for pod in self.pods:
            pod.terminate()
        for pod in self.pods:
            pod.wait(timeout=PATIENCE)
        self.pods.clear()


@pytest.fixture
def api_server(certificates, unused_port, nothing_left):
    server = ApiServer(certificates, unused_port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.stop_pods()
    server.server_close()


@pytest.fixture
def kubeconfig(api_server, tmp_path):
    name = {"name": "stub"}
    url = f"http://127.0.0.1:{api_server.server_address[1]}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "stub",
        "clusters": [{**name, "cluster": {"server": url}}],
        "users": [{**name, "user": {}}],
        "contexts": [{**name, "context": {"cluster": "stub", "user": "stub"}}],
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    return str(tmp_path / "kubeconfig")


def test_a_sweep_on_pods_which_are_gone_at_the_end(spec, api_server, kubeconfig, sweep, eventually):
    address = f"tls://127.0.0.1:{api_server.port}"
    options = {**spec.options, "kubeconfig": kubeconfig}
    executor = DaskExecutor(ClusterSpec(**{**vars(spec), "options": options, "address": address}))
    try:
        assert api_server.asked == [0]
        sweep(executor)
        assert max(api_server.asked) == 2
        eventually(lambda: "not running" in executor.description)
        assert api_server.resources == {}
    finally:
        executor.close()
    assert api_server.resources == {}


def test_what_a_crash_left_is_replaced(spec, api_server, kubeconfig):
    left = kubernetes.cluster_resource(spec, 0)
    api_server.resources["daskclusters/delocal"] = {**left, "left": True}
    options = {**spec.options, "kubeconfig": kubeconfig}
    address = f"tls://127.0.0.1:{api_server.port}"
    cluster = kubernetes.start(
        ClusterSpec(**{**vars(spec), "options": options, "address": address}), 0
    )
    assert "left" not in api_server.resources["daskclusters/delocal"]
    cluster.close()


def test_a_scheduler_that_never_comes_is_an_error_that_leaves_nothing(
    spec, api_server, kubeconfig, unused_port, monkeypatch
):
    monkeypatch.setattr(ApiServer, "start_pods", lambda *_: None)
    options = {**spec.options, "kubeconfig": kubeconfig, "start_seconds": 1}
    address = f"tls://127.0.0.1:{unused_port}"
    with pytest.raises(TimeoutError, match="is the operator of Dask installed"):
        kubernetes.start(ClusterSpec(**{**vars(spec), "options": options, "address": address}), 0)
    assert api_server.resources == {}
