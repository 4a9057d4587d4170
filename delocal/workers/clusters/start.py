"""Start the cluster that is wanted; libraries of its kind are imported only now."""

from __future__ import annotations

from importlib import import_module

from delocal.workers.clusters.spec import STARTED, Cluster, ClusterSpec, missing_extra, refuse_plain


def start_cluster(spec: ClusterSpec, workers: int) -> Cluster | str:
    """Start a cluster with `workers` at first, or return the address of one that runs already.

    Raises
    ------
    ValueError
        If the settings do not allow it; the message says what to change.
    """
    if spec.kind not in STARTED:
        return spec.address or ""
    try:
        kind = import_module(f"{__package__}.{spec.kind}")
    except ModuleNotFoundError as error:
        raise missing_extra(spec.kind, error) from error
    found: Cluster | str = kind.start(spec, workers)
    try:
        refuse_plain(found if isinstance(found, str) else found.scheduler_address, spec.insecure)
    except ValueError:
        if not isinstance(found, str):
            found.close()
        raise
    return found
