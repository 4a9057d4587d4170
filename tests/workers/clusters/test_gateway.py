"""Clusters of dask-gateway: its class gets the settings; a stub stands for the server's part."""

from typing import ClassVar

import pytest
from distributed import LocalCluster

from delocal.workers.clusters import gateway
from delocal.workers.clusters.spec import ClusterSpec
from delocal.workers.dask import DaskExecutor


class StubCluster(LocalCluster):
    """What GatewayCluster offers us: an address, a security, scale and close."""

    made: ClassVar[list] = []

    def __init__(self, address=None, **options):
        self.made.append((address, options))
        super().__init__(n_workers=0, threads_per_worker=1, dashboard_address="127.0.0.1:0")


def test_the_real_class_has_what_we_use():
    from dask_gateway import GatewayCluster

    assert gateway.GatewayCluster is GatewayCluster
    for name in ("scale", "close", "get_client"):
        assert callable(getattr(GatewayCluster, name))
    assert "scheduler_address" in GatewayCluster._init_internal.__code__.co_names


@pytest.mark.usefixtures("nothing_left")
def test_a_sweep_on_a_cluster_of_the_gateway(monkeypatch, sweep):
    monkeypatch.setattr(gateway, "GatewayCluster", StubCluster)
    spec = ClusterSpec(
        kind="gateway",
        address="https://gateway.example.org",
        options={"auth": "jupyterhub", "worker_cores": 1},
        maximum=2,
    )
    executor = DaskExecutor(spec)
    try:
        made = [("https://gateway.example.org", {"auth": "jupyterhub", "worker_cores": 1})]
        assert StubCluster.made == made
        sweep(executor)
    finally:
        executor.close()


def test_a_gateway_beyond_this_machine_speaks_https():
    with pytest.raises(ValueError, match="not encrypted"):
        gateway.start(ClusterSpec(kind="gateway", address="http://gateway.example.org"), 0)
