"""Hosts around a packet filter. A veth stands for the tunnel: the filter sees an interface, no more."""

import base64
import contextlib
import dataclasses
import socket

from pyroute2 import netns

from agent.engine.filter import FilterSettings
from wire.filter import FilterRule, PacketFilter
from wire.netmap import Netmap, Peer, SelfNode

KEY = base64.b64encode(bytes(32)).decode()
OWN, PEER, OTHER, STRANGER = "100.64.0.1", "100.64.0.2", "100.64.0.3", "100.64.0.99"
OWN6, PEER6 = "fd7a:115c:a1e0::1", "fd7a:115c:a1e0::2"
LAN = "10.77.0.0/24"
SETTINGS = FilterSettings("eth0", 0x515A)
WEB = FilterRule("accept", "tcp", ("8080",), rule_id="web")
PING = FilterRule("accept", "icmp")


@contextlib.contextmanager
def inside(host):
    netns.pushns(host.namespace)
    try:
        yield
    finally:
        netns.popns()


class Hosts:
    def __init__(self, lab):
        self.us, self.them, self.lan = (lab.public_host(name) for name in ("us", "them", "lan"))
        for host, addresses in ((self.us, (OWN, OWN6)), (self.them, (PEER, OTHER, STRANGER, PEER6))):
            for address in addresses:
                size = "64" if ":" in address else "10"
                host.run("ip", "addr", "add", f"{address}/{size}", "dev", "eth0", *["nodad"] * (size == "64"))
        self.lan.run("ip", "link", "set", "eth0", "down")
        # A tunnel has no neighbours to discover; this stand-in needs them without asking.
        for host, other, address in ((self.us, self.them, PEER6), (self.them, self.us, OWN6)):
            link = other.run("cat", "/sys/class/net/eth0/address").strip()
            host.run("ip", "neigh", "replace", address, "lladdr", link, "dev", "eth0", "nud", "permanent")
        pair = ("link", "add", "lan0", "type", "veth", "peer", "name", "lan0")
        self.us.run("ip", *pair, "netns", self.lan.namespace)
        self.us.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        for host, number in ((self.us, 1), (self.lan, 9)):
            host.run("ip", "addr", "add", f"10.77.0.{number}/24", "dev", "lan0")
            host.run("ip", "addr", "add", f"198.51.100.{number}/24", "dev", "lan0")
            host.run("ip", "link", "set", "lan0", "up")
        for network in (LAN, "198.51.100.0/24"):
            self.them.run("ip", "route", "add", network, "via", OWN, "src", PEER)

    def pings(self, source, target, host=None):
        answer = (host or self.them).run(
            "ping", "-n", "-c", "1", "-W", "1", "-I", source, target, check=False
        )
        return ", 0% packet loss" in answer

    def listen(self, host, address, port):
        with inside(host):
            return socket.create_server(
                (address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET
            )

    def connects(self, source, target, port):
        with inside(self.them):
            try:
                with socket.create_connection((target, port), timeout=0.7, source_address=(source, 0)):
                    return True
            except OSError:
                return False


def node(**changes):
    return dataclasses.replace(SelfNode("self", "us", "us.lab.zt.net", OWN, OWN6), **changes)


def netmap(chains, inbound, *, own=None, **parts):
    addresses = {"peer": (PEER, PEER6), "other": (OTHER, None)}
    peers = {
        name: Peer(name, name, f"{name}.lab.zt.net", v4, KEY, tailnet_ipv6=v6, inbound=inbound.get(name))
        for name, (v4, v6) in addresses.items()
    }
    return Netmap(1, own or node(), peers, packet_filter=PacketFilter("v", chains), **parts)
