"""Links of two machines to real relays, under traffic, while their home region changes."""

import asyncio
import contextlib
import socket

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent import relays
from agent.engine import moving
from agent.engine.regions import HomeRegion
from agent.relays import Relays
from relay.core import Limits, RelayCore
from tests.relay.live import HOST, Relay
from tests.services import free_port
from wire import relay as frames
from wire.netmap import RelayRegion

LINGER_SECONDS = 0.4
PACE_SECONDS = 0.01
# Slower than a delta usually is, for the peer must still be found at the old home.
TELLING_SECONDS = 0.15
# The kernel's WireGuard takes packets that are so many behind the newest (wireguard-go: 8,128).
WIREGUARD_WINDOW = 8_128
ROUNDS = 10


class End:
    """A machine: its links, a stream of numbers to the other, and what came of the other's."""

    def __init__(self, ca_file, signer, regions):
        private = X25519PrivateKey.generate()
        self.key = private.public_key().public_bytes_raw()
        self.regions = regions
        self.sent = self.refused = self.failures = self.heard = 0
        self.numbers, self.homes = [], []
        self.at_home, self.told = asyncio.Event(), asyncio.Event()
        self.relays = Relays(
            disco_private=private.private_bytes_raw(),
            receive=self._receive,
            changed=lambda: None,
            moved=self._moved,
            failed=self._failed,
            ca_file=str(ca_file),
            mark=None,
        )
        self.relays.token = signer.token(self.key, regions=[region.region_code for region in regions])
        self.choice, self.latencies = HomeRegion(), {}
        self.peer = None

    def meet(self, peer, home):
        """As after the first map: both are at home somewhere, and know it of each other."""
        self.peer, self.peer_home = peer, home
        self.choice.code = home
        self.use(home)

    def use(self, home):
        self.relays.use(self.regions, home, {self.peer.key: self.peer_home})

    async def move(self, home):
        self.at_home.clear()
        self.told.clear()
        self.use(home)
        await asyncio.wait_for(self.told.wait(), 10)

    async def talk(self):
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += PACE_SECONDS
            await asyncio.sleep(due - loop.time())
            datagram = self.sent.to_bytes(4, "big") + bytes(996)
            self.refused += not self.relays.send(self.peer.key, 1000, datagram)
            self.sent += 1

    def links(self):
        return {code for code in (region.region_code for region in self.regions) if self.relays._usable(code)}

    def survey(self):
        """What the daemon makes of a survey of regions."""
        priorities = {region.region_code: region.priority for region in self.regions}
        self.use(self.choice.survey(self.latencies, priorities, self.relays.avoided(), now=0.0))

    def _receive(self, key, segment, batch):
        assert key == self.peer.key
        self.numbers += [int.from_bytes(batch[at : at + 4], "big") for at in range(0, len(batch), segment)]

    def _moved(self):
        self.homes.append(self.relays.home)
        self.at_home.set()
        asyncio.get_running_loop().call_later(TELLING_SECONDS, self._tell, self.relays.home)

    def _tell(self, home):
        """The control plane has taken the home, and the peer's map says so a little later."""
        self.relays.told(home)
        asyncio.get_running_loop().call_later(TELLING_SECONDS, self.peer._hear, home)
        self.told.set()

    def _hear(self, home):
        self.peer_home = home
        self.heard += 1
        self.use(self.relays._home.wanted)

    def _failed(self):
        self.failures += 1
        self.survey()


def late(numbers):
    """By how many each number that came after a greater one was behind it."""
    newest, behind = -1, []
    for number in numbers:
        if number < newest:
            behind.append(newest - number)
        newest = max(newest, number)
    return behind


@pytest.fixture
def pace(monkeypatch):
    for module in (relays, moving):
        monkeypatch.setattr(module, "LINGER_SECONDS", LINGER_SECONDS)
    monkeypatch.setattr(relays, "OPENING_SECONDS", 1.0)


@contextlib.asynccontextmanager
async def talking(relay, regions):
    """Two machines at home with a relay, each sending 100 datagrams a second to the other."""
    ends = [End(relay.ca_file, relay.control, regions) for _ in range(2)]
    for end, peer in (ends, ends[::-1]):
        end.meet(peer, relay.region)
    await settled(lambda: all(end.relays.connected and end.heard for end in ends))
    assert [end.homes for end in ends] == [[relay.region]] * 2
    for end in ends:
        end.homes.clear()
        end.at_home.clear()
    talks = [asyncio.create_task(end.talk()) for end in ends]
    try:
        yield ends
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await settled(lambda: all(len(end.numbers) == end.peer.sent for end in ends), seconds=2)
    finally:
        for talk in talks:
            talk.cancel()
        for end in ends:
            await end.relays.close()


async def settled(condition, seconds=5):
    """Wait for it; whoever asked finds out what is missing."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)


def place(region, port):
    return RelayRegion(region, region, HOST, "127.0.0.1", derp_port=port)


def nothing_was_lost(ends):
    for end in ends:
        assert end.refused == 0
        assert sorted(end.peer.numbers) == list(range(end.sent))
        assert max(late(end.peer.numbers), default=0) < WIREGUARD_WINDOW / 100


@pytest.fixture
async def two(tmp_path, pace):
    limits = Limits(keepalive_seconds=3)  # tokens are renewed every second
    first = Relay(tmp_path, limits=limits).start()
    second = Relay(tmp_path, limits=limits, region="test2", beside=first).start()
    yield first, second
    for relay in (first, second):
        relay.server.stop_listening()
        for client in list(relay.server.clients):
            client.stream.abort()


async def test_ten_changes_of_region_under_traffic_lose_nothing(two):
    regions = [place(relay.region, relay.port) for relay in two]
    async with talking(two[0], regions) as ends:
        for number in range(1, ROUNDS + 1):
            old, new = two[(number + 1) % 2], two[number % 2]
            first, second = ends[number % 2], ends[(number + 1) % 2]
            if number % 3:  # else both at once
                await first.move(new.region)
            await asyncio.gather(*(end.move(new.region) for end in ends if end.relays.home == old.region))
            assert [end.relays.home for end in ends] == [new.region] * 2
            # The old link stands until the other has heard and a while longer, and then goes.
            assert second.links() == {old.region, new.region}
            await settled(lambda old=old: old.core.connections == 0)
            assert [end.links() for end in ends] == [{new.region}] * 2
            assert (old.core.clients, new.core.clients) == (0, 2)
    every = [two[number % 2].region for number in range(1, ROUNDS + 1)]
    assert [end.homes for end in ends] == [every, every]
    nothing_was_lost(ends)
    assert ends[0].sent > 100 * ROUNDS * (TELLING_SECONDS + LINGER_SECONDS)


async def test_regions_that_leave_the_map_are_left_without_loss(two):
    """The old region's relay takes no token of after, and one end sees it later than the other."""
    async with talking(two[0], [place("test1", two[0].port)]) as ends:
        for number in range(1, ROUNDS + 1):
            old, new = two[(number + 1) % 2], two[number % 2]
            for end in ends:
                end.at_home.clear()
                end.regions = [place(new.region, new.port)]
                end.relays.token = new.control.token(end.key, regions=[new.region])
                end.use(old.region)  # what the last survey found
            for end in ends[:: 1 if number % 2 else -1]:
                await asyncio.sleep(0.2)
                assert end.relays.home == old.region
                end.use(new.region)
                await asyncio.wait_for(end.at_home.wait(), 5)
            await settled(lambda old=old: old.core.connections == 0)
            assert (old.core.clients, new.core.clients) == (0, 2)
    nothing_was_lost(ends)


async def test_a_fresh_token_is_shown_at_once_where_the_old_one_was_refused(two, monkeypatch):
    for patience in ("OPENING_SECONDS", "DOWN_SECONDS"):
        monkeypatch.setattr(relays, patience, 10.0)
    regions = [place(relay.region, relay.port) for relay in two]
    async with talking(two[0], regions) as (alpha, _):
        alpha.relays.token = two[0].control.token(alpha.key, regions=["test1"])
        alpha.use("test2")
        await asyncio.sleep(3)  # refused three times, and waits ever longer
        assert alpha.homes == []
        alpha.relays.token = two[0].control.token(alpha.key, regions=["test1", "test2"])
        await asyncio.wait_for(alpha.at_home.wait(), 0.5)


async def test_without_the_control_plane_both_links_stay(two, monkeypatch):
    regions = [place(relay.region, relay.port) for relay in two]
    async with talking(two[0], regions) as (alpha, beta):
        monkeypatch.setattr(alpha, "_tell", lambda home: None)
        alpha.use(two[1].region)
        await asyncio.wait_for(alpha.at_home.wait(), 5)
        await asyncio.sleep(3 * LINGER_SECONDS)
        assert alpha.links() == {"test1", "test2"}
        assert beta.links() == {"test1"}
    nothing_was_lost((alpha, beta))


async def test_a_peer_that_moved_unheard_is_reached_by_our_own_home(two, monkeypatch):
    """Its new home never reaches us, as while the control plane is down; it keeps a link to ours."""
    regions = [place(relay.region, relay.port) for relay in two]
    async with talking(two[0], regions) as (alpha, beta):
        await alpha.move(two[1].region)
        await settled(lambda: beta.peer_home == two[1].region)
        monkeypatch.setattr(alpha, "_hear", lambda home: None)
        await beta.move(two[1].region)
        await settled(lambda: beta.links() == {two[1].region})
        assert alpha.peer_home == two[0].region
        sent = alpha.sent
        await settled(lambda: alpha.sent > sent + 100)
    missing = set(range(alpha.sent)) - set(beta.numbers)
    assert len(missing) < 10, "what was sent before the old region said that it is gone"
    assert not [number for number in missing if number > sent + 20]


class Mute(RelayCore):
    """Takes clients in and then says no more."""

    def receive(self, connection_id, frame, now):
        if frame[0] == frames.CLIENT_HELLO:
            super().receive(connection_id, frame, now)


@contextlib.contextmanager
def nobody(relay, directory):
    yield free_port()


@contextlib.contextmanager
def silence(relay, directory):
    """Somebody who takes connections and answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@contextlib.contextmanager
def refusal(relay, directory):
    """A relay of another region, which does not take our tokens."""
    other = Relay(directory, region="test3", beside=relay).start()
    yield other.port
    other.server.stop_listening()


@contextlib.contextmanager
def mute(relay, directory):
    other = Relay(directory, region="test2", beside=relay, core=Mute).start()
    yield other.port
    other.server.stop_listening()
    for client in list(other.server.clients):
        client.stream.abort()


@pytest.mark.parametrize("dead", [nobody, silence, refusal, mute])
async def test_a_region_that_is_dead_never_becomes_home(two, dead, tmp_path):
    with dead(two[0], tmp_path) as port:
        regions = [place("test1", two[0].port), place("test2", port)]
        async with talking(two[0], regions) as ends:
            alpha, beta = ends
            # STUN may answer well where the relay does not: two surveys in a row find it better.
            alpha.latencies = {"test1": 80.0, "test2": 5.0}
            for _ in range(2):
                alpha.survey()
            assert alpha.relays._home.wanted == "test2"
            await settled(lambda: alpha.failures, seconds=1.5)
            for _ in range(10):
                alpha.survey()
                await asyncio.sleep(0.05)
                assert alpha.relays.home == "test1"
                assert alpha.relays.connected
            if dead is not mute:  # a link that stands is no failure, but it is no home either
                assert alpha.failures == 1
                assert alpha.relays._home.wanted == "test1"
                await settled(lambda: set(alpha.relays._links) == {"test1"})
                assert set(alpha.relays._links) == {"test1"}
        assert (alpha.homes, beta.homes) == ([], [])
        nothing_was_lost(ends)


async def test_a_home_that_dies_is_left_for_a_region_that_works(two):
    regions = [place(relay.region, relay.port) for relay in two]
    async with talking(two[0], regions) as ends:
        for end in ends:
            end.latencies = {"test1": 5.0, "test2": 80.0}
        two[0].server.stop_listening()
        for client in list(two[0].server.clients):
            client.stream.abort()
        for end in ends:
            await asyncio.wait_for(end.at_home.wait(), 10)
        assert [end.homes for end in ends] == [["test2"], ["test2"]]
        await settled(lambda: all(end.peer_home == "test2" for end in ends))
        before = [len(end.numbers) for end in ends]
        await asyncio.sleep(0.5)
        assert all(len(end.numbers) > count + 30 for end, count in zip(ends, before, strict=True))
