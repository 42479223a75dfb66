"""Routing table, kill switch and forwarding in a real kernel; a veth stands for the tunnel."""

import ipaddress
import socket

import pytest
from pyroute2 import netns

from agent.engine.routes import LocalNetwork, plan
from agent.host.routes import HostRoutes
from agent.host.undo import undo
from agent.io.journal import Journal
from agent.state import Store
from tests.lab.net import Lab

pytestmark = pytest.mark.lab

MARK = 0x515A
KEYS = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv4.conf.all.src_valid_mark")
INTERNET, INTERNET6 = "192.0.2.80", "2001:db8::80"


class Hosts:
    """us: eth0 is the network that we sit on, with a gateway to the internet; ztq0 is the tunnel."""

    def __init__(self, lab):
        self.us, self.gateway = lab.public_host("us"), lab.public_host("gateway")
        self.far = lab.public_host("far")
        self.far.run("ip", "link", "set", "eth0", "down")
        self.us.run(
            *("ip", "link", "add", "ztq0", "type", "veth", "peer", "name", "ztq0"),
            *("netns", self.far.namespace),
        )
        for host, number in ((self.us, 1), (self.far, 2)):
            host.run("ip", "addr", "add", f"100.64.0.{number}/10", "dev", "ztq0")
            host.run("ip", "addr", "add", f"fd7a::{number}/64", "dev", "ztq0", "nodad")
            host.run("ip", "link", "set", "ztq0", "up")
        self.us.run("ip", "addr", "add", "2001:db8:1::1/64", "dev", "eth0", "nodad")
        self.us.run("ip", "route", "add", "default", "via", self.gateway.address)
        self.us.run("ip", "-6", "route", "add", "default", "via", "2001:db8:1::2", "dev", "eth0")
        self.gateway.run("ip", "addr", "add", f"{INTERNET}/32", "dev", "lo")
        self.lan = str(ipaddress.ip_network(f"{self.us.address}/24", strict=False))

    def device(self, target, *, mark=0):
        """The interface by which a packet would leave."""
        marked = ("mark", hex(mark)) if mark else ()
        words = self.us.run("ip", "route", "get", target, *marked).split()
        return words[words.index("dev") + 1]

    def reaches(self, target, *, mark=0):
        """Whether a datagram may leave for a target: a filter that drops it is an error to the sender."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            if mark:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
            try:
                sock.sendto(b"x", (target, 9))
            except PermissionError:
                return False
            return True

    def state(self):
        """What must be as before; link-local addresses come when the kernel has checked them."""
        run = self.us.run
        lines = (run("ip", "rule") + run("ip", "-6", "rule")).splitlines()
        lines += run("ip", "route", "show", "table", "all").splitlines()
        lines += (run("nft", "list", "ruleset") + run("sysctl", *KEYS)).splitlines()
        return [line for line in lines if "fe80::" not in line]


@pytest.fixture(scope="module")
def hosts():
    with Lab() as lab:
        yield Hosts(lab)


@pytest.fixture
def routes(hosts, tmp_path):
    before = hosts.state()
    journal = Journal(Store(tmp_path), undo)
    netns.pushns(hosts.us.namespace)
    try:
        yield HostRoutes(journal, "ztq0", MARK)
    finally:
        journal.replay()
        netns.popns()
    assert hosts.state() == before


def test_the_hosts_own_networks_are_found(hosts, routes):
    found = routes.local_networks()
    assert LocalNetwork(ipaddress.ip_network(hosts.lan), connected=True) in found
    assert all(network.prefix.prefixlen for network in found), "no default route"
    assert ipaddress.ip_network("100.64.0.0/10") not in [network.prefix for network in found]


def test_a_network_goes_into_the_tunnel_and_out_of_it_again(hosts, routes):
    assert hosts.device("10.9.1.1") == "eth0"
    routes.apply(plan(["10.9.0.0/16"], everything=False, local=[], allow_lan=False, user_bypass=()))
    assert hosts.device("10.9.1.1") == "ztq0"
    assert hosts.device(INTERNET) == "eth0"
    assert hosts.device("10.9.1.1", mark=MARK) == "eth0", "the agent's own packets never loop"
    routes.apply(plan(["10.8.0.0/16"], everything=False, local=[], allow_lan=False, user_bypass=()))
    assert (hosts.device("10.9.1.1"), hosts.device("10.8.1.1")) == ("eth0", "ztq0")
    routes.apply(plan([], everything=False, local=[], allow_lan=False, user_bypass=()))
    assert hosts.device("10.8.1.1") == "eth0"


def test_our_own_lan_inside_a_wider_network_stays_where_it_is(hosts, routes):
    local = routes.local_networks()
    routes.apply(plan(["203.0.0.0/8"], everything=False, local=local, allow_lan=False, user_bypass=()))
    assert hosts.device("203.1.1.1") == "ztq0"
    assert hosts.device(hosts.gateway.address) == "eth0"


@pytest.mark.parametrize("allow_lan", [False, True])
def test_an_exit_node_takes_everything_but_what_may_bypass_it(hosts, routes, allow_lan):
    local = routes.local_networks()
    routes.apply(plan([], everything=True, local=local, allow_lan=allow_lan, user_bypass=["198.51.100.0/24"]))
    assert hosts.device(INTERNET) == "ztq0"
    assert hosts.device(INTERNET6) == "ztq0"
    assert hosts.device("198.51.100.1") == "eth0"
    assert hosts.device(hosts.gateway.address) == ("eth0" if allow_lan else "ztq0")
    for target in (INTERNET, INTERNET6):
        assert hosts.device(target, mark=MARK) == "eth0"
    assert hosts.us.run("sysctl", "-n", "net.ipv4.conf.all.src_valid_mark").strip() == "1"


def test_the_kill_switch_lets_nothing_leave_in_clear(hosts, routes):
    routes.guard(allow_lan=False, lan=[hosts.lan], bypass=["198.51.100.0/24"])
    assert not hosts.reaches(INTERNET), "no route leads into the tunnel, so this would leave in clear"
    assert not hosts.reaches(hosts.gateway.address)
    assert hosts.reaches(INTERNET, mark=MARK)
    assert hosts.reaches("100.64.0.2")
    assert hosts.reaches("127.0.0.1")
    assert hosts.reaches("198.51.100.1")
    routes.guard(allow_lan=True, lan=[hosts.lan], bypass=[])
    assert hosts.reaches(hosts.gateway.address)
    assert not hosts.reaches("198.51.100.1")
    routes.unguard()
    assert hosts.reaches(INTERNET)


def test_the_kill_switch_outlives_a_crash_and_goes_in_good_order(hosts, routes, tmp_path):
    routes.apply(plan([], everything=True, local=[], allow_lan=False, user_bypass=()))
    routes.guard(allow_lan=False, lan=[], bypass=[])
    crashed = Journal(Store(tmp_path), undo)
    crashed.claim()
    assert hosts.device(INTERNET) == "eth0"
    assert not hosts.reaches(INTERNET)
    assert crashed.pending
    crashed.replay()
    assert hosts.reaches(INTERNET)


@pytest.mark.parametrize("key", KEYS[:2])
def test_forwarding_is_switched_on_and_back(hosts, routes, key):
    before = hosts.us.run("sysctl", "-n", key)
    routes.forward(True)
    assert hosts.us.run("sysctl", "-n", key).strip() == "1"
    routes.forward(False)
    assert hosts.us.run("sysctl", "-n", key) == before


def test_a_router_still_hears_router_advertisements(hosts, routes):
    accept = "net.ipv6.conf.eth0.accept_ra"
    hosts.us.run("sysctl", "-qw", f"{accept}=1")
    routes.forward(True)
    assert hosts.us.run("sysctl", "-n", accept).strip() == "2"
