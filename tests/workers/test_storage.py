"""Folder and bucket: files whole or not there, places whole or not there."""

import errno
import threading

import pytest

from delocal.workers import storage as storage_module
from delocal.workers.storage import Piece, storage_at, unavailable, within


def others(content):
    return iter([("a.json", b"of " + content), ("data/x/c.0", b"x"), ("empty/", b"")])


@pytest.fixture
def storage(place):
    created = storage_at(within(place, "sweep"))
    created.create("plan.json", b"plan", others)
    return created


def test_a_new_place_has_all_its_files(storage):
    assert {n for n in storage.names() if n != "draft.json"} == {
        "plan.json",
        "a.json",
        "data/x/c.0",
    }
    assert storage.read("a.json") == b"of plan"
    storage.write("empty/receipt", b"r")
    assert list(storage.names("empty")) == ["empty/receipt"]


def test_what_is_not_there_is_none(storage):
    assert storage.read("nothing") is None
    assert storage.read("data") is None
    assert storage.read("a.json/below") is None
    assert storage.version("nothing") is None
    storage.remove("nothing")
    with pytest.raises(FileNotFoundError):
        storage.age("nothing")
    assert storage_at(within(storage.location, "nowhere")).folders() == []
    assert list(storage.names("nowhere")) == []


@pytest.mark.parametrize(
    ("start", "end", "piece"),
    [
        (2, 5, (b"234", 2)),
        (7, None, (b"789", 7)),
        (7, 100, (b"789", 7)),
        (-3, None, (b"789", 7)),
        (-100, None, (b"0123456789", 0)),
        (0, None, (b"0123456789", 0)),
        (10, None, (b"", 10)),
        (12, 15, (b"", 10)),
    ],
)
def test_some_bytes_of_a_file(storage, start, end, piece):
    storage.write("a.json", b"0123456789")
    assert storage.read_piece("a.json", start, end) == Piece(*piece, 10, storage.version("a.json"))
    assert storage.read_piece("nothing", start, end) is None
    assert storage.read_piece("data", start, end) is None


def test_a_file_is_replaced_and_its_version_tells(storage):
    before = storage.version("a.json")
    storage.write("a.json", b"other")
    assert storage.read("a.json") == b"other"
    assert storage.version("a.json") != before
    assert -5 < storage.age("a.json") < 60
    storage.remove("a.json")
    assert storage.read("a.json") is None


def test_several_files_are_written_from_an_iterator(storage):
    files = {f"data/x/c.{i}": bytes([i]) * i for i in range(1, 40)}
    storage.write_all(iter(files.items()))
    assert {name: storage.read(name) for name in files} == files


def test_an_error_in_the_middle_of_several_is_raised(storage):
    def broken():
        yield "data/x/c.1", b"1"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        storage.write_all(broken())


def test_who_comes_second_leaves_everything_as_it_is(storage):
    storage.create("plan.json", b"another", others)
    assert storage.read("plan.json") == b"plan"
    assert storage.read("a.json") == b"of plan"


def test_many_creators_leave_the_files_of_one(place):
    barrier, errors = threading.Barrier(6), []

    def create(i):
        barrier.wait()
        try:
            storage_at(within(place, "s")).create("plan.json", b"%d" % i, others)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=create, args=[i]) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    found = storage_at(within(place, "s"))
    assert found.read("a.json") == b"of " + found.read("plan.json")
    assert storage_at(place).folders() == ["s"]


def test_a_creator_that_dies_leaves_nothing_that_is_taken_for_the_place(place):
    """And the next one succeeds, with files that belong together."""

    def dying(content):
        yield "a.json", b"of " + content
        raise KeyboardInterrupt

    storage = storage_at(within(place, "sweep"))
    with pytest.raises(KeyboardInterrupt):
        storage.create("plan.json", b"first", dying)
    assert storage.version("plan.json") is None
    storage.create("plan.json", b"second", others)
    assert storage.read("a.json") == b"of " + storage.read("plan.json")


def test_a_cleared_place_is_gone_and_can_be_created_again(storage, place):
    storage.clear("plan.json")
    assert list(storage.names()) == []
    assert storage_at(place).folders() == []
    storage.clear("plan.json")
    storage.create("plan.json", b"new", others)
    assert storage.read("a.json") == b"of new"


def test_places_have_addresses(place):
    storage = storage_at(f"{place}/")
    assert storage.location == place
    assert storage_at(storage.location).location == place


def test_a_bucket_needs_a_name():
    with pytest.raises(ValueError, match="s3://bucket/prefix"):
        storage_at("s3://")


def test_a_bucket_that_is_not_there_is_an_error_that_names_it(s3):
    with pytest.raises(OSError, match="s3://nowhere"):
        storage_at("s3://nowhere/x").write("a", b"")


def test_a_server_that_is_away_is_an_error_not_a_missing_file(s3, monkeypatch):
    from delocal.workers import obstore

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(obstore, "RETRIES", 0)
    with pytest.raises(OSError, match="s3://away") as caught:
        storage_at("s3://away/x").read("a")
    assert caught.value.errno == errno.EHOSTUNREACH
    assert unavailable(caught.value)


def test_where_put_if_absent_is_unknown_it_is_put(prefix, monkeypatch):
    """Some servers cannot tell; then the last of several creators wins."""
    from obstore.exceptions import NotSupportedError

    from delocal.workers.obstore import Bucket

    bucket, puts = Bucket(prefix), []

    class Old:
        def put(self, name, content, mode="overwrite"):
            if mode == "create":
                raise NotSupportedError("conditional put")
            puts.append((name, content))

    monkeypatch.setattr(Bucket, "_store", Old())
    bucket.create("plan.json", b"plan", lambda content: [("a", content)])
    assert puts == [("draft.json", b"plan"), ("a", b"plan"), ("plan.json", b"plan")]


@pytest.mark.parametrize(
    ("error", "number"),
    [
        ("GenericError: XMinioStorageFull", errno.ENOSPC),
        ("GenericError: QuotaExceeded", errno.ENOSPC),
        ("PermissionDeniedError: AccessDenied", errno.EROFS),
        ("GenericError: connection reset", errno.EHOSTUNREACH),
    ],
)
def test_a_bucket_that_takes_nothing_is_like_a_disk_that_is_full(
    prefix, monkeypatch, error, number
):
    from obstore import exceptions

    from delocal.workers.obstore import Bucket

    kind, _, message = error.partition(": ")

    class Full:
        def put(self, name, content):
            raise getattr(exceptions, kind)(message)

    monkeypatch.setattr(Bucket, "_store", Full())
    with pytest.raises(OSError, match=message) as caught:
        Bucket(prefix).write("a", b"")
    assert caught.value.errno == number
    assert unavailable(caught.value)


def test_a_disk_that_is_full_keeps_the_old_file_and_no_half_of_the_new(tmp_path, monkeypatch):
    folder = storage_at(tmp_path)
    folder.write("a", b"old")

    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(storage_module.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        folder.write("a", b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"old"}


def test_a_disk_that_fills_up_during_creation_keeps_nothing(tmp_path):
    def full(content):
        yield "a.json", content
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        storage_at(tmp_path / "sweep").create("plan.json", b"plan", full)
    assert list(tmp_path.iterdir()) == []
