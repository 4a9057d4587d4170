"""Environment or file -> a running service: the one place where parts are chosen."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from delocal.service.dispatcher import Dispatcher
from delocal.service.ledger import Ledger
from delocal.service.request import MAX_CELLS
from delocal.service.results import OpenDatasets
from delocal.service.sweeps import Sweeps
from delocal.workers.local import Executor, LocalExecutor


class ClusterSettings(BaseModel):
    """Where blocks are computed: the one setting that moves a sweep to a cluster."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["local", "address", "none"] = Field(
        default="local",
        description="local: a Dask cluster on this machine; address: a Dask scheduler that "
        "runs elsewhere and sees the same data folder; none: in the service's own process",
    )
    address: str | None = Field(default=None, description="of the scheduler, tcp://host:port")
    workers: int | None = Field(
        default=None, ge=1, description="worker processes of a local cluster; one for each core"
    )


class Settings(BaseSettings):
    """Settings of a service, from arguments or ``DELOCAL_...`` environment variables."""

    model_config = SettingsConfigDict(
        env_prefix="DELOCAL_", env_nested_delimiter="__", extra="forbid"
    )

    data: Path = Field(default=Path("delocal-data"), description="folder of ledger and sweeps")
    database_url: str | None = Field(
        default=None, description="SQLAlchemy URL of the ledger; SQLite in the data folder"
    )
    cluster: ClusterSettings = ClusterSettings()
    sweeps: str | None = Field(
        default=None,
        description="where datasets lie: a folder that workers see, or s3://bucket/prefix; "
        "`sweeps` in the data folder",
    )
    trash_days: float | None = Field(
        default=30, ge=0, description="after which a deleted sweep is removed for good"
    )
    max_cells: int = Field(default=MAX_CELLS, ge=1, description="cells of one sweep at most")

    @property
    def place(self) -> str:
        """Where the sweeps lie."""
        return self.sweeps or str(self.data.resolve() / "sweeps")

    @property
    def ledger_url(self) -> str:
        """URL of the ledger."""
        return self.database_url or f"sqlite:///{self.data.resolve() / 'ledger.sqlite'}"


class Service:
    """A running service: its sweeps, its open datasets, and what must be stopped."""

    def __init__(self, settings: Settings) -> None:
        settings.data.mkdir(parents=True, exist_ok=True)
        self.settings = settings
        self._closed = threading.Event()
        self.stopping = threading.Event()  # whoever answers without end looks at it
        self.ledger = Ledger(settings.ledger_url)
        self.executor = make_executor(settings.cluster)
        self.dispatcher = Dispatcher(self.ledger, self.executor, settings.place)
        self.sweeps = Sweeps(self.ledger, self.dispatcher, settings.max_cells, settings.trash_days)
        self._purging = threading.Thread(
            target=self.sweeps.trash.watch, args=(self._closed,), name="trash", daemon=True
        )
        self._purging.start()
        self.datasets = OpenDatasets()
        self.dispatcher.start()

    def close(self) -> None:
        """Stop; unfinished sweeps go on when a service starts on the same data."""
        self.stopping.set()
        self._closed.set()
        self._purging.join(timeout=10)
        self.dispatcher.stop()
        self.executor.close()
        self.ledger.close()


def make_executor(cluster: ClusterSettings) -> Executor:
    """Return what computes blocks; ValueError if the settings contradict each other."""
    if cluster.kind == "none":
        return LocalExecutor()
    if cluster.kind == "address" and cluster.address is None:
        raise ValueError("cluster.kind = address needs cluster.address, such as tcp://host:8786")
    from delocal.workers.dask import DaskExecutor  # a second to import

    if cluster.kind == "address":
        return DaskExecutor(address=cluster.address)
    return DaskExecutor(workers=cluster.workers)
