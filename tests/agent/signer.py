"""A control plane's signing keys, as an agent meets them."""

import hashlib
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from wire.losses import (
    AUDIENCE,
    INTRODUCTION_AUDIENCE,
    INTRODUCTION_TYPE,
    REMOVAL_AUDIENCE,
    REMOVAL_TYPE,
    STATEMENT_SECONDS,
    TYPE,
)
from wire.numbers import TOKEN_ISSUER


class Signer:
    """One key at a time; rotate() introduces the next."""

    def __init__(self):
        self.introductions = []
        self.key, self.kid = ec.generate_private_key(ec.SECP256R1()), "k1"

    def rotate(self):
        former, self.key = (self.key, self.kid), ec.generate_private_key(ec.SECP256R1())
        self.kid = f"k{int(self.kid[1:]) + 1}"
        claims = {"jwk": self.jwk, "iss": TOKEN_ISSUER, "aud": INTRODUCTION_AUDIENCE}
        self.introductions.append(self._signed(claims, former, INTRODUCTION_TYPE))

    @property
    def jwk(self):
        algorithm = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256)
        return {**algorithm.to_jwk(self.key.public_key(), as_dict=True), "kid": self.kid}

    @property
    def published(self):
        return {"keys": [self.jwk], "introductions": self.introductions}

    def statement(self, asked, *, now=None, type_=TYPE, **changes):
        """For an agent.engine.statements.Loss."""
        now = int(time.time() if now is None else now)
        claims = {
            "sub": asked.machine_id,
            "org": asked.org_id,
            "from": asked.from_version,
            "to": asked.to_version,
            "count": asked.count,
            "lost": asked.lost,
            "nonce": asked.nonce,
            "reason": "lockdown",
            "iss": TOKEN_ISSUER,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + STATEMENT_SECONDS,
        }
        return self._signed(claims | changes, (self.key, self.kid), type_)

    def removal(self, *, now=None, **changes):
        """For the machine m1 of o1 with the node key nk."""
        now = int(time.time() if now is None else now)
        claims = {"sub": "m1", "org": "o1", "key": hashlib.sha256(b"nk").hexdigest()}
        claims |= {"iss": TOKEN_ISSUER, "aud": REMOVAL_AUDIENCE, "iat": now, "exp": now + STATEMENT_SECONDS}
        return self._signed(claims | changes, (self.key, self.kid), REMOVAL_TYPE)

    def _signed(self, claims, key, type_):
        return jwt.encode(claims, key[0], algorithm="ES256", headers={"kid": key[1], "typ": type_})
