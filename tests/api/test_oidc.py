"""Tokens of an identity provider, with keys made here and a provider on this machine."""

import base64
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from delocal.api import oidc
from delocal.api.app import create_app
from delocal.api.oidc import Provider
from delocal.api.serving import require_keys
from delocal.service.errors import NoKey, NotReady
from delocal.service.keys import OidcSettings, Scope
from delocal.service.settings import ClusterSettings, Service, Settings
from tests.api.conftest import ELSEWHERE, client_of
from tests.api.test_rest import REQUEST


@pytest.fixture(scope="module")
def rsa():
    return RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})


@pytest.fixture
def issuer(rsa):
    """Yield a provider that publishes `published`, and counts how often it was asked."""
    state = {"published": [rsa], "asked": 0, "broken": False, "name": ""}

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            state["asked"] += 1
            keys = [key.as_dict(private=False) for key in state["published"]]
            keys.append({"kty": "unheard-of", "kid": "other"})
            pages = {
                "/.well-known/openid-configuration": {
                    "issuer": state["name"] or state["url"],
                    "jwks_uri": f"{state['url']}/keys",
                },
                "/keys": {"keys": keys},
            }
            self.send_response(503 if state["broken"] else 200)
            self.end_headers()
            self.wfile.write(json.dumps(pages[self.path]).encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        state["url"] = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield state
        server.shutdown()
        thread.join()


@pytest.fixture
def provider(issuer):
    return Provider(OidcSettings(issuer=issuer["url"], audience="delocal"))


def token(issuer, key, algorithm="RS256", header=None, **claims):
    content = {
        "iss": issuer["url"],
        "aud": ["other", "delocal"],
        "sub": "ada",
        "exp": int(time.time()) + 300,
        "scope": "openid sweeps:read data:read",
        **claims,
    }
    kept = {name: value for name, value in content.items() if value is not None}
    return jwt.encode({"alg": algorithm, "kid": key.kid, **(header or {})}, kept, key, [algorithm])


def test_a_token_says_who_and_what(issuer, provider, rsa):
    caller = provider.check(token(issuer, rsa, name="Ada"))
    assert (caller.id, caller.name) == ("oidc:ada", "Ada")
    assert caller.scopes == {Scope.SWEEPS_READ, Scope.DATA_READ}


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": None}, set()),
        ({"scope": "openid email"}, set()),
        ({"scope": None, "scp": ["admin", "x"]}, {Scope.ADMIN}),
        ({"scope": 7}, set()),
        ({"scope": "sweeps:readonly"}, set()),
    ],
)
def test_scopes_are_ours_and_whole_words(issuer, provider, rsa, claims, scopes):
    assert provider.check(token(issuer, rsa, **claims)).scopes == scopes


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "other"},
        {"aud": None},
        {"iss": "http://127.0.0.1:1"},
        {"iss": None},
        {"exp": int(time.time()) - 120},
        {"exp": None},
        {"nbf": int(time.time()) + 1000},
        {"sub": None},
    ],
)
def test_a_token_for_another_service_or_time_is_refused(issuer, provider, rsa, claims):
    with pytest.raises(NoKey, match="not good here"):
        provider.check(token(issuer, rsa, **claims))


def test_a_token_that_the_provider_did_not_sign_is_refused(issuer, provider, rsa):
    impostor = RSAKey.generate_key(2048, {"kid": "first"})
    head, body, _ = token(issuer, rsa).split(".")
    forged = [
        token(issuer, impostor),
        f"{head}.{body}.",
        f"{head}.{body}.{'A' * 342}",
        "eyJhbGciOiJub25lIn0." + body + ".",
        "nonsense",
        "a.b.c",
        "",
    ]
    for text in forged:
        with pytest.raises(NoKey, match="neither a key nor a token"):
            provider.check(text)


def encoded(content):
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def test_the_public_key_is_no_password(issuer, provider, rsa):
    """The old trick: sign with the public key as if it were a shared secret."""
    head = encoded(b'{"alg":"HS256","kid":"first"}')
    body = token(issuer, rsa).split(".")[1]
    digest = hmac.digest(rsa.as_pem(private=False), f"{head}.{body}".encode(), "sha256")
    text = f"{head}.{body}.{encoded(digest)}"
    with pytest.raises(NoKey, match="neither a key nor a token"):
        provider.check(text)


def test_keys_are_fetched_once_and_again_when_they_change(issuer, provider, rsa, monkeypatch):
    for _ in range(3):
        provider.check(token(issuer, rsa))
    assert issuer["asked"] == 2  # where the keys are, and the keys
    second = ECKey.generate_key("P-256", {"kid": "second", "use": "sig"})
    issuer["published"] = [rsa, second]
    text = token(issuer, second, "ES256")
    with pytest.raises(NoKey):  # too soon after the last time to ask again
        provider.check(text)
    assert issuer["asked"] == 2
    monkeypatch.setattr(oidc, "AGAIN_SECONDS", 0.0)
    assert provider.check(text).id == "oidc:ada"
    assert issuer["asked"] == 4


@pytest.mark.parametrize("wrong", [{"broken": True}, {"name": "https://other.example"}])
def test_a_provider_that_does_not_answer_is_not_the_fault_of_the_caller(
    issuer, provider, rsa, monkeypatch, wrong
):
    right = dict(issuer)
    issuer.update(wrong)
    for _ in range(3):
        with pytest.raises(NotReady, match="does not answer"):
            provider.check(token(issuer, rsa))
    assert issuer["asked"] == 1  # then it is left alone for a while
    issuer.update(right)
    monkeypatch.setattr(oidc, "DOWN_SECONDS", 0.0)
    assert provider.check(token(issuer, rsa))


def test_a_provider_is_asked_over_https(issuer):
    with pytest.raises(ValueError, match="over https only"):
        Provider(OidcSettings(issuer="http://login.example.org", audience="delocal"))
    with pytest.raises(ValueError, match=r"both oidc\.issuer and oidc\.audience"):
        Provider(OidcSettings(issuer="https://login.example.org"))


def test_tokens_and_keys_are_good_side_by_side(issuer, rsa, tmp_path):
    settings = Settings(
        data=tmp_path,
        cluster=ClusterSettings(kind="none"),
        oidc=OidcSettings(issuer=issuer["url"], audience="delocal"),
    )
    require_keys(settings, "0.0.0.0")  # nobody gets in without a token
    service = Service(settings)
    try:
        text = token(issuer, rsa, scope="sweeps:read sweeps:write")
        with client_of(service, ELSEWHERE, local=False) as client:
            assert client.get("/v1/sweeps").status_code == 401
            headers = {"Authorization": f"Bearer {text}"}
            sweep = client.post("/v1/sweeps", json=REQUEST, headers=headers).json()
            assert sweep["submitted_by"] == "oidc:ada"
            data = client.get(f"/v1/sweeps/{sweep['id']}/data", headers=headers)
            assert data.status_code == 403
            key = service.keys.create("x", ["data:read"])[1]
            headers = {"Authorization": f"Bearer {key}"}
            assert (
                client.get("/v1/sweeps/0123456789abcdef/data", headers=headers).status_code == 404
            )
        assert service.audit.newest()[0].caller == "oidc:ada"
    finally:
        service.close()


def test_without_the_extra_the_service_says_what_to_install(tmp_path, monkeypatch):
    import sys

    monkeypatch.delitem(sys.modules, "delocal.api.oidc")
    monkeypatch.setitem(sys.modules, "joserfc", None)
    settings = Settings(
        data=tmp_path,
        cluster=ClusterSettings(kind="none"),
        oidc=OidcSettings(issuer="https://login.example.org", audience="delocal"),
    )
    service = Service(settings)
    with pytest.raises(ValueError, match=r"pip install 'delocal\[oidc\]'"):
        create_app(service)
    service.close()
