"""Clusters of a dask-gateway server, which secures and starts them."""

from __future__ import annotations

from dask_gateway import GatewayCluster

from delocal.workers.clusters.spec import Cluster, ClusterSpec, refuse_plain


def start(spec: ClusterSpec, workers: int) -> Cluster:
    """Ask the gateway at `address` for a cluster; `options` are those of GatewayCluster.

    Without an address, dask-gateway's own configuration says where the gateway is.
    """
    if spec.address is not None and not spec.address.startswith("https://"):
        refuse_plain(spec.address, spec.insecure)
    cluster: Cluster = GatewayCluster(address=spec.address, **spec.options)
    try:
        cluster.scale(workers)
    except Exception:
        cluster.close()
        raise
    return cluster
