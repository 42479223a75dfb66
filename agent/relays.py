"""Links to relays: home, and the regions where peers are at home."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from relay.client import RelayClient
from relay.tls import client_context
from wire.netmap import RelayRegion

logger = logging.getLogger("agent.relays")

# A relay that restarts is back sooner.
DOWN_SECONDS = 1.5
OPENING_SECONDS = 5.0
# Another region serves meanwhile; the failed one is not tried as home before.
AVOID_SECONDS = 120.0


@dataclass(slots=True)
class _Link:
    region: RelayRegion
    client: RelayClient
    task: asyncio.Task[None]


class Relays:
    """Opens, keeps and closes links. receive gets (sender's key, segment, batch) of any of them.

    changed() is called when a link came or went, failed() when a region does not come back soon.
    """

    def __init__(
        self,
        *,
        disco_private: bytes,
        receive: Callable[[bytes, int, memoryview], None],
        changed: Callable[[], None],
        failed: Callable[[], None],
        ca_file: str | None,
        mark: int | None,
    ) -> None:
        self._disco_private, self._receive = disco_private, receive
        self._changed, self._failed = changed, failed
        self._avoid_until: dict[str, float] = {}
        self._tls, self._mark = client_context(ca_file), mark
        self._links: dict[str, _Link] = {}
        self._homes: dict[bytes, str] = {}
        self.home: str | None = None
        self.token: str | None = None

    @property
    def connected(self) -> bool:
        """Whether peers can reach us by our home relay."""
        return self._usable(self.home) is not None

    @property
    def tls_group(self) -> str | None:
        """Key-exchange group that the home relay's link negotiated, where it can be told."""
        client = self._usable(self.home)
        return client.tls_group if client else None

    def avoided(self) -> set[str]:
        """Regions that failed a short while ago."""
        now = asyncio.get_running_loop().time()
        return {code for code, until in self._avoid_until.items() if until > now}

    def network_changed(self, addresses: Iterable[str]) -> None:
        """Our addresses are these now: links that came from another one, or are down, are dialled anew."""
        own = set(addresses)
        for link in self._links.values():
            if not link.client.connected or link.client.local_host not in own:
                link.client.redial()

    def use(self, regions: Iterable[RelayRegion], home: str | None, homes: dict[bytes, str | None]) -> None:
        """Make links fit: homes is the home region of each peer by disco key."""
        known = {region.region_code: region for region in regions}
        self.home = home if home in known else None
        self._homes = {key: code for key, code in homes.items() if code in known and code is not None}
        wanted = set(self._homes.values()) | ({self.home} if self.home else set())
        for code in [
            code for code, link in self._links.items() if known.get(code) != link.region or code not in wanted
        ]:
            self._links.pop(code).task.cancel()
        for code in wanted - self._links.keys():
            self._links[code] = self._open(known[code])

    def send(self, key: bytes, segment: int, payload: bytes) -> bool:
        """Put a batch on the link where the holder of key listens, or on ours in need."""
        client = self._usable(self._homes.get(key)) or self._usable(self.home)
        return client.send(key, segment, payload) if client else False

    async def close(self) -> None:
        """Close every link."""
        tasks = [link.task for link in self._links.values()]
        self._links.clear()
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _judge(self, code: str) -> None:
        """Whether a region that was given time has failed."""
        if code in self._links and self._usable(code) is None and code not in self.avoided():
            self._avoid_until[code] = asyncio.get_running_loop().time() + AVOID_SECONDS
            self._failed()

    def _usable(self, code: str | None) -> RelayClient | None:
        link = self._links.get(code) if code else None
        return link.client if link and link.client.connected else None

    def _open(self, region: RelayRegion) -> _Link:
        loop = asyncio.get_running_loop()
        loop.call_later(OPENING_SECONDS, self._judge, region.region_code)

        def state(connected: bool, reason: str | None) -> None:
            if connected:
                logger.info("relay %s connected", region.region_code)
                self._avoid_until.pop(region.region_code, None)
            else:
                logger.warning("relay %s lost: %s", region.region_code, reason)
                loop.call_later(DOWN_SECONDS, self._judge, region.region_code)
            self._changed()

        client = RelayClient(
            host=region.hostname,
            port=region.derp_port,
            addresses=[address for address in (region.ipv4, region.ipv6) if address],
            disco_private=self._disco_private,
            token=lambda: self.token,
            on_datagrams=self._receive,
            on_state=state,
            on_peer_gone=lambda key: None,
            tls=self._tls,
            mark=self._mark,
        )
        return _Link(region, client, asyncio.create_task(client.run(), name=f"relay-{region.region_code}"))
