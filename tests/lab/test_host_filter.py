"""The packet filter in a real kernel. A veth stands for the tunnel: the filter sees an interface, no more."""

import asyncio
import contextlib
import dataclasses
import socket
import time

import pytest

from agent.engine.filter import compile_filter
from tests.lab.filtered import (
    LAN,
    OTHER,
    OWN,
    OWN6,
    PEER,
    PEER6,
    PING,
    SETTINGS,
    STRANGER,
    WEB,
    inside,
    netmap,
    node,
)
from wire.filter import BlockedIps, FilterRule

pytestmark = pytest.mark.lab


def test_what_nothing_accepts_is_dropped(hosts, rules):
    with hosts.listen(hosts.us, OWN, 8080), hosts.listen(hosts.us, OWN, 8081):
        assert hosts.connects(PEER, OWN, 8080)
        rules.apply(netmap({"web": (WEB,)}, {"peer": "web"}), SETTINGS)
        assert hosts.connects(PEER, OWN, 8080)
        assert not hosts.connects(PEER, OWN, 8081)
        assert not hosts.pings(PEER, OWN)
        assert not hosts.connects(OTHER, OWN, 8080), "a peer without a chain"
        assert not hosts.connects(STRANGER, OWN, 8080), "an address of no peer"
        assert not hosts.connects(PEER, hosts.us.address, 8080), "another address of this host"


def test_ipv6_meets_the_same_rules(hosts, rules):
    with hosts.listen(hosts.us, OWN6, 8080), hosts.listen(hosts.us, OWN6, 8081):
        rules.apply(netmap({"web": (WEB, PING)}, {"peer": "web"}), SETTINGS)
        assert hosts.connects(PEER6, OWN6, 8080)
        assert not hosts.connects(PEER6, OWN6, 8081)
        assert hosts.pings(PEER6, OWN6)


def test_the_first_rule_that_matches_decides(hosts, rules):
    refuse = FilterRule("drop", "tcp", ("8000-8100",))
    with hosts.listen(hosts.us, OWN, 8080):
        rules.apply(netmap({"a": (refuse, WEB)}, {"peer": "a"}), SETTINGS)
        assert not hosts.connects(PEER, OWN, 8080)
        rules.apply(netmap({"a": (WEB, refuse)}, {"peer": "a"}), SETTINGS)
        assert hosts.connects(PEER, OWN, 8080)


def test_answers_to_our_own_flows_come_back(hosts, rules):
    rules.apply(netmap({}, {}), SETTINGS)
    assert hosts.pings(OWN, PEER, hosts.us)


def test_a_withdrawn_right_cuts_what_flows_and_spares_our_own_flows(hosts, rules):
    chains = {"web": (WEB,)}
    rules.apply(netmap(chains, {"peer": "web", "other": "web"}), SETTINGS)
    with (
        hosts.listen(hosts.us, OWN, 8080) as here,
        hosts.listen(hosts.them, PEER, 9090) as there,
        contextlib.ExitStack() as flows,
    ):
        with inside(hosts.them):
            theirs = flows.enter_context(socket.create_connection((OWN, 8080), 2, (PEER, 0)))
            kept = flows.enter_context(socket.create_connection((OWN, 8080), 2, (OTHER, 0)))
        ours = flows.enter_context(socket.create_connection((PEER, 9090), 2))
        served = [flows.enter_context(here.accept()[0]) for _ in range(2)]
        answering = flows.enter_context(there.accept()[0])
        for end in (*served, ours):
            end.settimeout(1)
        theirs.sendall(b"before")
        assert served[0].recv(16) == b"before"
        rules.apply(netmap(chains, {"other": "web"}), SETTINGS)
        theirs.sendall(b"after")
        with pytest.raises(TimeoutError):
            served[0].recv(16)
        kept.sendall(b"still")
        assert served[1].recv(16) == b"still"
        answering.sendall(b"mine")
        assert ours.recv(16) == b"mine"


def test_a_peer_that_moves_changes_elements_only(hosts, rules):
    chains = {"web": (WEB,), "none": (PING,)}
    before = netmap(chains, {"peer": "web"})
    rules.apply(before, SETTINGS)
    with hosts.listen(hosts.us, OWN, 8080):
        assert hosts.connects(PEER, OWN, 8080)
        hits = {counter.rule: counter.packets for counter in rules.counters()}
        assert hits["web"] > 0
        rules.apply(netmap(chains, {"peer": "none", "other": "web"}), SETTINGS)
        assert not hosts.connects(PEER, OWN, 8080)
        assert hosts.connects(OTHER, OWN, 8080)
        after = {counter.rule: counter.packets for counter in rules.counters()}
        assert after["web"] > hits["web"], "a table written as a whole would count from zero"


def test_shields_up_refuses_what_comes_and_keeps_what_we_start(hosts, rules):
    chains = {"all": (FilterRule("accept"),)}
    rules.apply(netmap(chains, {"peer": "all"}), dataclasses.replace(SETTINGS, shields_up=True))
    assert not hosts.pings(PEER, OWN)
    assert hosts.pings(OWN, PEER, hosts.us)


def test_quarantine_closes_both_ways(hosts, rules):
    chains = {"all": (FilterRule("accept"),)}
    rules.apply(netmap(chains, {"peer": "all"}), SETTINGS)
    assert hosts.pings(PEER, OWN)
    rules.apply(netmap(chains, {"peer": "all"}, own=node(status="quarantined")), SETTINGS)
    assert not hosts.pings(PEER, OWN)
    assert not hosts.pings(OWN, PEER, hosts.us)


def test_blocked_addresses_are_dropped_on_every_interface_and_others_are_not(hosts, rules):
    assert hosts.pings("198.51.100.1", "198.51.100.9", hosts.us)
    blocked = BlockedIps("v", ("198.51.100.0/28", "2001:db8::/32"))
    rules.apply(netmap({}, {}, blocked_ips=blocked), SETTINGS)
    assert not hosts.pings("198.51.100.1", "198.51.100.9", hosts.us)
    assert hosts.pings("10.77.0.1", "10.77.0.9", hosts.us)


def test_only_approved_networks_are_reached_through_us(hosts, rules):
    everywhere = FilterRule("accept", destinations=("0.0.0.0/0", "::/0"))
    chains = {"all": (everywhere,), "own": (FilterRule("accept"),)}
    rules.apply(netmap(chains, {"peer": "all"}), SETTINGS)
    assert not hosts.pings(PEER, "10.77.0.9"), "nothing is approved"
    routed = node(approved_routes=(LAN,))
    rules.apply(netmap(chains, {"peer": "all", "other": "own"}, own=routed), SETTINGS)
    # The LAN host has no route to the tailnet: an answer shows that the source was translated.
    assert hosts.pings(PEER, "10.77.0.9")
    assert not hosts.pings(PEER, "198.51.100.9"), "a network that is not approved"
    assert not hosts.pings(OTHER, "10.77.0.9"), "a rule for our own addresses opens nothing behind us"


def test_an_exit_node_leads_to_the_internet_and_keeps_private_networks_closed(hosts, rules):
    chains = {"all": (FilterRule("accept", destinations=("0.0.0.0/0",)),)}
    offering = node(advertise_exit_node=True, exit_node_approved=True)
    rules.apply(netmap(chains, {"peer": "all"}, own=offering), SETTINGS)
    assert hosts.pings(PEER, "198.51.100.9")
    assert not hosts.pings(PEER, "10.77.0.9")
    assert not hosts.pings(PEER, "198.51.100.1"), "another address of the exit node itself"
    approved = dataclasses.replace(offering, approved_routes=(LAN,))
    rules.apply(netmap(chains, {"peer": "all"}, own=approved), SETTINGS)
    assert hosts.pings(PEER, "10.77.0.9")


def test_a_gateway_speaks_for_its_lan(hosts, rules):
    hosts.lan.run("ip", "route", "replace", "100.64.0.0/10", "via", "10.77.0.1")
    routed = node(approved_routes=(LAN,))
    rules.apply(netmap({}, {}, own=routed), dataclasses.replace(SETTINGS, gateway=True))
    hosts.them.run("ip", "route", "del", LAN)
    try:
        assert hosts.pings("10.77.0.9", PEER, hosts.lan)
    finally:
        hosts.them.run("ip", "route", "add", LAN, "via", OWN, "src", PEER)


def test_a_forwarded_port_of_a_container_meets_the_rules_for_this_host(hosts, rules):
    hosts.us.nft(
        "table ip container {\nchain in {\ntype nat hook prerouting priority -100;\n"
        f"ip daddr {OWN} tcp dport 8081 dnat to 10.77.0.9:8081\n}}\n"
        "chain out {\ntype nat hook postrouting priority 100;\nip daddr 10.77.0.9 masquerade\n}\n}\n"
    )
    try:
        with hosts.listen(hosts.lan, "10.77.0.9", 8081):
            rules.apply(netmap({"web": (WEB,)}, {"peer": "web"}), SETTINGS)
            assert not hosts.connects(PEER, OWN, 8081)
            published = FilterRule("accept", "tcp", ("8081",))
            rules.apply(netmap({"web": (WEB, published)}, {"peer": "web"}), SETTINGS)
            assert hosts.connects(PEER, OWN, 8081)
    finally:
        hosts.us.nft("table ip container\ndelete table ip container\n")


@pytest.mark.parametrize(
    "harm", ["flush ruleset", "delete map inet {} own4", "flush chain inet {} prerouting"]
)
def test_what_another_program_removes_is_back_within_two_seconds(hosts, rules, harm):
    rules.apply(netmap({"web": (WEB,)}, {"peer": "web"}), SETTINGS)
    whole = hosts.us.run("nft", "-s", "list", "table", "inet", rules.table)

    async def scenario():
        watching = asyncio.create_task(rules.watch())
        await asyncio.sleep(0.1)
        hosts.us.run("nft", *harm.format(rules.table).split(), check=False)
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            await asyncio.sleep(0.1)
        watching.cancel()

    asyncio.run(scenario())
    assert hosts.us.run("nft", "-s", "list", "table", "inet", rules.table) == whole


def test_changes_of_our_own_are_not_taken_for_those_of_others(hosts, rules, caplog):
    async def scenario():
        watching = asyncio.create_task(rules.watch())
        for index in range(6):
            rules.apply(netmap({"web": (WEB,)}, {"peer": "web"} if index % 2 else {}), SETTINGS)
            await asyncio.sleep(0.3)
        hosts.us.nft("table ip unrelated {}")
        hosts.us.nft("table ip unrelated\ndelete table ip unrelated")
        await asyncio.sleep(0.5)
        watching.cancel()

    asyncio.run(scenario())
    assert "another program" not in caplog.text


def test_a_table_of_our_name_that_is_not_ours_is_left_alone(hosts, rules):
    hosts.us.nft("table inet quickztna_eth0 {\nchain theirs {\n}\n}")
    try:
        rules.apply(netmap({"web": (WEB,)}, {"peer": "web"}), SETTINGS)
        assert rules.table == "quickztna_eth0_2"
        assert "theirs" in hosts.us.run("nft", "list", "table", "inet", "quickztna_eth0")
    finally:
        hosts.us.nft("delete table inet quickztna_eth0")


def test_a_transaction_that_fails_leaves_the_former_filter_in_force(hosts, rules, monkeypatch):
    rules.apply(netmap({"web": (WEB,)}, {"peer": "web"}), SETTINGS)
    before = hosts.us.run("nft", "-s", "list", "table", "inet", rules.table)
    broken = dataclasses.replace(
        compile_filter(netmap({}, {}), SETTINGS), structure="  chain x { nonsense }\n"
    )
    monkeypatch.setattr("agent.host.filter.compile_filter", lambda *arguments: broken)
    with pytest.raises(OSError, match="nft"):
        rules.apply(netmap({}, {}), SETTINGS)
    assert hosts.us.run("nft", "-s", "list", "table", "inet", rules.table) == before
