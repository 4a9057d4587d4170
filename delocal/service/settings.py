"""Environment or file -> a running service: the one place where parts are chosen."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from delocal.physics.models import adopt
from delocal.service.audit import Audit
from delocal.service.dispatcher import Dispatcher
from delocal.service.evaluation import Evaluations
from delocal.service.keys import AccessSettings, Keys, OidcSettings
from delocal.service.ledger import Ledger
from delocal.service.logs import LogSettings, adopt_logs
from delocal.service.prometheus import Metrics
from delocal.service.quotas import Quotas, QuotaSettings
from delocal.service.request import MAX_CELLS
from delocal.service.results import OpenDatasets
from delocal.service.sharing import Sharing
from delocal.service.sweeps import Sweeps
from delocal.workers.local import Executor, LocalExecutor

TRASH_SECONDS = 10.0  # for a sweep that is being purged, when the service stops


class ClusterSettings(BaseModel):
    """Where blocks are computed: the one setting that moves a sweep to a cluster."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["local", "address", "slurm", "kubernetes", "gateway", "custom", "none"] = Field(
        default="local",
        description="local: Dask on this machine; address: a Dask scheduler that runs elsewhere; "
        "slurm: jobs of Slurm; kubernetes: pods, through the operator of Dask; gateway: a "
        "dask-gateway server; custom: what a function of the operator starts; none: the "
        "service's own process. Workers see the same data folder as the service",
    )
    address: str | None = Field(
        default=None, description="of the scheduler, tls://host:port; or of the gateway"
    )
    workers: int | None = Field(
        default=None, ge=1, description="a fixed number of workers; for local, one for each core"
    )
    minimum: int = Field(default=0, ge=0, description="workers at least, while there is a cluster")
    maximum: int | None = Field(
        default=None, ge=1, description="workers at most; their number follows the work"
    )
    idle_seconds: float = Field(
        default=900.0,
        ge=0,
        description="an idle cluster is closed after this long, if cluster.minimum is 0, and "
        "started again when there is work; 0: never",
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="passed through to the kind of cluster, as JSON"
    )
    function: str | None = Field(
        default=None, description="for custom: package.module:function, called with the options"
    )
    tls: Path | None = Field(
        default=None, description="folder with ca.crt, tls.crt, tls.key, see `delocal tls make`"
    )
    insecure: bool = Field(
        default=False, description="allow plain TCP to a scheduler that is not on this machine"
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
    models: tuple[str, ...] = Field(
        default=(),
        description="modules that register models of your own; service and workers import them",
    )
    max_cells: int = Field(default=MAX_CELLS, ge=1, description="cells of one sweep at most")
    evaluate_seconds: float = Field(
        default=2.0, gt=0, description="that a model may be evaluated for at once, without a sweep"
    )
    access: AccessSettings = AccessSettings()
    oidc: OidcSettings = OidcSettings()
    quota: QuotaSettings = QuotaSettings()
    logs: LogSettings = LogSettings()
    traces: bool = Field(
        default=False, description="send OpenTelemetry spans of requests, as OTEL_... say"
    )
    stop_seconds: float = Field(
        default=30.0, gt=0, description="how long a service that stops waits for open requests"
    )

    def open_ledger(self) -> Ledger:
        """Return the ledger, in a data folder that is made if it is not there."""
        folder = self.data.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        return Ledger(self.database_url or f"sqlite:///{folder / 'ledger.sqlite'}")

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
        adopt(settings.models)
        settings.data.mkdir(parents=True, exist_ok=True)
        self.settings = settings
        self._closed = threading.Event()
        self.stopping = threading.Event()  # whoever answers without end looks at it
        self.ledger = settings.open_ledger()
        self.keys = Keys(self.ledger.engine)
        self.audit = Audit(self.ledger.engine)
        folder = settings.data.resolve()
        self.sharing = Sharing(folder, settings.access.share_days)
        self.metrics = Metrics()
        self.executor = make_executor(settings.cluster)
        self.dispatcher = Dispatcher(
            self.ledger, self.executor, settings.place, self.metrics.count_blocks
        )
        self.metrics.watch(self.ledger, self.dispatcher, self.executor, folder)
        quotas = Quotas(self.ledger.engine, settings.quota)
        self.sweeps = Sweeps(
            self.ledger, self.dispatcher, settings.max_cells, quotas, settings.trash_days
        )
        self._purging = threading.Thread(
            target=self.sweeps.trash.watch, args=(self._closed,), name="trash", daemon=True
        )
        self._purging.start()
        self.datasets = OpenDatasets()
        self.evaluations = Evaluations(self.sweeps, settings.evaluate_seconds)
        self.dispatcher.start()

    def close(self) -> None:
        """Stop; unfinished sweeps go on when a service starts on the same data."""
        self.stopping.set()
        self._closed.set()
        self._purging.join(TRASH_SECONDS)
        self.dispatcher.stop()
        self.executor.close()
        self.ledger.close()


def make_executor(cluster: ClusterSettings) -> Executor:
    """Return what computes blocks; ValueError if the settings contradict each other."""
    if cluster.kind == "none":
        return LocalExecutor()
    from delocal.workers.clusters.spec import ClusterSpec
    from delocal.workers.dask import DaskExecutor  # a second to import

    adopt_logs("distributed")
    return DaskExecutor(ClusterSpec(**dict(cluster)))
