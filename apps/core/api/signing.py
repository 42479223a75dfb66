"""Tokens signed by the control plane: ES256, one audience each, keys told apart by `kid`.

`apps.auth` keeps the keys; it registers here who finds them.
"""

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

from apps.core.errors import Unauthorized

ISSUER = "quickztna"
LEEWAY_SECONDS = 30


class Keyring(NamedTuple):
    """current: (kid, private key) that signs; public: kid -> key, of all that still verify.

    public takes unknown_kid=True to look again for a key that is newer than its cache.
    """

    current: Callable[[], tuple[str, EllipticCurvePrivateKey]]
    public: Callable[..., Mapping[str, EllipticCurvePublicKey]]


_keyring: list[Keyring] = []


def provide_keyring(keyring: Keyring) -> None:
    _keyring[:] = [keyring]


def sign(claims: Mapping[str, Any], *, audience: str, seconds: int, type_: str = "JWT") -> str:
    """A compact JWT with iss, aud, iat, exp and jti added to the claims."""
    kid, key = _keyring[0].current()
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
    algorithm = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256)
    keys = [
        {**algorithm.to_jwk(key, as_dict=True), "kid": kid, "use": "sig", "alg": "ES256"}
        for kid, key in _keyring[0].public().items()
    ]
    return {"keys": keys}
