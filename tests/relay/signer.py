"""Signs relay tokens as the control plane does, with a key of its own."""

import json
import time
from collections.abc import Mapping, Sequence

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from wire.binary import encode_key
from wire.numbers import RELAY_TOKEN_AUDIENCE, TOKEN_ISSUER


class Signer:
    """Its public half goes to the relay as a JWKS document."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def jwks(self) -> str:
        """The JWKS document."""
        entry = jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return json.dumps({"keys": [{**entry, "kid": "k1", "alg": "ES256", "use": "sig"}]})

    def token(
        self,
        disco: bytes,
        *,
        regions: Sequence[str],
        audience: str = RELAY_TOKEN_AUDIENCE,
        life: int = 900,
        org: str = "org-a",
    ) -> str:
        """A token for one disco key; a life below zero makes one that has ended."""
        claims = {"sub": "machine", "org": org, "key": encode_key(disco), "regions": list(regions)}
        return self.sign(claims, audience=audience, life=life)

    def sign(self, claims: Mapping[str, object], *, audience: str, life: int = 900) -> str:
        """A JWT over any claims, a minute old."""
        now = int(time.time())
        body = {**claims, "iss": TOKEN_ISSUER, "aud": audience, "iat": now - 60, "exp": now + life}
        return jwt.encode(body, self._key, algorithm="ES256", headers={"kid": "k1"})
