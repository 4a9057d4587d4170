"""Keys: shown once, kept as a hash, good for what they say until they end."""

import time

import pytest
import sqlalchemy as sa
from alembic import command

from delocal.service import keys as module
from delocal.service.database import migration_config
from delocal.service.errors import Conflict, NoKey, NotFound, RequestError
from delocal.service.keys import TRUSTED, Keys, Scope
from delocal.service.ledger import Ledger
from delocal.service.tables import keys as table


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    yield ledger
    ledger.close()


@pytest.fixture
def keys(ledger):
    return Keys(ledger.engine)


def test_a_key_says_who_holds_it_and_what_it_is_good_for(keys):
    key, text = keys.create("laptop", ["data:read"])
    caller = keys.check(text)
    assert (caller.id, caller.name) == (key.id, "laptop")
    assert caller.may(Scope.DATA_READ)
    assert not caller.may(Scope.SWEEPS_READ)


def test_an_administrator_may_do_everything(keys):
    caller = keys.check(keys.create("root", ["admin"])[1])
    assert all(caller.may(scope) for scope in Scope)


def test_the_secret_has_256_bits_and_is_not_in_the_database(keys, ledger, tmp_path):
    _, text = keys.create("laptop")
    secret = text.split("_", 2)[2]
    assert len(secret) >= 256 / 6
    with ledger.engine.connect() as db:
        assert secret not in str(db.execute(sa.select(table)).all())
    ledger.close()  # the log of the database is written back
    for file in tmp_path.iterdir():
        assert secret.encode() not in file.read_bytes()


def test_no_two_keys_are_alike(keys):
    texts = [keys.create("x")[1] for _ in range(20)]
    assert len({text.split("_", 1)[1].partition("_")[0] for text in texts}) == 20
    assert len({text.split("_", 2)[2] for text in texts}) == 20


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: "nonsense",
        lambda text: text[:-1],
        lambda text: text + "x",
        lambda text: text.rpartition("_")[0],
        lambda text: text[:-1] + ("a" if text[-1] != "a" else "b"),
        lambda text: "delocal_000000000000_" + text.split("_", 2)[2],
        lambda text: "delocal__",
        lambda text: "é_ü_ß",
    ],
)
def test_anything_else_is_no_key(keys, spoil):
    text = keys.create("laptop")[1]
    with pytest.raises(NoKey, match="not known here"):
        keys.check(spoil(text))


def test_secrets_are_compared_in_constant_time_whether_the_id_is_known_or_not(keys, monkeypatch):
    compared = []

    def digest(a, b):
        compared.append((len(a), len(b)))
        return False

    monkeypatch.setattr(module.hmac, "compare_digest", digest)
    for text in (keys.create("laptop")[1], "delocal_000000000000_secret"):
        with pytest.raises(NoKey):
            keys.check(text)
    assert compared == [(64, 64)] * 2


def test_a_key_expires(keys):
    _, text = keys.create("old", days=-1)
    with pytest.raises(NoKey, match=r"\(old\) is expired"):
        keys.check(text)
    assert keys.check(keys.create("new", days=1)[1])
    assert keys.create("for ever", days=None)[0].expires is None


def test_a_revoked_key_is_no_good_any_more(keys):
    key, text = keys.create("lost")
    assert keys.check(text)
    assert keys.revoke(key.id).state == "revoked"
    with pytest.raises(NoKey, match="is revoked"):
        keys.check(text)
    with pytest.raises(Conflict, match="revoked before"):
        keys.revoke(key.id)
    with pytest.raises(NotFound, match=f"did you mean '{key.id}'"):
        keys.revoke(key.id[:-1] + "x")


def test_a_service_knows_whether_anybody_has_a_key(keys):
    assert not keys.any_usable()
    keys.create("old", days=-1)
    assert not keys.any_usable()
    key, _ = keys.create("new")
    assert keys.any_usable()
    keys.revoke(key.id)
    assert not keys.any_usable()


def test_the_last_use_is_known_and_costs_few_writes(keys, ledger, monkeypatch):
    _, text = keys.create("laptop")
    assert keys.all()[0].last_used is None
    keys.check(text)
    first = keys.all()[0].last_used
    assert abs(first - time.time()) < 60
    keys.check(text)
    assert keys.all()[0].last_used == first
    monkeypatch.setattr(module, "USED_SECONDS", 0.0)
    keys.check(text)
    assert keys.all()[0].last_used > first


def test_a_ledger_that_takes_no_writes_refuses_no_reader(keys, ledger):
    _, text = keys.create("laptop")

    @sa.event.listens_for(ledger.engine, "before_cursor_execute")
    def full(connection, cursor, statement, *_):
        if statement.startswith("UPDATE"):
            raise sa.exc.OperationalError(statement, {}, OSError("disk full"))

    assert keys.check(text).name == "laptop"


def test_unknown_scopes_are_told(keys):
    with pytest.raises(RequestError, match="did you mean 'sweeps:read'"):
        keys.create("x", ["sweep:read"])
    with pytest.raises(RequestError, match="none given"):
        keys.create("x", [])
    assert keys.all() == []


def test_where_no_key_is_needed_everything_is_allowed():
    assert TRUSTED.id is None
    assert all(TRUSTED.may(scope) for scope in Scope)


def test_a_ledger_from_before_there_were_keys_gets_them(tmp_path):
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    command.upgrade(migration_config(url), "0002")
    engine = sa.create_engine(url)
    with engine.begin() as db:
        db.execute(
            sa.text(
                "INSERT INTO sweeps (id, name, tags, request, state, cells, counts, blocks,"
                " blocks_done, seconds, created) VALUES"
                " ('0123456789abcdef', 'old', '[]', '{}', 'done', 1, '{}', 1, 1, 0.5, 1e9)"
            )
        )
    engine.dispose()
    ledger = Ledger(url)
    old = ledger.sweep("0123456789abcdef")
    assert (old.name, old.submitted_by, old.expected_seconds) == ("old", None, None)
    assert Keys(ledger.engine).check(Keys(ledger.engine).create("new")[1]).name == "new"
    ledger.close()
    command.downgrade(migration_config(url), "0002")
    engine = sa.create_engine(url)
    with engine.connect() as db:
        assert db.scalar(sa.text("SELECT name FROM sweeps")) == "old"
    engine.dispose()
