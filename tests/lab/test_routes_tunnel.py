"""Networks behind other machines, over real WireGuard: two routers for one of them, and an exit node.

The tunnels are set up by hand, so that what is seen is the work of routes, filter and failover alone.
"""

import asyncio
import base64
import contextlib
import os
import time
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from pyroute2 import netns

from agent.engine.filter import FilterSettings
from agent.host.filter import PacketFilter as HostFilter
from agent.host.routes import HostRoutes
from agent.host.undo import undo
from agent.host.upkeep import Upkeep
from agent.io.journal import Journal
from agent.io.wireguard import PeerChange, PeerStatus
from agent.io.wireguard_go import WireGuardGo
from agent.state import Config, Store
from tests.lab.net import Lab, loss_counter
from wire.binary import Endpoint
from wire.filter import FilterRule, PacketFilter
from wire.netmap import Netmap, Peer, SelfNode

pytestmark = pytest.mark.lab

MARK = 0x515A
LAN, SERVER, INTERNET = "10.77.0.0/16", "10.77.9.9", "198.51.100.80"
PORT = 22001
EVERYWHERE = PacketFilter("v", {"all": (FilterRule("accept", destinations=("0.0.0.0/0", "::/0")),)})


@contextlib.contextmanager
def inside(host):
    netns.pushns(host.namespace)
    try:
        yield
    finally:
        netns.popns()


class Node:
    """A host with a tunnel interface."""

    def __init__(self, lab, name, number, directory):
        self.host, self.name = lab.public_host(name), name
        self.address = f"100.64.0.{number}"
        self.interface = f"qc{os.getpid() % 100_000}{number}"
        self.key = X25519PrivateKey.generate()
        self.wireguard = WireGuardGo(self.interface)
        self.journal = Journal(Store(directory / name), undo)
        with inside(self.host):
            self.wireguard.open(private_key=self.key.private_bytes_raw(), listen_port=PORT, mark=MARK)
        self.host.run("ip", "addr", "add", f"{self.address}/32", "dev", self.interface)
        self.host.run("ip", "link", "set", self.interface, "mtu", "1280", "up")
        self.host.run("ip", "route", "add", "100.64.0.0/10", "dev", self.interface)

    @property
    def public(self):
        return self.key.public_key().public_bytes_raw()

    def meet(self, other):
        endpoint = Endpoint(other.host.address, PORT)
        allowed = [f"{other.address}/32"]
        self.wireguard.apply(
            [PeerChange(other.public, endpoint=endpoint, allowed_ips=allowed, update_only=False)]
        )

    def described(self, **changes):
        key = base64.b64encode(self.public).decode()
        name = f"{self.name}.lab.zt.net"
        return Peer(self.name, self.name, name, self.address, key, online=True, inbound="all", **changes)


class Network:
    """What Upkeep needs of the daemon's network: links, and a place for what they carry."""

    def __init__(self, client, routers):
        self.client, self.routers = client, {router.name: router for router in routers}
        self.links = {
            router.name: SimpleNamespace(
                peer=router.described(),
                path=SimpleNamespace(rtt=None),
                status=PeerStatus(None, 0, 0, 0),
                last_handshake=time.monotonic(),
            )
            for router in routers
        }

    def carry(self, prefixes):
        self.client.wireguard.apply(
            [
                PeerChange(router.public, allowed_ips=[f"{router.address}/32", *prefixes.get(name, ())])
                for name, router in self.routers.items()
            ]
        )


class Site:
    def __init__(self, lab, directory):
        self.client = Node(lab, "client", 1, directory)
        self.routers = [Node(lab, f"r{number}", number + 1, directory) for number in (1, 2)]
        self.server = lab.public_host("server")
        self.server.run("ip", "link", "set", "eth0", "down")
        for address in (SERVER, INTERNET):
            self.server.run("ip", "addr", "add", f"{address}/32", "dev", "lo")
        for number, router in enumerate(self.routers, 1):
            self.client.meet(router)
            router.meet(self.client)
            link = ("link", "add", "lan0", "type", "veth", "peer", "name", f"lan{number}")
            router.host.run("ip", *link, "netns", self.server.namespace)
            for host, device, last in ((router.host, "lan0", 1), (self.server, f"lan{number}", 9)):
                host.run("ip", "addr", "add", f"10.77.{number}.{last}/24", "dev", device)
                host.run("ip", "link", "set", device, "up")
            for address in (SERVER, INTERNET):
                router.host.run("ip", "route", "add", address, "via", f"10.77.{number}.9")
            self._serve(router)

    def _serve(self, router):
        """Filter and forwarding of a router, as its own map would have them."""
        own = SelfNode(
            router.name, router.name, f"{router.name}.lab.zt.net", router.address, approved_routes=(LAN,),
            advertise_exit_node=True, exit_node_approved=True,
        )  # fmt: skip
        peers = {"client": self.client.described()}
        netmap = Netmap(1, own, peers, packet_filter=EVERYWHERE)
        with inside(router.host):
            host_filter = HostFilter(router.journal, router.interface)
            host_filter.apply(netmap, FilterSettings(router.interface, MARK))
            host_filter.close()
            HostRoutes(router.journal, router.interface, MARK).forward(True)

    def map(self, **changes):
        own = SelfNode("client", "client", "client.lab.zt.net", self.client.address)
        peers = {router.name: router.described(**changes) for router in self.routers}
        return Netmap(1, own, peers, packet_filter=PacketFilter("v", {}))

    def device(self, target):
        words = self.client.host.run("ip", "route", "get", target).split()
        return words[words.index("dev") + 1]

    def pings(self, target):
        answer = self.client.host.run("ping", "-n", "-c1", "-W2", target, check=False)
        return ", 0% packet loss" in answer


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with Lab() as lab:
        place = Site(lab, tmp_path_factory.mktemp("nodes"))
        yield place
        for node in (place.client, *place.routers):
            with inside(node.host):
                node.wireguard.close()


@contextlib.asynccontextmanager
async def upkeep(place, config, netmap):
    """The client's host kept in step, steered at the daemon's pace."""
    client = place.client
    with inside(client.host):
        kept = Upkeep(
            journal=client.journal,
            interface=client.interface,
            mark=MARK,
            config=config,
            network=Network(client, place.routers),
        )
        kept.apply(netmap)
        kept.steer()

        async def steer():
            while True:
                await asyncio.sleep(0.5)
                kept.steer()

        tasks = [asyncio.create_task(kept.run()), asyncio.create_task(steer())]
        try:
            yield kept
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await kept.close()
            client.journal.replay()


async def test_networks_of_others_are_used_only_when_asked_for(place):
    async with upkeep(place, Config(), place.map(routes=(LAN,))):
        assert not await asyncio.to_thread(place.pings, SERVER)
    async with upkeep(place, Config(accept_routes=True), place.map(routes=(LAN,))) as kept:
        assert await asyncio.to_thread(place.pings, SERVER)
        assert kept.problems == {}
    assert not place.pings(SERVER)


async def test_the_second_router_takes_over_within_three_seconds(place):
    first, second = place.routers
    async with upkeep(place, Config(accept_routes=True), place.map(routes=(LAN,))) as kept:
        await asyncio.sleep(2)
        assert set(kept.carriers) == {LAN}
        carrier = first if kept.carriers[LAN] == first.name else second
        other = second if carrier is first else first
        with loss_counter(place.client.host, SERVER) as outage:
            await asyncio.sleep(1)
            carrier.host.run("ip", "link", "set", "eth0", "down")
            await asyncio.sleep(4)
        carrier.host.run("ip", "link", "set", "eth0", "up")
        assert kept.carriers[LAN] == other.name
        assert 0 < outage["lost"] * 0.05 < 3, outage
        await asyncio.sleep(3)
        assert kept.carriers[LAN] == other.name, "no way back without a reason"


async def test_an_exit_node_carries_the_rest_and_nothing_leaves_in_clear_without_it(place):
    exits = place.map(exit_node=True)
    for name in ("all", "eth0"):
        place.client.host.run("sysctl", "-qw", f"net.ipv4.conf.{name}.rp_filter=1")
    async with upkeep(place, Config(exit_node="r1"), exits) as kept:
        assert await asyncio.to_thread(place.pings, INTERNET)
        neighbour = place.routers[1].host.address
        assert place.device(neighbour) == place.client.interface, "the LAN is reached by the exit node only"
        kept.configure(Config(exit_node="r1", exit_node_allow_lan_access=True))
        assert place.device(neighbour) == "eth0"
        assert await asyncio.to_thread(place.pings, neighbour)
        place.client.host.run("ip", "route", "add", "default", "via", neighbour, "dev", "eth0")
        place.server.run("ip", "route", "add", place.client.host.address, "via", "10.77.2.1")
        kept.configure(Config(exit_node="nobody"))
        assert not await asyncio.to_thread(place.pings, INTERNET)
        assert "nobody" in kept.problems["exit node"]
        kept.configure(Config())
        assert kept.problems == {}
        assert await asyncio.to_thread(place.pings, INTERNET), "by the host's own default route"
        place.client.host.run("ip", "route", "del", "default")
