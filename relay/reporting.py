"""Tells the control plane who is connected here, and drops whom it names in return.

All clients are reported every half minute, those who came or went at once when a burst is over. The
control plane keeps what it heard for two minutes, so a report that is lost is made good by the next.
"""

import asyncio
import itertools
import logging
import math
import random
import secrets
import ssl
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

import httpx

from relay.claims import Claims
from relay.server import RelayServer
from wire.binary import encode_key
from wire.relay import MAX_REPORTED, REPORT_PATH

logger = logging.getLogger("relay.reporting")

EVERY_SECONDS: Final = 30.0
# A burst is over when nobody came or went for so long; one that does not end is reported all the same.
QUIET_SECONDS: Final = 1.0
LONGEST_BURST_SECONDS: Final = 10.0
LAST_RETRY_SECONDS: Final = 120.0
MAX_ANSWER_BYTES: Final = 256 * 1024

# By number of the connection: whose it is, and from where.
Sessions = dict[int, tuple[Claims, str | None]]


def report_url(jwks: str) -> str:
    """Where the control plane that publishes its keys at jwks takes reports."""
    return urljoin(jwks, REPORT_PATH)


async def keep_reporting(
    relay: RelayServer, *, region: str, url: str, key_file: Path, ca_file: Path | None
) -> None:
    """Report for ever."""
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    async with httpx.AsyncClient(verify=context, timeout=10) as client:
        reporter = Reporter(relay, region)
        pause = 0.0
        while True:
            try:
                # Read anew each time: a new key needs no restart.
                headers = {"Authorization": f"Bearer {(await asyncio.to_thread(key_file.read_text)).strip()}"}
                for body in reporter.bodies():
                    answer = await client.post(url, json=body, headers=headers)
                    answer.raise_for_status()
                    if len(answer.content) > MAX_ANSWER_BYTES:
                        raise ValueError("answer is too long")
                    reporter.answered(body, answer.json()["data"]["cut"])
                pause = 0.0
            except (OSError, ValueError, KeyError, TypeError, httpx.HTTPError) as error:
                reporter.failed()
                pause = min(max(2 * pause, EVERY_SECONDS), LAST_RETRY_SECONDS)
                logger.warning("who is connected could not be reported: %r", error)
            if pause:
                await asyncio.sleep(pause * _spread())
            else:
                await reporter.due()


class Reporter:
    """What is to be said of one relay process, and what has been."""

    def __init__(self, relay: RelayServer, region: str) -> None:
        self._relay, self._region = relay, region
        # Connections of two processes, or of one before and after its restart, are not mistaken.
        self._process = secrets.token_hex(8)
        self._told: Sessions = {}
        # When everybody is to be reported again, on the loop's clock.
        self._all_at = 0.0
        self._moves = 0

    def failed(self) -> None:
        """The control plane may not know what it was told."""
        self._all_at = 0.0

    def bodies(self) -> Iterator[dict[str, Any]]:
        """One report after the other; the load is told even where nobody is connected."""
        now, clock = dict(self._relay.sessions()), asyncio.get_running_loop().time()
        news = {each: now[each] for each in now.keys() - self._told.keys()}
        gone = {each: self._told[each] for each in self._told.keys() - now.keys()}
        if clock >= self._all_at:
            news, self._all_at = now, clock + EVERY_SECONDS * _spread()
        self._told, self._moves = now, self._relay.core.moves
        # Who left comes first: a client that came back by another connection is here again.
        entries = itertools.chain(self._entries(gone, "ended"), self._entries(news, "active"))
        while True:
            some = list(itertools.islice(entries, MAX_REPORTED))
            yield {
                "action": "report",
                "region": self._region,
                "process": self._process,
                "sessions": some,
                "load": self._load(),
            }
            if len(some) < MAX_REPORTED:
                return

    def answered(self, body: dict[str, Any], cut: Iterable[str]) -> None:
        """Drop the clients that a report named and the answer names again."""
        named = {(each["org_id"], each["key"], each["issued_at"]) for each in body["sessions"]}
        cut = set(cut)
        refused = {each for each in named if each[1] in cut}
        if refused:
            self._relay.cut(lambda claims: _name(claims) in refused)

    async def due(self) -> None:
        """Wait until everybody is to be reported again, or a burst of changes is over."""
        loop, core = asyncio.get_running_loop(), self._relay.core
        seen, burst_end = self._moves, math.inf
        while (now := loop.time()) < self._all_at:
            moves = core.moves
            if moves != seen:
                burst_end = min(burst_end, now + LONGEST_BURST_SECONDS)
            elif burst_end != math.inf:
                return
            if now >= burst_end:
                return
            seen = moves
            await asyncio.sleep(min(QUIET_SECONDS, self._all_at - now))

    def _entries(self, sessions: Sessions, status: str) -> Iterator[dict[str, Any]]:
        for number, (claims, address) in sessions.items():
            org_id, key, issued_at = _name(claims)
            yield {
                "org_id": org_id,
                "key": key,
                "issued_at": issued_at,
                "connection": f"{self._process}-{number}",
                "status": status,
                "public_ip": address,
            }

    def _load(self) -> dict[str, int]:
        core = self._relay.core
        return {
            "clients": core.clients,
            "connections": core.connections,
            "frames": core.counters.frames,
            "bytes": core.counters.bytes,
            "dropped": core.dropped,
        }


def _spread() -> float:
    """Relays that started together need not report together."""
    return random.uniform(0.8, 1.0)  # noqa: S311 spreads load


def _name(claims: Claims) -> tuple[str, str, int]:
    return claims.organisation, encode_key(claims.key), claims.issued_at
