"""Whom the control plane has cut off: its signed list, fetched several times a second.

A relay asks, the control plane never calls: that needs no way in, no second credential, and serves
one process as well as many behind one name, also right after a start. A list says what may not
connect any more and lapses with the tokens it outlives, so an old or repeated one undoes nothing.
"""

import asyncio
import logging
import random
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

import httpx

from relay.claims import Claims, TokenRefused
from relay.tokens import LEEWAY_SECONDS, TokenVerifier
from wire.numbers import RELAY_TOKEN_SECONDS
from wire.relay import CUTS_AUDIENCE, CUTS_PATH, MAX_CUTS, cut_id

logger = logging.getLogger("relay.control")

POLL_SECONDS: Final = 0.4
# Waits double between these while asking fails; right after a start, keys are not loaded yet.
FIRST_RETRY_SECONDS: Final = 0.05
RETRY_SECONDS: Final = 2.0
# Asked for in full this often, so that whoever holds back lists is noticed.
FULL_SECONDS: Final = 30.0
MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
_KEPT_SECONDS: Final = RELAY_TOKEN_SECONDS + 2 * LEEWAY_SECONDS


class CutList:
    """Digests of machines and organisations, each with the second up to which its tokens are void."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier
        self._cuts: dict[str, int] = {}
        self.read_at: float | None = None

    def __len__(self) -> int:
        return len(self._cuts)

    def read(self, document: str, now: float) -> bool:
        """Take a signed list; returns whether it names anything new. TokenRefused for a bad one.

        now is Unix time.
        """
        claims = self._verifier.decode(document, audience=CUTS_AUDIENCE)
        found: Any = claims.get("cuts")
        if not isinstance(found, dict) or len(found) > MAX_CUTS:
            raise TokenRefused("cuts")
        for until in found.values():
            if type(until) is not int:
                raise TokenRefused("cuts")
        news = {digest: until for digest, until in found.items() if until > self._cuts.get(digest, -1)}
        self._cuts.update(news)
        self._cuts = {key: until for key, until in self._cuts.items() if until + _KEPT_SECONDS > now}
        self.read_at = now
        return bool(news)

    def refuses(self, claims: Claims) -> bool:
        """Whether the token behind these claims was void when the list was written."""
        cuts = self._cuts
        if not cuts:
            return False
        return any(
            claims.issued_at <= cuts.get(digest, -1)
            for digest in (cut_id(claims.organisation), cut_id(claims.organisation, claims.key))
        )

    def verify(self, token: str, now: float) -> Claims:
        """What the verifier says of a token, unless its machine is cut off."""
        claims = self._verifier.verify(token, now)
        if self.refuses(claims):
            raise TokenRefused("cut")
        return claims


def cuts_url(jwks: str) -> str | None:
    """Where the control plane that publishes its keys at jwks publishes the list; None for a file."""
    return urljoin(jwks, CUTS_PATH) if jwks.startswith(("https://", "http://")) else None


async def keep_cut(cuts: CutList, url: str, ca_file: Path | None, apply: Callable[[], None]) -> None:
    """Follow the list for ever; apply is called when it names somebody new."""
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    etag, full_at, delay = "", 0.0, FIRST_RETRY_SECONDS
    async with httpx.AsyncClient(verify=context, timeout=5) as client:
        while True:
            try:
                headers = {"If-None-Match": etag} if etag and time.monotonic() < full_at else {}
                answer = await client.get(url, headers=headers)
                if answer.status_code != httpx.codes.NOT_MODIFIED:
                    answer.raise_for_status()
                    if len(answer.content) > MAX_ANSWER_BYTES:
                        raise ValueError("list is too long")
                    if cuts.read(str(answer.json()["data"]["signed"]), time.time()):
                        apply()
                    etag = answer.headers.get("ETag", "")
                    full_at = time.monotonic() + FULL_SECONDS
                delay = POLL_SECONDS
            except (ValueError, KeyError, TypeError, httpx.HTTPError, TokenRefused) as error:
                logger.warning("list of cut machines not read: %r", error)
                etag, delay = "", min(RETRY_SECONDS, 2 * delay)
            # Relays that started together need not ask together.
            await asyncio.sleep(delay * random.uniform(0.8, 1.0))  # noqa: S311 spreads load
