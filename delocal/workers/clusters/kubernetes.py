"""Workers as pods of Kubernetes: a `DaskCluster` that the operator of Dask looks after.

The resource is written here rather than by dask-kubernetes, whose cluster object speaks to the
scheduler in the clear only.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kubernetes import client, config

from delocal.workers.clusters.processes import environment
from delocal.workers.clusters.spec import (
    Cluster,
    ClusterSpec,
    merged,
    refuse_plain,
)

GROUP, VERSION = "kubernetes.dask.org", "v1"
PORT = 8786
START_SECONDS = 300  # for the scheduler to answer: its image may have to be fetched
TLS = Path("/etc/delocal/tls")  # in the pods
OPTIONS = {
    "image": "the image of scheduler and workers; that of the service",
    "name": "of the cluster, 'delocal'; another one for each service of a namespace",
    "namespace": "'default'",
    "tls_secret": "name of a secret with ca.crt, tls.crt and tls.key for the pods",
    "pod": "merged into the specification of each pod: volumes, nodeSelector, tolerations",
    "container": "merged into each container: volumeMounts, resources, env",
    "kubeconfig": "a file; else as kubectl finds it, or the service account of the pod",
    "start_seconds": f"how long the scheduler may take to answer, {START_SECONDS}",
}


class OperatorCluster:
    """A `DaskCluster` of the operator; one of the same name left by a crash is replaced."""

    def __init__(self, spec: ClusterSpec, workers: int) -> None:
        resource = cluster_resource(spec, workers)
        self._name, namespace = resource["metadata"]["name"], resource["metadata"]["namespace"]
        self.scheduler_address = spec.address or scheduler_address(spec)
        self._client = client.ApiClient(_configuration(spec.options.get("kubeconfig")))
        self._api = client.CustomObjectsApi(self._client)
        self._where = {"group": GROUP, "version": VERSION, "namespace": namespace}
        self._end = time.monotonic() + spec.options.get("start_seconds", START_SECONDS)
        try:
            self._remove()
            self._api.create_namespaced_custom_object(
                **self._where, plural="daskclusters", body=resource
            )
            self._wait_for_scheduler()
        except BaseException:
            self.close()
            raise

    def scale(self, n: int) -> None:
        """Ask the operator for `n` pods."""
        self._api.patch_namespaced_custom_object(
            **self._where,
            plural="daskworkergroups",
            name=f"{self._name}-default",
            body={"spec": {"worker": {"replicas": n}}},
            _content_type="application/merge-patch+json",
        )

    def close(self) -> None:
        """Delete the resource; the operator deletes its pods."""
        self._delete()
        self._client.close()

    def _delete(self) -> bool:
        """Delete the resource; False if there is none any more."""
        try:
            self._api.delete_namespaced_custom_object(
                **self._where, plural="daskclusters", name=self._name
            )
        except client.ApiException as error:
            if error.status != 404:
                raise
            return False
        return True

    def _remove(self) -> None:
        while self._delete():
            self._check_time("a cluster of the same name is still there")
            time.sleep(0.2)

    def _wait_for_scheduler(self) -> None:
        parts = urlsplit(self.scheduler_address)
        while True:
            try:
                socket.create_connection((parts.hostname, parts.port), timeout=2).close()
                return
            except OSError as error:
                self._check_time(f"no scheduler at {self.scheduler_address} ({error})")
                time.sleep(0.2)

    def _check_time(self, problem: str) -> None:
        if time.monotonic() > self._end:
            raise TimeoutError(
                f"{problem}; is the operator of Dask installed? `kubectl describe daskcluster` "
                "says more, and cluster.options: start_seconds gives it more time"
            )


def _configuration(kubeconfig: str | None) -> client.Configuration:
    """Return how to reach the API server: from a file, else as the pod that this is."""
    found = client.Configuration()
    if kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ:
        config.load_incluster_config(client_configuration=found)
    else:
        config.load_kube_config(kubeconfig, client_configuration=found)
    return found


def start(spec: ClusterSpec, workers: int) -> Cluster:
    """Create the resource, and return once its scheduler answers; see `OPTIONS`."""
    return OperatorCluster(spec, workers)


def scheduler_address(spec: ClusterSpec) -> str:
    """Return where the scheduler will be, as a name inside Kubernetes."""
    name, namespace = _name(spec.options)
    scheme = "tls" if "tls_secret" in spec.options else "tcp"
    return f"{scheme}://{name}-scheduler.{namespace}.svc:{PORT}"


def cluster_resource(spec: ClusterSpec, workers: int) -> dict[str, Any]:
    """Return the `DaskCluster`; ValueError if an option is unknown or missing."""
    options = spec.options
    _check(spec)
    name, namespace = _name(options)
    address = scheduler_address(spec)
    secured = "tls_secret" in options
    flags = ["--tls", str(TLS)] if secured else ["--insecure"]
    scheduler = ["scheduler", "--host", "0.0.0.0", "--port", str(PORT), *flags]
    worker = ["worker", address, "--workers", "1", "--name", "$(DASK_WORKER_NAME)", *flags]
    port = {"name": "tcp-comm", "port": PORT, "targetPort": "tcp-comm", "protocol": "TCP"}
    labels = {"dask.org/cluster-name": name, "dask.org/component": "scheduler"}
    probe = {"tcpSocket": {"port": "tcp-comm"}, "periodSeconds": 10}
    listens = {
        "ports": [{"name": "tcp-comm", "containerPort": PORT, "protocol": "TCP"}],
        "readinessProbe": probe,
    }
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "DaskCluster",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "delocal"},
        },
        "spec": {
            "scheduler": {
                "spec": _pod("scheduler", scheduler, options, listens),
                "service": {"type": "ClusterIP", "selector": labels, "ports": [port]},
            },
            "worker": {"replicas": workers, "spec": _pod("worker", worker, options, {})},
        },
    }


def _pod(
    role: str, arguments: list[str], options: Mapping[str, Any], more: Mapping[str, Any]
) -> dict[str, Any]:
    secret = options.get("tls_secret")
    tls = TLS if secret else None
    container = {
        "name": role,
        "image": options["image"],
        "command": ["delocal"],
        "args": arguments,
        "env": [{"name": n, "value": v} for n, v in environment(tls).items()],
        "volumeMounts": [{"name": "tls", "mountPath": str(TLS), "readOnly": True}] if tls else [],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        **more,
    }
    pod = {
        "securityContext": {"runAsNonRoot": True},
        "terminationGracePeriodSeconds": 30,
        "volumes": [{"name": "tls", "secret": {"secretName": secret}}] if tls else [],
    }
    containers = [merged(container, options.get("container", {}))]
    return {**merged(pod, options.get("pod", {})), "containers": containers}


def _check(spec: ClusterSpec) -> None:
    if "image" not in spec.options:
        raise ValueError("cluster.kind = kubernetes needs cluster.options: image")
    for name in spec.options.keys() - OPTIONS.keys():
        raise ValueError(
            f"cluster.options: {name!r} is none of kubernetes; known: {', '.join(OPTIONS)}"
        )
    if (spec.tls is None) != ("tls_secret" not in spec.options):
        raise ValueError(
            "cluster.tls (certificates of the service) and cluster.options: tls_secret "
            "(those of the pods) belong together; set both"
        )
    refuse_plain(scheduler_address(spec), spec.insecure)


def _name(options: Mapping[str, Any]) -> tuple[str, str]:
    return options.get("name", "delocal"), options.get("namespace", "default")
