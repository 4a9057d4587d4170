"""Tokens of an identity provider (OpenID Connect) in the place of keys.

The only file that imports joserfc, which comes with the extra `oidc`. A token is a JWT that the
provider signed for this service: its issuer, audience and times are checked, and the scopes of ours
that it lists are what its holder may do.
"""

from __future__ import annotations

import threading
import time
from typing import Any
from urllib.parse import urlsplit

import httpx2
from joserfc import jwt
from joserfc.errors import ClaimError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet, import_key

from delocal.api.security import is_loopback
from delocal.service.errors import NoKey, NotReady
from delocal.service.keys import Caller, OidcSettings, Scope

# Signatures with a public key alone: with the others, whoever can check a token can make one.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
KEYS_SECONDS = 3600.0  # how long the provider's keys are taken for current
AGAIN_SECONDS = 60.0  # how soon they are fetched again for a token with a key that is not known
LEEWAY = 60  # seconds between the provider's clock and ours
FETCH_SECONDS = 5.0
DOWN_SECONDS = 5.0  # how long a provider that did not answer is left alone


class Provider:
    """An identity provider, whose keys are fetched when they are first needed.

    Raises
    ------
    ValueError
        No audience is given, or the issuer would be asked over a line that others can change.
    """

    def __init__(self, settings: OidcSettings) -> None:
        if not settings.issuer or not settings.audience:
            raise ValueError("oidc needs both oidc.issuer and oidc.audience")
        self._issuer = _checked(settings.issuer.rstrip("/"))
        self._registry = jwt.JWTClaimsRegistry(
            leeway=LEEWAY,
            iss={"essential": True, "values": [settings.issuer, self._issuer]},
            aud={"essential": True, "value": settings.audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        self._keys = KeySet([])
        self._fetched = float("-inf")
        self._failed = float("-inf")
        self._lock = threading.Lock()

    def check(self, token: str) -> Caller:
        """Return who holds a token; NoKey says what is wrong with it.

        NotReady if the provider's keys cannot be had.
        """
        try:
            claims = self._decoded(token).claims
            self._registry.validate(claims)
        except ClaimError as error:
            raise NoKey(f"this token is not good here: {error.description}") from error
        except (JoseError, ValueError) as error:
            raise NoKey("this is neither a key nor a token of the identity provider") from error
        name = claims.get("name") or claims.get("preferred_username") or claims["sub"]
        return Caller(f"oidc:{claims['sub']}"[:200], str(name), _scopes(claims))

    def _decoded(self, token: str) -> jwt.Token:
        try:
            return jwt.decode(token, self._current(KEYS_SECONDS), ALGORITHMS)
        except InvalidKeyIdError:  # the provider may have changed its keys
            return jwt.decode(token, self._current(AGAIN_SECONDS), ALGORITHMS)

    def _current(self, seconds: float) -> KeySet:
        """Return the provider's keys, fetched anew if they are older than that."""
        with self._lock:
            if time.monotonic() - self._fetched > seconds:
                self._keys = self._fetch()
                self._fetched = time.monotonic()
            return self._keys

    def _fetch(self) -> KeySet:
        down = f"the identity provider {self._issuer} does not answer"
        if time.monotonic() - self._failed < DOWN_SECONDS:
            raise NotReady(down)
        try:
            found = _get(f"{self._issuer}/.well-known/openid-configuration")
            if found["issuer"].rstrip("/") != self._issuer:
                raise ValueError(f"it calls itself {found['issuer']}")
            keys = _get(_checked(found["jwks_uri"]))["keys"]
        except (httpx2.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
            self._failed = time.monotonic()
            raise NotReady(f"{down} as it should: {error}") from error
        usable = []
        for key in keys:
            try:
                usable.append(import_key(key))
            except (JoseError, ValueError):  # of a kind that is not for us
                continue
        return KeySet(usable)


def _get(url: str) -> Any:
    response = httpx2.get(url, timeout=FETCH_SECONDS)
    response.raise_for_status()
    return response.json()


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError(f"{url}: an identity provider is asked over https only")
    return url


def _scopes(claims: dict[str, Any]) -> frozenset[Scope]:
    """Return our scopes among those of a token: a text with spaces, or a list."""
    given = claims.get("scope", claims.get("scp", ""))
    words = given.split() if isinstance(given, str) else given
    return frozenset(scope for scope in Scope if isinstance(words, list) and scope in words)
