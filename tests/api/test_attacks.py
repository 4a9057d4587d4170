"""What somebody might try who means harm: each is refused, and costs next to nothing."""

import itertools
import json
import re
import tracemalloc
from pathlib import Path
from urllib.parse import unquote

import anyio
import pytest

from delocal.api.app import create_app
from delocal.api.policy import POLICY
from delocal.service import keys as keys_module
from delocal.service import sharing as sharing_module
from delocal.service.errors import NoKey, RequestError
from delocal.service.request import MAX_BLOCKS, SweepRequest
from delocal.service.settings import ClusterSettings, Service, Settings
from tests.api.conftest import HERE, client_of

POINT = {"d": 2, "alpha": 3, "beta": 3, "T": 0.1, "W": 1}
REQUEST = {"models": ["scaling"], "fixed": POINT}
SAMPLED = {"models": ["network"], "fixed": POINT}
SECRET = "what nobody may read"
KEY_FILE = "share.key"
MILLION = {"linspace": [1, 2, 1_000_000]}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Where the attacked service lies, with a secret beside it and above it."""
    place = tmp_path_factory.mktemp("attacked")
    for folder in (place, place.parent):
        (folder / "secret.txt").write_text(SECRET)
    return place


@pytest.fixture(scope="module")
def service(place):
    service = Service(Settings(data=place, cluster=ClusterSettings(kind="none")))
    yield service
    service.close()


@pytest.fixture(scope="module")
def rest(service):
    with client_of(service) as client:
        yield client


@pytest.fixture(scope="module")
def made(rest):
    """What the status of a sweep said when it was submitted."""
    return rest.post("/v1/sweeps", json=REQUEST).json()


@pytest.fixture
def sweep(rest, service, made):
    """The id of a sweep that is there, whatever became of it in a test before."""
    if service.ledger.sweep(made["id"]) is None or service.sweeps.get(made["id"]).deleted:
        rest.post("/v1/sweeps", json=REQUEST)
    return made["id"]


def ask(client, method, raw_path, headers=(), query=b"", host=b"127.0.0.1"):
    """Return status, headers and body of a request that no client would send.

    A client makes a path and headers decent; a server hands on what came, as here.
    """
    sent, body = [], iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive():
        for message in body:
            return message
        await anyio.sleep_forever()  # nobody hangs up

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": unquote(raw_path, errors="replace"),
        "raw_path": raw_path.encode(),
        "query_string": query,
        "headers": [(b"host", host), *headers],
        "client": HERE,
        "server": ("127.0.0.1", 80),
        "scheme": "http",
        "http_version": "1.1",
        "root_path": "",
    }
    client.portal.call(client.app, scope, receive, send)
    answer = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], dict(sent[0]["headers"]), answer


# paths

WITH_PARAMETERS = [route for route in POLICY if "{" in route]
WAYS_UP = ["..", "%2e%2e", "..%00", "%252e%252e", "..%5c..", "%c0%ae%c0%ae"]
SLASHES = ["/", "%2f", "%5c"]
GOALS = ["secret.txt", KEY_FILE, "ledger.sqlite", "plan.json", "etc/passwd", "security.py"]


def traversals():
    """Yield ways out of a folder: up by some steps, in some spelling, to something of interest."""
    goals = itertools.cycle(GOALS)
    for up, slash, steps in itertools.product(WAYS_UP, SLASHES, (1, 3)):
        yield slash.join([*[up] * steps, next(goals)])
    for goal in GOALS:
        yield from (f"%2f{goal}", f"scaling/../../{goal}")
    yield from ("%00", "%ff%fe", "a" * 5000, "..", "%2e%2e", ".")


@pytest.mark.parametrize("route", WITH_PARAMETERS)
def test_no_path_leads_out_of_its_folder(rest, service, sweep, place, route):
    token = service.sharing.token(sweep, 60)[0]
    forbidden = [SECRET.encode(), (place / KEY_FILE).read_bytes(), b"root:", b"SQLite format"]
    forbidden += [b'"parts"', b"class Guard"]  # of the plan; of the code behind the page
    known = {"sweep_id": sweep, "token": token, "name": "scaling", "key_id": "0" * 12}
    known["path:path"] = "scaling/zarr.json"
    method, _, template = route.partition(" ")
    for attacked in re.findall(r"{([\w:]+)}", template):
        path = template
        for name, value in known.items():
            if name != attacked:
                path = path.replace(f"{{{name}}}", value)
        for way in traversals():
            raw = path.replace(f"{{{attacked}}}", way)
            status, headers, body = ask(rest, method, raw)
            assert status < 500, raw
            assert not any(secret in body for secret in forbidden), raw
            if status >= 400:
                assert headers[b"content-type"] == b"application/problem+json", raw


@pytest.mark.parametrize("route", WITH_PARAMETERS)
def test_a_nul_is_refused_before_anything_is_looked_up(rest, route):
    """PostgreSQL takes none in a text, and no file system in a name."""
    method, _, template = route.partition(" ")
    status, headers, body = ask(rest, method, re.sub("{[^}]*}", "a%00b", template))
    assert status == 400
    assert headers[b"content-type"] == b"application/problem+json"
    assert b"NUL" in body


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/keys", {"name": "a", "days": True}),
        ("/v1/sweeps/{sweep}:share", {"seconds": True}),
        ("/v1/sweeps", {**REQUEST, "seed": True}),
        ("/v1/sweeps", {**SAMPLED, "sampling": {"replicas": True}}),
    ],
)
def test_true_is_no_number(rest, sweep, path, body):
    response = rest.post(path.format(sweep=sweep), json=body)
    assert response.status_code == 422
    assert "not a number" in response.json()["detail"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/keys", {"name": "a\0b"}),
        ("/v1/sweeps", {**REQUEST, "name": "a\0b"}),
        ("/v1/sweeps", {"models": ["a\0b"]}),
        ("/v1/sweeps", {**REQUEST, "fixed": {**POINT, "a\0b": 1}}),
        ("/v1/models/scaling/evaluate", {"parameters": {"a\0b": 1}}),
    ],
)
def test_a_nul_in_a_body_is_a_mistake_like_others(rest, path, body):
    assert rest.post(path, json=body).status_code == 422


# bombs


def nested(depth):
    return b"[" * depth + b"]" * depth


BOMBS = {
    "deep lists": nested(200_000),
    "deep objects": b'{"models":' * 100_000 + b"1" + b"}" * 100_000,
    "deep inside a request": b'{"models": ["scaling"], "axes": {"T": ' + nested(100_000) + b"}}",
    "a number of a million digits": b'{"models": ["scaling"], "seed": ' + b"9" * 1_000_000 + b"}",
    "many names": json.dumps({f"name{i}": i for i in range(50_000)}).encode(),
    "a long list of models": json.dumps({"models": ["scaling"] * 100_000}).encode(),
    "many wrong models": json.dumps({"models": [f"m{i}" for i in range(20_000)]}).encode(),
    "many parameters": json.dumps(
        {"models": ["scaling"], "fixed": {f"name{i}": i for i in range(50_000)}}
    ).encode(),
    "cases of many names": json.dumps(
        {"models": ["scaling"], "cases": [{f"{i}.{j}": 1 for j in range(99)} for i in range(700)]}
    ).encode(),
    "many options": json.dumps(
        {**REQUEST, "options": {"scaling": {f"name{i}": i for i in range(50_000)}}}
    ).encode(),
    "many exclusions": json.dumps({**REQUEST, "exclude": [{"q": 1}] * 20_000}).encode(),
    "laughing aliases": b"a: &a [x, x, x, x]\n"
    + b"".join(b"%c: &%c [*%c, *%c, *%c]\n" % (n + 1, n + 1, n, n, n) for n in range(97, 121)),
    "no text": b'{"models": ["\xff\xfe"]}',
    "infinity": b'{"models": ["scaling"], "fixed": {"T": 1e999}}',
    "a million times a million times a million": json.dumps(
        {"models": ["scaling"], "axes": {"T": MILLION, "W": MILLION, "L": MILLION}}
    ).encode(),
    "a thousand million cells": json.dumps(
        {
            "models": ["scaling"],
            "axes": {n: {"linspace": [2, 3, 1000]} for n in ("T", "W", "beta")},
            "fixed": {"d": 2, "alpha": 3},
        }
    ).encode(),
    "a million million tasks": json.dumps(
        {
            "models": ["spectral-diffusion"],
            "axes": {"T": {"linspace": [1, 2, 4000]}, "W": {"linspace": [1, 2, 5000]}},
            "fixed": {"d": 2, "alpha": 3, "beta": 3},
            "sampling": {"replicas": 100_000},
        }
    ).encode(),
}
MEMORY = 48 * 2**20  # bytes: a body of a million, its parts as objects of Python, and their words


@pytest.mark.parametrize("body", BOMBS.values(), ids=BOMBS)
@pytest.mark.parametrize("path", ["/v1/sweeps", "/v1/models/scaling/evaluate"])
def test_a_bomb_is_refused_and_takes_no_memory(rest, service, path, body):
    before = len(service.ledger.newest())
    tracemalloc.start()
    try:
        response = rest.post(path, content=body, headers={"Content-Type": "application/json"})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert response.status_code in (400, 413, 422), response.text[:500]
    assert response.headers["Content-Type"] == "application/problem+json"
    assert len(response.content) < 2**20
    assert peak < MEMORY
    assert len(service.ledger.newest()) == before


def test_an_extension_cannot_swell_a_sweep(rest):
    fixed = {name: value for name, value in POINT.items() if name not in ("W", "T")}
    small = {"models": ["scaling"], "axes": {"W": [1, 2], "T": [1, 2]}, "fixed": fixed}
    found = rest.post("/v1/sweeps", json=small).json()
    axes = {"W": {"linspace": [3, 4, 100_000]}, "T": {"linspace": [3, 4, 100_000]}}
    response = rest.post(f"/v1/sweeps/{found['id']}:extend", json={"axes": axes})
    assert response.status_code == 422
    assert "10,000,400,004 cells" in response.json()["detail"]


def test_a_yaml_bomb_is_refused_before_it_is_a_request():
    with pytest.raises(RequestError):
        SweepRequest.from_text(BOMBS["laughing aliases"].decode()).plan()


def test_so_many_blocks_are_told_with_advice():
    content = {
        "models": ["network"],
        "axes": {"T": {"linspace": [1, 2, 1000]}},
        "fixed": {"d": 2, "alpha": 3, "beta": 3, "W": 1},
        "sampling": {"replicas": 100_000},
    }
    with pytest.raises(RequestError, match="Take fewer replicas or cells") as caught:
        SweepRequest.parse(content).plan()
    assert caught.value.problems[0].field == "sampling"
    assert f"at most {MAX_BLOCKS:,}" in str(caught.value)
    fewer = {**content, "sampling": {"replicas": 100}}
    assert sum(len(part.blocks) for part in SweepRequest.parse(fewer).plan().parts) <= MAX_BLOCKS


# headers

INJECTED = "x\r\nX-Evil: 1\r\n\r\n<script>"
EVIL = INJECTED.encode()
QUERY = b"x%0d%0aX-Evil:%201%0d%0a%0d%0a"


@pytest.mark.parametrize("route", [r for r in POLICY if r.startswith("GET ")])
def test_nothing_that_is_sent_becomes_a_header(rest, service, sweep, route):
    names = {"sweep_id": sweep, "name": "scaling", "path:path": "scaling/zarr.json"}
    names["token"] = service.sharing.token(sweep, 60)[0]
    path = route.partition(" ")[2]
    for name, value in names.items():
        path = path.replace(f"{{{name}}}", value)
    injected = [
        (name, EVIL)
        for name in (b"x-request-id", b"accept", b"range", b"if-none-match", b"if-range", b"origin")
    ]
    queries = [b"limit=1&before=9&text=" + QUERY, b"model=" + QUERY, b"format=" + QUERY]
    for query in [*queries, b"T=" + QUERY, QUERY + b"=1", b"sel=" + QUERY]:
        for given, host in (([], b"127.0.0.1"), (injected, b"127.0.0.1"), ([], b"evil" + EVIL)):
            status, headers, _ = ask(rest, "GET", path, given, query, host)
            assert status < 500
            assert b"x-evil" not in headers
            assert not any(b"\r" in value or b"\n" in value for value in headers.values())


@pytest.mark.parametrize("host", [b"127.0.0.1\r\nx", b"127.0.0.1@evil.example", b"evil#127.0.0.1"])
def test_a_host_that_only_looks_like_this_machine_is_not_it(service, host):
    with client_of(service) as client:
        assert ask(client, "GET", "/v1/sweeps")[0] == 200
        assert ask(client, "GET", "/v1/sweeps", host=host)[0] == 401


# where the service connects to


def names_in(schema, schemas, seen=()):
    """Yield every name of a field that a schema lets a caller send."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name not in seen:
            yield from names_in(schemas[name], schemas, (*seen, name))
    for name, of in schema.get("properties", {}).items():
        yield name
        yield from names_in(of, schemas, seen)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from names_in(schema[key], schemas, seen)
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for of in schema.get(key, []):
            yield from names_in(of, schemas, seen)


def test_no_request_can_say_where_the_service_connects(service):
    """Cluster, database, store and identity provider are settings of the owner alone."""
    document = create_app(service).openapi()
    asked = set()
    for methods in document["paths"].values():
        for operation in methods.values():
            asked |= {parameter["name"] for parameter in operation.get("parameters", [])}
            for content in operation.get("requestBody", {}).get("content", {}).values():
                asked |= set(names_in(content["schema"], document["components"]["schemas"]))
    assert {"models", "axes", "linspace", "scopes", "seconds", "replicas"} <= asked
    settings = {*Settings.model_fields, *ClusterSettings.model_fields}
    assert {"cluster", "address", "kind", "data", "database_url"} <= settings
    assert asked & settings <= {"models", "options"}  # names of models, choices of a model
    assert not {
        name for name in asked if re.search("url|uri|host|address|callback|path$", name)
    } - {
        "path"  # of a file in a store, which exists already
    }


@pytest.mark.parametrize("field", ["cluster", "executor", "ledger", "data", "webhook", "source"])
def test_settings_are_no_part_of_a_request(rest, field):
    there = {"kind": "address", "address": "tcp://192.0.2.1:8786"}
    for path in ("/v1/sweeps", "/v1/models/scaling/evaluate"):
        response = rest.post(path, json={**REQUEST, field: there})
        assert response.status_code == 422
        assert field in {error["field"] for error in response.json()["errors"]}


# keys


@pytest.fixture
def comparisons(monkeypatch):
    """What is compared in constant time while a test runs."""
    seen = []
    compare = keys_module.hmac.compare_digest

    def spy(a, b):
        seen.append((a, b))
        return compare(a, b)

    monkeypatch.setattr(keys_module.hmac, "compare_digest", spy)
    assert sharing_module.hmac.compare_digest is spy
    return seen


def test_a_wrong_secret_and_an_unknown_key_take_the_same_way(service, comparisons):
    key, text = service.keys.create("k")
    wrong = text[:-1] + ("A" if text[-1] != "A" else "B")
    said = []
    for guess in (
        wrong,
        f"delocal_{'0' * 12}_{text.rpartition('_')[2]}",
        "delocal__",
        "",
        text * 9,
    ):
        with pytest.raises(NoKey) as caught:
            service.keys.check(guess)
        said.append(str(caught.value))
    assert len(set(said)) == 1
    assert len(comparisons) == len(said)
    assert {len(side) for pair in comparisons for side in pair} == {64}  # digests, never secrets
    assert service.keys.check(text).id == key.id


def test_a_forged_link_is_compared_in_constant_time(service, comparisons):
    token = service.sharing.token("0" * 16, 60)[0]
    forged = token[:-1] + ("A" if token[-1] != "A" else "B")
    with pytest.raises(NoKey):
        service.sharing.check(forged)
    assert len(comparisons) == 1
    later = token.replace(token.split(".")[1], "9" * 12)
    with pytest.raises(NoKey, match="not made here"):
        service.sharing.check(later)
    assert service.sharing.check(token) == "0" * 16


def test_the_threat_model_names_tests_that_are_there():
    root = Path(__file__).parents[2]
    page = (root / "docs" / "explanation" / "threat-model.md").read_text()
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", page))
    assert len(named) > 4
    assert all((root / name).is_file() for name in named)
