"""Answers that are kept: found again, bounded, cleared, and never in the way."""

import os
import stat

import pytest

from delocal.api.response_cache import ResponseCache


def test_what_is_kept_is_found_with_its_version(tmp_path):
    cache = ResponseCache(tmp_path)
    assert cache.find("a") is None
    cache.keep("a", '"v1"', b"two\nlines")
    for again in (cache, ResponseCache(tmp_path)):
        assert (again.find("a").etag, again.find("a").content) == ('"v1"', b"two\nlines")
    cache.keep("a", '"v2"', b"")
    assert (cache.find("a").etag, cache.find("a").content) == ('"v2"', b"")


def test_the_least_used_goes_when_there_is_too_much(tmp_path):
    cache = ResponseCache(tmp_path, limit=1000)
    for i, name in enumerate("abcd"):
        cache.keep(name, "v", bytes(200))
        os.utime(cache._file(name), (i, i))
    assert cache.find("a")  # used now
    cache.keep("e", "v", bytes(200))
    assert [name for name in "abcde" if cache.find(name)] == ["a", "d", "e"]
    assert cache.size() <= 800


def test_what_is_larger_than_the_whole_is_not_kept(tmp_path):
    cache = ResponseCache(tmp_path, limit=1000)
    cache.keep("a", "v", bytes(900))
    assert cache.find("a") is None
    ResponseCache(tmp_path / "none", limit=0).keep("a", "v", b"")
    assert not (tmp_path / "none").exists()


def test_clearing_says_how_much_there_was(tmp_path):
    cache = ResponseCache(tmp_path)
    assert cache.clear() == 0
    cache.keep("a", "v", bytes(98))
    assert cache.clear() == 100
    assert (cache.size(), cache.find("a")) == (0, None)


def test_it_is_the_users_alone_and_in_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = ResponseCache()
    assert cache.folder == tmp_path / "delocal" / "answers"
    cache.keep("a", "v", b"")
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    cache = ResponseCache(tmp_path / "file" / "below")
    cache.keep("a", "v", b"x")
    cache.keep("b", "v", b"x")
    assert cache.find("a") is None
    assert len([r for r in caplog.records if "not kept any more" in r.message]) == 1


@pytest.mark.parametrize("content", [b"", b"x" * 10])
def test_a_file_without_a_version_is_harmless(tmp_path, content):
    cache = ResponseCache(tmp_path)
    cache.keep("a", "v", b"")
    cache._file("a").write_bytes(content)
    assert cache.find("a").content == b""
