"""Links to relays: home, and the regions where peers are at home."""

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from agent.engine.moving import LINGER_SECONDS, Home
from relay.client import RelayClient
from relay.tls import client_context
from wire.netmap import RelayRegion

logger = logging.getLogger("agent.relays")

# A relay that restarts is back sooner.
DOWN_SECONDS = 1.5
OPENING_SECONDS = 5.0
# Another region serves meanwhile; the failed one is not tried as home before.
AVOID_SECONDS = 60.0
# A region that says that a peer is not there is asked again after so long.
GONE_SECONDS = 10.0


@dataclass(slots=True)
class _Link:
    """until is when a link that nobody needs any more may go."""

    region: RelayRegion
    client: RelayClient
    task: asyncio.Task[None]
    until: float = math.inf


class Relays:
    """Opens, keeps and closes links. receive gets (sender's key, segment, batch) of any of them.

    changed() is called when a link came or went, moved() when peers are to be told another home (the
    answer to that is told()), failed() when a region does not come back soon.
    """

    def __init__(
        self,
        *,
        disco_private: bytes,
        receive: Callable[[bytes, int, memoryview], None],
        changed: Callable[[], None],
        moved: Callable[[], None],
        failed: Callable[[], None],
        ca_file: str | None,
        mark: int | None,
    ) -> None:
        self._disco_private, self._receive = disco_private, receive
        self._changed, self._moved, self._failed = changed, moved, failed
        self._avoid_until: dict[str, float] = {}
        self._tls, self._mark = client_context(ca_file), mark
        self._home = Home()
        self._known: dict[str, RelayRegion] = {}
        self._links: dict[str, _Link] = {}
        self._homes: dict[bytes, str] = {}
        # Where peers were at home before, until the link to their new home is proven.
        self._before: dict[bytes, str] = {}
        # (peer, region that says it is not there) -> until when that is believed.
        self._gone: dict[tuple[bytes, str], float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._token: str | None = None

    @property
    def token(self) -> str | None:
        """What we show to relays: good for the regions of the map that came with it."""
        return self._token

    @token.setter
    def token(self, token: str | None) -> None:
        fresh, self._token = token != self._token, token
        for link in self._links.values() if fresh else ():
            if not link.client.connected:  # it may have been refused for the old one
                link.client.redial()

    @property
    def home(self) -> str | None:
        """The region where peers are told to find us."""
        return self._home.code

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

    def use(
        self, regions: Iterable[RelayRegion], home: str | None, homes: Mapping[bytes, str | None]
    ) -> None:
        """Make links fit: homes is the home region of each peer by disco key.

        home becomes ours once its link is proven; nothing is closed that a peer may still be using.
        """
        self._known = {region.region_code: region for region in regions}
        before = self.home
        # A home that left the map stays until a survey has found another.
        if home in self._known or not self._known:
            self._home.want(home if self._known else None)
        adopted = self.home != before
        left = self._homes
        self._homes = {key: code for key, code in homes.items() if code is not None and code in self._known}
        left = {key: code for key, code in left.items() if self._homes.get(key) != code}
        self._before = {key: code for key, code in (self._before | left).items() if key in homes}
        self._gone = {name: until for name, until in self._gone.items() if name[0] in homes}
        self._fit()
        for code, link in list(self._links.items()):
            if link.client.carries:
                self._proven(code)
        if adopted:
            self._moved()

    def told(self, home: str | None) -> None:
        """The control plane tells peers this home from now on."""
        self._home.told(home, asyncio.get_running_loop().time())
        self._fit()

    def send(self, key: bytes, segment: int, payload: bytes) -> bool:
        """Put a batch on a link where the holder of key listens, or on ours in need: peers have one there."""
        last: RelayClient | None = None
        for code in (self._before.get(key), self._homes.get(key), self._home.code):
            client = self._usable(code)
            if client is not None and not self._is_gone(key, code):
                return client.send(key, segment, payload)
            last = last or client
        return last.send(key, segment, payload) if last else False

    async def close(self) -> None:
        """Close every link."""
        if self._timer is not None:
            self._timer.cancel()
        tasks = [link.task for link in self._links.values()]
        self._links.clear()
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _fit(self) -> None:
        """Open what is missing, and close what nobody has needed for a while."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        wanted = self._home.kept(now) | set(self._homes.values())
        for code, link in list(self._links.items()):
            region = self._known.get(code, link.region)
            if _place(region) != _place(link.region):
                self._links.pop(code).task.cancel()
                continue
            link.region = region
            if code in wanted:
                link.until = math.inf
            elif link.until == math.inf:
                link.until = now + LINGER_SECONDS
            elif link.until <= now:
                self._links.pop(code).task.cancel()
        for code in (wanted - self._links.keys()) & self._known.keys():
            self._links[code] = self._open(self._known[code])
        due = min([self._home.next_timeout(), *(link.until for link in self._links.values())])
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if due == math.inf else loop.call_at(due, self._fit)

    def _proven(self, code: str) -> None:
        """A link carries frames both ways."""
        self._before = {key: old for key, old in self._before.items() if self._homes.get(key) != code}
        if self._home.proven(code):
            logger.info("relay %s is home now", code)
            self._fit()
            self._moved()

    def _judge(self, code: str) -> None:
        """Whether a region that was given time has failed."""
        link = self._links.get(code)
        needed = link is not None and link.until == math.inf
        if needed and self._usable(code) is None and code not in self.avoided():
            self._avoid_until[code] = asyncio.get_running_loop().time() + AVOID_SECONDS
            self._failed()

    def _miss(self, key: bytes, code: str) -> None:
        """A region says that a peer is not there: it moved, and we have not heard where."""
        if key in self._homes:
            self._gone[key, code] = asyncio.get_running_loop().time() + GONE_SECONDS

    def _is_gone(self, key: bytes, code: str | None) -> bool:
        until = self._gone.get((key, code or "")) if self._gone else None
        return until is not None and until > asyncio.get_running_loop().time()

    def _usable(self, code: str | None) -> RelayClient | None:
        link = self._links.get(code) if code else None
        return link.client if link and link.client.connected else None

    def _open(self, region: RelayRegion) -> _Link:
        loop = asyncio.get_running_loop()
        loop.call_later(OPENING_SECONDS, self._judge, region.region_code)
        shown: str | None = None

        def token() -> str | None:
            # A relay that left the map would refuse the token of after, and is still needed a while.
            nonlocal shown
            if region.region_code in self._known:
                shown = self._token
            return shown

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
            token=token,
            on_datagrams=self._receive,
            on_state=state,
            on_proven=lambda: self._proven(region.region_code),
            on_peer_gone=lambda key: self._miss(key, region.region_code),
            tls=self._tls,
            mark=self._mark,
        )
        return _Link(region, client, asyncio.create_task(client.run(), name=f"relay-{region.region_code}"))


def _place(region: RelayRegion) -> tuple[object, ...]:
    """What a link depends on."""
    return region.hostname, region.derp_port, region.ipv4, region.ipv6
