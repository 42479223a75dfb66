"""Who carries which network, and what our routing table says."""

import base64
import ipaddress

import pytest

from agent.engine.routes import (
    DEFAULT_ROUTES,
    Health,
    LocalNetwork,
    RoutePlan,
    choose,
    exit_node,
    offered,
    plan,
)
from agent.errors import AgentError
from agent.preferences import check, networks
from wire.netmap import Peer

KEY = base64.b64encode(bytes(32)).decode()
NET = "10.9.0.0/16"
NEAR, FAR, RELAYED = Health(True, 0.005), Health(True, 0.080), Health(True)
DEAD = Health(False, 0.001)


def peer(name, *routes, exits=False):
    number = ord(name[0])
    return Peer(name, name, f"{name}.lab.zt.net", f"100.64.0.{number}", KEY, routes=routes, exit_node=exits)


def local(*texts, connected=True):
    return [LocalNetwork(ipaddress.ip_network(text), connected) for text in texts]


@pytest.mark.parametrize(
    ("health", "current", "expected"),
    [
        ({"a": FAR, "b": NEAR}, {}, "b"),
        ({"a": RELAYED, "b": FAR}, {}, "b"),
        ({"a": DEAD, "b": RELAYED}, {}, "b"),
        ({"a": NEAR, "b": NEAR}, {}, "a"),
        ({"a": FAR, "b": NEAR}, {NET: "a"}, "b"),
        ({"a": Health(True, 0.012), "b": NEAR}, {NET: "a"}, "a"),
        ({"a": Health(True, 0.080), "b": Health(True, 0.066)}, {NET: "a"}, "a"),
        ({"a": DEAD, "b": FAR}, {NET: "a"}, "b"),
        ({"a": DEAD, "b": DEAD}, {NET: "b"}, "b"),
        ({"b": FAR}, {NET: "gone"}, "b"),
        ({}, {}, "a"),
    ],
    ids=[
        "the nearest",
        "direct before relayed",
        "whoever lives",
        "always the same of equals",
        "a much nearer one takes over",
        "a few milliseconds are no reason",
        "nor a few percent",
        "failover",
        "nobody lives: no flapping",
        "the carrier left the network",
        "nothing known",
    ],
)
def test_the_nearest_that_lives_carries_a_network(health, current, expected):
    assert choose({"a": [NET], "b": [NET]}, health, current) == {NET: expected}


def test_networks_are_carried_each_by_their_own():
    assert choose({"a": ["10.1.0.0/16"], "b": ["10.2.0.0/16"]}, {}, {}) == {
        "10.1.0.0/16": "a",
        "10.2.0.0/16": "b",
    }


@pytest.mark.parametrize(
    "route",
    [
        "192.168.1.0/24",  # the LAN that we sit on
        "192.168.1.128/25",  # a part of it, our gateway perhaps
        "0.0.0.0/0",
        "::/0",
        "100.64.0.0/16",
        "100.0.0.0/8",
        "10.7.0.0/16",  # we offer it ourselves
    ],
)
def test_a_peer_cannot_take_over_what_is_ours(route):
    assert offered([peer("a", route, NET)], local("192.168.1.0/24"), ["10.7.0.0/16"]) == {"a": [NET]}


def test_a_wider_network_is_taken_and_our_lan_stays_outside_it():
    lan = local("192.168.1.0/24", "10.1.2.0/24")
    assert offered([peer("a", "10.0.0.0/8")], lan, []) == {"a": ["10.0.0.0/8"]}
    made = plan(["10.0.0.0/8"], everything=False, local=lan, allow_lan=False, user_bypass=())
    assert made == RoutePlan(frozenset({"10.0.0.0/8"}), frozenset({"192.168.1.0/24", "10.1.2.0/24"}))


def test_a_network_that_the_host_reaches_by_a_router_may_be_taken():
    assert offered([peer("a", NET)], local(NET, connected=False), []) == {"a": [NET]}


def test_an_exit_node_carries_both_families_and_hides_the_lan_unless_allowed():
    lan = local("192.168.1.0/24", "fe80::/64")
    closed = plan([], everything=True, local=lan, allow_lan=False, user_bypass=["203.0.113.0/24"])
    assert closed.tunnel == set(DEFAULT_ROUTES)
    assert "192.168.1.0/24" not in closed.bypass
    assert {"203.0.113.0/24", "169.254.0.0/16", "ff00::/8"} <= closed.bypass
    opened = plan([], everything=True, local=lan, allow_lan=True, user_bypass=())
    assert "192.168.1.0/24" in opened.bypass


def test_without_anything_to_carry_there_is_no_table():
    lan = local("192.168.1.0/24")
    assert plan([], everything=False, local=lan, allow_lan=True, user_bypass=[NET]) == RoutePlan()


@pytest.mark.parametrize("wanted", ["beta", "BETA", "100.64.0.98", "beta.lab.zt.net"])
def test_an_exit_node_is_chosen_by_any_of_its_names(wanted):
    peers = [peer("alpha", exits=True), peer("beta", exits=True)]
    assert exit_node(wanted, peers, {}, None) == "beta"


def test_a_named_exit_node_stays_while_it_is_silent_and_auto_moves_on():
    peers = [peer("alpha", exits=True), peer("beta", exits=True)]
    health = {"alpha": NEAR, "beta": DEAD}
    assert exit_node("beta", peers, health, "beta") == "beta"
    assert exit_node("auto", peers, health, "beta") == "alpha"
    assert exit_node("auto", [], health, "beta") is None


def test_a_peer_that_is_no_exit_node_carries_nothing():
    assert exit_node("beta", [peer("beta")], {}, None) is None
    assert exit_node(None, [peer("beta", exits=True)], {}, "beta") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10.1.2.3/16", "did you mean 10.1.0.0/16?"),
        ("10.1", "is not a network"),
        ("0.0.0.0/0", "--advertise-exit-node"),
        ("fd00::1/48", "did you mean fd00::/48?"),
        ("10.0.0.0/33", "is not a network"),
    ],
)
def test_a_network_that_makes_no_sense_is_refused(text, message):
    with pytest.raises(AgentError) as refused:
        networks([text])
    assert message in refused.value.message


def test_a_gateway_needs_networks():
    with pytest.raises(AgentError):
        check({"gateway": True})
    assert check({"gateway": True}, gateway_routes=[NET])["gateway"]
    assert check({"exit_node": "off"}) == {"exit_node": None}
