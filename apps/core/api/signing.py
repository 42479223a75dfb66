"""Tokens signed by the control plane: ES256, one audience each, keys told apart by `kid`.

`apps.auth` keeps the keys; it registers here who finds them.
"""

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

from apps.core.errors import Unauthorized

ISSUER = "quickztna"
LEEWAY_SECONDS = 30


class Keyring(NamedTuple):
    """current: (kid, private key) that signs; public: kid -> key, of all that still verify.

    public takes unknown_kid=True to look again for a key that is newer than its cache. introductions:
    for each key after the first a token in which the one before it names it, oldest first.
    """

    current: Callable[[], tuple[str, EllipticCurvePrivateKey]]
    public: Callable[..., Mapping[str, EllipticCurvePublicKey]]
    introductions: Callable[[], Sequence[str]] = tuple


_keyring: list[Keyring] = []


def provide_keyring(keyring: Keyring) -> None:
    _keyring[:] = [keyring]


def sign(claims: Mapping[str, Any], *, audience: str, seconds: int, type_: str = "JWT") -> str:
    """A compact JWT with iss, aud, iat, exp and jti added to the claims."""
    return sign_with(_keyring[0].current(), claims, audience=audience, seconds=seconds, type_=type_)


def sign_with(
    current: tuple[str, EllipticCurvePrivateKey],
    claims: Mapping[str, Any],
    *,
    audience: str,
    seconds: int,
    type_: str = "JWT",
) -> str:
    """The same by a key of the caller's, (kid, private key)."""
    kid, key = current
    now = int(time.time())
    body = {
        **claims,
        "iss": ISSUER,
        "aud": audience,
        "iat": now,
        "exp": now + seconds,
        "jti": uuid.uuid4().hex,
    }
    return jwt.encode(body, key, algorithm="ES256", headers={"kid": kid, "typ": type_})


def verify(token: str, *, audience: str, type_: str = "JWT") -> dict[str, Any]:
    """Claims of a token of ours; raises Unauthorized for every flaw alike."""
    try:
        header = jwt.get_unverified_header(token)
        kid = header.get("kid", "")
        key = _keyring[0].public().get(kid) or _keyring[0].public(unknown_kid=True).get(kid)
        if key is None or header.get("typ") != type_:
            raise Unauthorized("Invalid or expired token")
        return jwt.decode(
            token,
            key,
            algorithms=["ES256"],
            audience=audience,
            issuer=ISSUER,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iat", "jti", "sub", "aud", "iss"]},
        )
    except (jwt.PyJWTError, ValueError, TypeError):
        raise Unauthorized("Invalid or expired token") from None


def key_set() -> dict[str, Any]:
    """JWKS of all keys that still verify."""
    return {"keys": [jwk_of(kid, key) for kid, key in _keyring[0].public().items()]}


def jwk_of(kid: str, key: EllipticCurvePublicKey) -> dict[str, str]:
    """A public key as it is published (RFC 7517)."""
    algorithm = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256)
    return {**algorithm.to_jwk(key, as_dict=True), "kid": kid, "use": "sig", "alg": "ES256"}


def introduced_keys() -> dict[str, Any]:
    """The same with what lets those who know an older key trust the newer ones."""
    return {**key_set(), "introductions": list(_keyring[0].introductions())}
