"""Offline check of relay tokens: ES256 JWTs (RFC 7519) of the control plane."""

import asyncio
import json
import logging
import ssl
import time
from pathlib import Path
from typing import Any

import httpx
import jwt

from relay.claims import Claims, TokenRefused
from wire.binary import WireError, decode_key
from wire.numbers import RELAY_TOKEN_AUDIENCE, TOKEN_ISSUER, X25519_KEY_BYTES

logger = logging.getLogger("relay.tokens")

REFRESH_SECONDS = 300.0
RETRY_SECONDS = 2.0
LEEWAY_SECONDS = 30
MAX_JWKS_BYTES = 64 * 1024


class TokenVerifier:
    """Knows the control plane's public keys by `kid` and checks tokens against them."""

    def __init__(self, *, region: str) -> None:
        self._region = region
        self._keys: dict[str, jwt.PyJWK] = {}

    def load(self, document: bytes) -> None:
        """Take a JWKS document; keys that are not ES256 are left out."""
        entries = json.loads(document).get("keys", [])
        self._keys = {
            entry["kid"]: jwt.PyJWK(entry, algorithm="ES256")
            for entry in entries
            if entry.get("kty") == "EC" and entry.get("crv") == "P-256" and entry.get("kid")
        }

    @property
    def key_count(self) -> int:
        """How many signing keys are known."""
        return len(self._keys)

    def verify(self, token: str, now: float) -> Claims:
        """Claims of a token that is good for this region; TokenRefused otherwise.

        now is the monotonic clock of the core: the end of the token is given on that clock.
        """
        claims = self.decode(token, audience=RELAY_TOKEN_AUDIENCE)
        try:
            disco = decode_key(str(claims["key"]), X25519_KEY_BYTES)
            organisation, regions = str(claims["org"]), claims["regions"]
            issued_at, expires_at = int(claims["iat"]), float(claims["exp"])
        except (KeyError, TypeError, ValueError, WireError) as error:
            raise TokenRefused(type(error).__name__) from None
        if not isinstance(regions, list) or self._region not in regions:
            raise TokenRefused("region")
        return Claims(disco, organisation, now + expires_at - time.time() + LEEWAY_SECONDS, issued_at)

    def decode(self, token: str, *, audience: str) -> dict[str, Any]:
        """Claims of anything that the control plane signed for an audience; TokenRefused for the rest."""
        try:
            key = self._keys[str(jwt.get_unverified_header(token).get("kid"))]
            return jwt.decode(
                token,
                key,
                algorithms=["ES256"],
                audience=audience,
                issuer=TOKEN_ISSUER,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "sub", "aud", "iss"]},
            )
        except (jwt.PyJWTError, KeyError) as error:
            raise TokenRefused(type(error).__name__) from None


async def keep_loaded(verifier: TokenVerifier, source: str, ca_file: Path | None) -> None:
    """Load the keys and reload them for ever; a failed load keeps the old ones."""
    while True:
        try:
            verifier.load(await _read(source, ca_file))
            delay = REFRESH_SECONDS
        except (OSError, ValueError, httpx.HTTPError) as error:
            logger.warning("signing keys not loaded: %s", error or type(error).__name__)
            delay = RETRY_SECONDS
        await asyncio.sleep(delay)


async def _read(source: str, ca_file: Path | None) -> bytes:
    if not source.startswith(("https://", "http://")):
        return await asyncio.to_thread(Path(source).read_bytes)
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    async with httpx.AsyncClient(verify=context, timeout=5) as client:
        response = await client.get(source)
        response.raise_for_status()
        if len(response.content) > MAX_JWKS_BYTES:
            raise ValueError("JWKS document is too large")
        return response.content
