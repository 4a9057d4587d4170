"""Shared links: good for one sweep until a moment, and only if they were made here."""

import threading
import time

import pytest

from delocal.service import sharing as module
from delocal.service.errors import NoKey, RequestError
from delocal.service.sharing import Sharing

SWEEP = "0123456789abcdef"


@pytest.fixture
def sharing(tmp_path):
    return Sharing(tmp_path, max_days=30)


def test_a_link_opens_its_sweep(sharing):
    token, expires = sharing.token(SWEEP, 60)
    assert sharing.check(token) == SWEEP
    assert 0 < expires - time.time() <= 60


def test_a_link_expires(sharing, monkeypatch):
    token, expires = sharing.token(SWEEP, 60)
    monkeypatch.setattr(module.time, "time", lambda: expires - 1)
    assert sharing.check(token) == SWEEP
    monkeypatch.setattr(module.time, "time", lambda: expires)
    with pytest.raises(NoKey, match="has expired"):
        sharing.check(token)


@pytest.mark.parametrize(
    "forge",
    [
        lambda sweep, expires, mac: f"fedcba9876543210.{expires}.{mac}",
        lambda sweep, expires, mac: f"{sweep}.{expires + 1}.{mac}",
        lambda sweep, expires, mac: f"{sweep}.{expires}.{'A' * 43}",
        lambda sweep, expires, mac: f"{sweep}.{expires}.{mac[:-1]}",
        lambda sweep, expires, mac: f"{sweep}.{expires}.",
        lambda sweep, expires, mac: f"{sweep}.{expires}.{mac}\n",
        lambda sweep, expires, mac: f"{sweep}.{'9' * 30}.{mac}",
        lambda sweep, expires, mac: f"{sweep}.٣.{mac}",
        lambda sweep, expires, mac: "nonsense",
    ],
)
def test_a_forged_link_opens_nothing(sharing, forge):
    token, expires = sharing.token(SWEEP, 60)
    with pytest.raises(NoKey, match="not made here"):
        sharing.check(forge(SWEEP, expires, token.rpartition(".")[2]))


def test_the_key_of_the_signatures_is_for_the_service_alone(sharing, tmp_path):
    sharing.token(SWEEP, 60)
    [file] = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(file.read_bytes()) == 32
    file.chmod(0o644)
    with pytest.raises(PermissionError, match="chmod 600"):
        sharing.token(SWEEP, 60)


def test_links_outlive_the_service_but_not_their_key(sharing, tmp_path):
    token, _ = sharing.token(SWEEP, 60)
    assert Sharing(tmp_path, 30).check(token) == SWEEP
    (tmp_path / "share.key").unlink()
    with pytest.raises(NoKey):
        sharing.check(token)


def test_services_that_start_together_have_one_key(tmp_path):
    tokens, start = [], threading.Barrier(8)

    def sign():
        start.wait()
        tokens.append(Sharing(tmp_path, 30).token(SWEEP, 600)[0])

    threads = [threading.Thread(target=sign) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [Sharing(tmp_path, 30).check(token) for token in tokens] == [SWEEP] * 8
    assert [file.name for file in tmp_path.iterdir()] == ["share.key"]


@pytest.mark.parametrize("seconds", [0, -1, 30 * 86_400 + 1, float("nan")])
def test_a_link_is_not_for_ever(sharing, seconds):
    with pytest.raises(RequestError, match=r"0 < seconds <= 2\.592e\+06"):
        sharing.token(SWEEP, seconds)
