"""What cluster is wanted: one value, chosen by the settings of the service."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import dask.system

STARTED = ("local", "slurm", "kubernetes", "gateway", "custom")
SAFE = ("tls", "wss", "gateway", "inproc")  # schemes of Dask that nobody else can listen to


class Cluster(Protocol):
    """A cluster that was started here, and can be made larger, smaller and closed."""

    @property
    def scheduler_address(self) -> str:
        """Where its scheduler listens."""

    def scale(self, n: int) -> Any:
        """Ask for `n` workers in all."""

    def close(self) -> Any:
        """Stop its workers and its scheduler."""


@dataclass(frozen=True)
class ClusterSpec:
    """A cluster: its kind, how many workers, how it is secured; see the reference of settings.

    Workers have one process and one thread each, so that workers, threads and cores are one
    number. With `maximum` it follows the work between `minimum` and `maximum`; else it is
    `workers` all the time.
    """

    kind: str = "local"
    address: str | None = None
    workers: int | None = None
    minimum: int = 0
    maximum: int | None = None
    idle_seconds: float = 0.0  # 0: stays for ever
    options: Mapping[str, Any] = field(default_factory=dict)
    function: str | None = None
    tls: Path | None = None
    insecure: bool = False

    @property
    def bounds(self) -> tuple[int, int]:
        """Number of workers, at least and at most, while there is a cluster."""
        if self.kind not in STARTED:
            return 0, 0  # whoever runs it decides
        if self.maximum is not None:
            return self.minimum, self.maximum
        workers = self.workers or (cores() if self.kind == "local" else 0)
        return workers, workers

    @property
    def closes(self) -> bool:
        """Whether an idle cluster is closed, until there is work again."""
        return self.kind in STARTED and self.idle_seconds > 0 and self.minimum == 0

    def check(self) -> None:
        """Raise ValueError, with advice, if the settings contradict each other."""
        if self.kind == "address" and self.address is None:
            raise ValueError(
                "cluster.kind = address needs cluster.address, such as tls://host:8786"
            )
        if self.kind == "custom" and self.function is None:
            raise ValueError(
                "cluster.kind = custom needs cluster.function, such as package.module:function"
            )
        if self.workers is not None and self.maximum is not None:
            raise ValueError(
                "cluster.workers is a fixed number, cluster.maximum lets it follow the work; "
                "set one of the two"
            )
        if self.maximum is None and self.minimum > 0:
            raise ValueError("cluster.minimum needs cluster.maximum")
        if self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(
                f"cluster.minimum = {self.minimum} is more than cluster.maximum = {self.maximum}"
            )
        if self.kind in ("slurm", "kubernetes", "gateway") and self.bounds[1] == 0:
            raise ValueError(
                f"cluster.kind = {self.kind} needs cluster.maximum, the workers at most, "
                "or cluster.workers, a fixed number"
            )
        if self.kind == "address" and self.address is not None:
            refuse_plain(self.address, self.insecure)


def cores() -> int:
    """Return how many cores this process may use: those of its container, if it is in one."""
    return int(dask.system.CPU_COUNT)


def refuse_plain(address: str, insecure: bool) -> None:
    """Raise ValueError for an address beyond this machine where bytes would travel in the clear.

    Whoever reaches a Dask scheduler runs code on all its workers. TLS with certificates asks
    who it is.

    Examples
    --------
    >>> refuse_plain("tcp://127.0.0.1:8786", insecure=False)
    >>> refuse_plain("tls://node7:8786", insecure=False)
    """
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    if insecure or parts.scheme in SAFE or is_loopback(parts.hostname or ""):
        return
    raise ValueError(
        f"{address} is beyond this machine and not encrypted: whoever reaches it could run code. "
        "Make certificates with `delocal tls make --out DIR`, name their folder in cluster.tls "
        "and use tls://; or set cluster.insecure = true on a network where you trust everybody"
    )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, without asking a name server."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_options(spec: ClusterSpec, reserved: Mapping[str, str]) -> None:
    """Raise ValueError for `options` that are not for the caller to set; `reserved` says why."""
    for name in reserved.keys() & spec.options.keys():
        raise ValueError(f"cluster.options: {name!r} cannot be set; {reserved[name]}")


def missing_extra(kind: str, error: ModuleNotFoundError) -> ValueError:
    """Return the error of a kind whose library is not installed."""
    return ValueError(f"cluster.kind = {kind} needs {error.name}: pip install 'delocal[{kind}]'")


def merged(*mappings: Mapping[str, Any]) -> dict[str, Any]:
    """Return mappings merged; lists under one key are joined, the last plain value stays."""
    found: dict[str, Any] = {}
    for mapping in mappings:
        for key, value in mapping.items():
            if isinstance(value, Mapping) and isinstance(found.get(key), Mapping):
                found[key] = merged(found[key], value)
            elif _is_list(value) and _is_list(found.get(key)):
                found[key] = [*found[key], *value]
            else:
                found[key] = value
    return found


def _is_list(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, Mapping))
