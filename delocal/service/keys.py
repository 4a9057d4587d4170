"""API keys: who may do what. A key is shown once, and kept as a hash.

A key reads ``delocal_<id>_<secret>``. The id is public: it names the key in lists, logs and the
audit. The secret is 256 random bits, so that one round of SHA-256 is enough to hide it: what a
slow hash protects are secrets that can be guessed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

import sqlalchemy as sa
import structlog
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.engine import Engine

from delocal.service.errors import Conflict, NoKey, NotFound, Problem, RequestError, did_you_mean
from delocal.service.tables import keys

log = structlog.get_logger()

PREFIX = "delocal"
SECRET_BYTES = 32
DAY = 86_400.0
USED_SECONDS = 60.0  # how exactly the last use is known; a write for each request would cost more
HOW = "send `Authorization: Bearer KEY`; `delocal keys create` makes one"


class Scope(StrEnum):
    """What a key may be good for."""

    SWEEPS_READ = "sweeps:read"
    SWEEPS_WRITE = "sweeps:write"
    DATA_READ = "data:read"
    ADMIN = "admin"  # all of these, and the keys themselves


USUAL_SCOPES = (Scope.SWEEPS_READ, Scope.SWEEPS_WRITE, Scope.DATA_READ)


class AccessSettings(BaseModel):
    """Who may ask, and how much at a time."""

    model_config = ConfigDict(extra="forbid")

    keys: Literal["auto", "always", "never"] = Field(
        default="auto",
        description="auto: a key is needed unless the service listens to this machine alone; "
        "always: on this machine too; never: whoever reaches the service may use it",
    )
    origins: tuple[str, ...] = Field(
        default=(), description="web pages of these origins may use the API (CORS); none"
    )
    max_body: int = Field(default=2**20, ge=1, description="bytes of a request at most")
    rate: float = Field(default=20.0, gt=0, description="requests of a caller in a second, on end")
    burst: int = Field(default=400, ge=1, description="requests of a caller at once")
    share_days: float = Field(
        default=30.0, gt=0, description="days that a shared link to a dataset is good for at most"
    )


class OidcSettings(BaseModel):
    """An identity provider whose tokens are good in the place of keys; needs the extra `oidc`."""

    model_config = ConfigDict(extra="forbid")

    issuer: str | None = Field(default=None, description="its address, https://...; none")
    audience: str | None = Field(default=None, description="how its tokens call this service")


@dataclass(frozen=True)
class Key:
    """A key without its secret; times are seconds since 1970."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    created: float
    expires: float | None
    revoked: float | None
    last_used: float | None

    @property
    def state(self) -> str:
        """`usable`, `expired` or `revoked`."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= time.time() else "usable"


@dataclass(frozen=True)
class Caller:
    """Who asks: the holder of a key, or whoever needs none."""

    id: str | None
    name: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        """Whether the caller has this scope."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


NOBODY = Caller(None, "without a key", frozenset())
TRUSTED = Caller(None, "without a key", frozenset(Scope))  # where no key is needed


class Keys:
    """The keys in the ledger's database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(
        self, name: str, scopes: Iterable[str] = USUAL_SCOPES, days: float | None = 90.0
    ) -> tuple[Key, str]:
        """Make a key and return it with its text, which is not kept: it is shown now or never.

        Parameters
        ----------
        name
            For people: who or what holds it.
        scopes
            What it is good for.
        days
            After which it expires; None is never.

        Raises
        ------
        RequestError
            A scope is unknown, or there is none.
        """
        key = Key(
            id=secrets.token_hex(6),
            name=name,
            scopes=_scopes(scopes),
            created=time.time(),
            expires=None if days is None else time.time() + days * DAY,
            revoked=None,
            last_used=None,
        )
        secret = secrets.token_urlsafe(SECRET_BYTES)
        with self._engine.begin() as db:
            db.execute(keys.insert().values(**vars(key), hash=_hash(secret)))
        return key, f"{PREFIX}_{key.id}_{secret}"

    def check(self, text: str) -> Caller:
        """Return who holds the key `text`; NoKey says what is wrong with it.

        An unknown id takes as long as a wrong secret, and reads the same.
        """
        _, _, rest = text.partition("_")
        key_id, _, secret = rest.partition("_")
        row = self._row(key_id)
        if not hmac.compare_digest(_hash(secret), row["hash"] if row else _hash("")) or not row:
            raise NoKey(f"this key is not known here; {HOW}")
        key = _key(row)
        if key.state != "usable":
            raise NoKey(f"key {key.id} ({key.name}) is {key.state}; {HOW}")
        self._note_use(key)
        return Caller(key.id, key.name, frozenset(key.scopes))

    def all(self) -> list[Key]:
        """Return every key, the oldest first; revoked ones stay, for the audit names them."""
        with self._reading() as db:
            rows = db.execute(sa.select(keys).order_by(keys.c.created)).mappings()
            return [_key(row) for row in rows]

    def revoke(self, key_id: str) -> Key:
        """End a key, from the next request on. NotFound or Conflict if there is none to end."""
        row = self._row(key_id)
        if row is None:
            known = [key.id for key in self.all()]
            raise NotFound(f"no key {key_id!r}; {did_you_mean(key_id, known)}")
        with self._engine.begin() as db:
            ended = db.execute(
                keys.update()
                .where(keys.c.id == key_id, keys.c.revoked.is_(None))
                .values(revoked=time.time())
            )
        if not ended.rowcount:
            raise Conflict(f"key {key_id} was revoked before")
        return _key(self._row(key_id))

    def any_usable(self) -> bool:
        """Whether anybody has a key that is good."""
        return any(key.state == "usable" for key in self.all())

    def _row(self, key_id: str) -> Any:
        with self._reading() as db:
            return db.execute(sa.select(keys).where(keys.c.id == key_id)).mappings().first()

    def _note_use(self, key: Key) -> None:
        now = time.time()
        if key.last_used is not None and now - key.last_used < USED_SECONDS:
            return
        try:
            with self._engine.begin() as db:
                db.execute(keys.update().where(keys.c.id == key.id).values(last_used=now))
        except sa.exc.OperationalError as error:  # a full disk is no reason to refuse a reader
            log.warning("the use of a key was not noted", key=key.id, error=str(error.orig))

    def _reading(self) -> Any:
        return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")


def _scopes(given: Iterable[str]) -> tuple[Scope, ...]:
    known, scopes = [str(scope) for scope in Scope], list(dict.fromkeys(map(str, given)))
    wrong = [scope for scope in scopes if scope not in known]
    problems = [Problem("scopes", f"no scope {s!r}; {did_you_mean(s, known)}") for s in wrong]
    if not scopes:
        problems = [Problem("scopes", f"none given; {did_you_mean('', known)}")]
    if problems:
        raise RequestError(problems)
    return tuple(Scope(scope) for scope in scopes)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(row: Any) -> Key:
    content = {name: value for name, value in row.items() if name != "hash"}
    return Key(**{**content, "scopes": tuple(Scope(scope) for scope in content["scopes"])})
