"""The engine against the kernel: what a policy decides and what nftables does with real packets.

Random organisations of five machines. One machine is a host with the filter that the control plane would
send it; the four others are addresses of a second host. A veth stands for the tunnel.
"""

import base64
import collections
import contextlib
import ipaddress
import itertools
import select
import socket
import struct
import time
from random import Random

import pytest
from pyroute2 import netns

from agent.engine.connections import Connection, deciding
from agent.engine.filter import FilterSettings, scope_of
from agent.host.filter import PacketFilter as HostFilter
from agent.host.undo import undo
from agent.io.journal import Journal
from agent.state import Store
from apps.policy.abac import parse_attribute_policy
from apps.policy.engine import compile_policy, world_of
from apps.policy.filters import Filters
from apps.policy.rules import parse_rule
from apps.policy.tests import generate
from tests.lab.net import Lab
from tests.lab.pinger import checksum
from wire.filter import PacketFilter
from wire.netmap import Netmap, Peer, SelfNode

pytestmark = pytest.mark.lab

KEY = base64.b64encode(bytes(32)).decode()
SETTINGS = FilterSettings("eth0", 0x515A)
PORTS = (22, 85, 443, 8050)
ORGANISATIONS, WAIT_SECONDS = 36, 0.25
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
ECHO = {4: (socket.IPPROTO_ICMP, 8, 0), 6: (socket.IPPROTO_ICMPV6, 128, 129)}


@contextlib.contextmanager
def inside(host):
    netns.pushns(host.namespace)
    try:
        yield
    finally:
        netns.popns()


def address(number, version):
    return f"100.64.0.{number + 1}" if version == 4 else f"fd00::{number + 1}"


class Bench:
    """The host under test with a server on every port, and the other host that sends."""

    def __init__(self, lab):
        self.us, self.them = (lab.public_host(name) for name in ("us", "them"))
        for number in range(5):
            host, other = (self.us, self.them) if number == 0 else (self.them, self.us)
            link = host.run("cat", "/sys/class/net/eth0/address").strip()
            for version, size in ((4, "24"), (6, "64")):
                at = address(number, version)
                host.run("ip", "addr", "add", f"{at}/{size}", "dev", "eth0", *["nodad"] * (version == 6))
                # A tunnel has no neighbours to discover, and the filter knows of none.
                other.run("ip", "neigh", "replace", at, "lladdr", link, "dev", "eth0", "nud", "permanent")
        self.servers = {}
        with inside(self.us):
            for version, port in itertools.product(FAMILIES, PORTS):
                at = (address(0, version), port)
                self.servers[socket.create_server(at, family=FAMILIES[version])] = "tcp"
                echo = socket.socket(FAMILIES[version], socket.SOCK_DGRAM)
                echo.bind(at)
                self.servers[echo] = "udp"
        for server in self.servers:
            server.setblocking(False)

    def passes(self, cases):
        """Those of (source number, IP version, protocol, port) that were answered."""
        sent = {}
        with inside(self.them):
            for case in cases:
                sent[self._send(*case)] = case
        answered, deadline = set(), time.monotonic() + WAIT_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            waiting = [sock for sock, case in sent.items() if case not in answered]
            connecting = [sock for sock in waiting if sent[sock][2] == "tcp"]
            readable, writable, _ = select.select(
                [*self.servers, *(sock for sock in waiting if sock not in connecting)], connecting, [], left
            )
            for sock in readable:
                if sock in sent:
                    if self._is_answer(sock, sent[sock]):
                        answered.add(sent[sock])
                elif self.servers[sock] == "udp":
                    sock.sendto(*sock.recvfrom(100))
                else:
                    sock.accept()[0].close()
            answered |= {
                sent[sock] for sock in writable if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            }
        for sock in sent:
            sock.close()
        return answered

    def _send(self, number, version, protocol, port):
        source, target = (address(number, version), 0), address(0, version)
        if protocol == "icmp":
            kind, echo, _ = ECHO[version]
            sock = socket.socket(FAMILIES[version], socket.SOCK_RAW, kind)
            sock.bind(source)
            body = struct.pack("!BBHHH", echo, 0, 0, number, port)
            sock.sendto(body[:2] + struct.pack("!H", checksum(body)) + body[4:], (target, 0))
        else:
            kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
            sock = socket.socket(FAMILIES[version], kind)
            sock.bind(source)
            sock.setblocking(False)
            sock.connect_ex((target, port))
            if protocol == "udp":
                sock.send(b"probe")
        sock.setblocking(False)
        return sock

    def _is_answer(self, sock, case):
        try:
            packet = sock.recv(2048)
        except OSError:
            return False
        number, version, protocol, _ = case
        if protocol == "udp":
            return packet == b"probe"
        body = packet[(packet[0] & 15) * 4 :] if version == 4 else packet
        return body[0] == ECHO[version][2] and struct.unpack_from("!H", body, 4)[0] == number


@pytest.fixture(scope="module")
def bench():
    with Lab() as lab:
        bench = Bench(lab)
        yield bench
        for server in bench.servers:
            server.close()


@pytest.fixture
def host_filter(bench, tmp_path):
    with inside(bench.us):
        journal = Journal(Store(tmp_path), undo)
        host_filter = HostFilter(journal, "eth0")
        yield host_filter
        host_filter.close()
        journal.replay()


def organisation(random):
    """(policy, moment): five machines, up to eight rules, the grammar of the property tests."""
    now = generate.moment(random)
    machines = [generate.machine(random, number) for number in range(5)]
    world = world_of(machines, default_deny=random.random() < 0.8, lockdown=random.random() < 0.03)
    rules = [generate.rule(random, number, now) for number in range(random.randrange(1, 9))]
    abac = [generate.attribute_policy(random, 0)] if random.random() < 0.1 else []
    return compile_policy(world, map(parse_rule, rules), map(parse_attribute_policy, abac)), now


def netmap(policy, now):
    """What the control plane sends to the first machine."""
    chains, inbound = Filters(policy).filter_of(generate.IDS[0])
    peers = {
        generate.IDS[number]: Peer(
            generate.IDS[number],
            f"m{number}",
            f"m{number}.lab.zt.net",
            address(number, 4),
            KEY,
            tailnet_ipv6=address(number, 6),
            inbound=inbound.get(generate.IDS[number]),
        )
        for number in range(1, 5)
    }
    own = SelfNode(generate.IDS[0], "m0", "m0.lab.zt.net", address(0, 4), address(0, 6))
    return Netmap(1, own, peers, packet_filter=PacketFilter("v", chains).in_force(now))


def worked_out(held, number, version, protocol, port):
    """What the agent says of a connection without asking the kernel."""
    peer = held.peers[generate.IDS[number]]
    chain = held.packet_filter.chains.get(peer.inbound, ())
    ends = (ipaddress.ip_address(address(end, version)) for end in (number, 0))
    kind = {"tcp": 6, "udp": 17, "icmp": 1 if version == 4 else 58}[protocol]
    return deciding(scope_of(held), chain, Connection(*ends, kind, port)) is not None


def test_packets_pass_as_the_engine_decides(bench, host_filter):
    random, judged = Random("packets"), collections.Counter()
    wrong = []
    for _ in range(ORGANISATIONS):
        policy, now = organisation(random)
        machines = policy.world.machines
        held = netmap(policy, now)
        host_filter.apply(held, SETTINGS)
        probes = [
            (number, version, protocol, port)
            for number, version in itertools.product(range(1, 5), FAMILIES)
            for protocol, port in [
                *itertools.product(("tcp", "udp"), random.sample(PORTS, 2)),
                ("icmp", 0),
            ]
        ]
        passed = bench.passes(probes)
        for probe in probes:
            number, _, protocol, port = probe
            source, target = (machines[generate.IDS[key]] for key in (number, 0))
            allowed = policy.decide(source, target, protocol, port, now).allowed
            judged[(probe[1], protocol, allowed)] += 1
            if not allowed == worked_out(held, *probe) == (probe in passed):
                wrong.append((policy.rules, probe, allowed))
    assert wrong == []
    # Each kind of packet was let through and was dropped, many times.
    for kind in itertools.product(FAMILIES, ("tcp", "udp", "icmp"), (True, False)):
        assert judged[kind] >= 20, judged
