"""Flows as the kernel tells of them: which rule let what in, how much of it, and what was refused."""

import asyncio
import dataclasses
import socket
import time

import pytest

from agent.engine.filter import FilterSettings
from agent.host import netlink
from agent.host.flowlog import _BIND, _CFG_CMD, _CONFIG, _GROUPS, FlowLog
from tests.lab.filtered import OTHER, OWN, OWN6, PEER, PEER6, PING, WEB, inside, netmap
from wire.filter import FilterRule, PacketFilter

pytestmark = pytest.mark.lab

NO_SSH = FilterRule("drop", "tcp", ("22",), rule_id="no-ssh")


def put_in_force(rules, group, chains, inbound, *, log=True):
    found = netmap(chains, inbound)
    found = dataclasses.replace(found, packet_filter=PacketFilter("v", chains, log))
    rules.apply(found, FilterSettings("eth0", 0x515A, log_group=group))


def logged(hosts, rules, work, chains, inbound):
    """Rows by (source, protocol, port, verdict) after work() ran in a thread, and events dropped."""

    async def scenario():
        with inside(hosts.us):
            flows = FlowLog()
            put_in_force(rules, flows.want(True), chains, inbound)
        try:
            await asyncio.to_thread(work)
            # The kernel gathers events for up to a second.
            await asyncio.sleep(1.3)
            with inside(hosts.us):
                rows, dropped = flows.collect(rules.table, time.time())
        finally:
            flows.close()
        return {(row["source"], row["protocol"], row["port"], row["verdict"]): row for row in rows}, dropped

    return asyncio.run(scenario())


def carry(sender, receiver, size):
    sender.sendall(bytes(size))
    while size:
        size -= len(receiver.recv(size))


def test_a_flow_names_the_rule_that_let_it_in_and_counts_both_ways(hosts, rules):
    def work():
        for own, peer in ((OWN, PEER), (OWN6, PEER6)):
            with (
                hosts.listen(hosts.us, own, 8080) as server,
                inside(hosts.them),
                socket.create_connection((own, 8080), timeout=2, source_address=(peer, 0)) as client,
                server.accept()[0] as served,
            ):
                carry(client, served, 20_000)
                carry(served, client, 50_000)

    rows, dropped = logged(hosts, rules, work, {"web": (WEB,)}, {"peer": "web"})
    assert dropped == 0
    for own, peer in ((OWN, PEER), (OWN6, PEER6)):
        row = rows[peer, "tcp", 8080, "allow"]
        assert (row["destination"], row["rule_id"], row["count"]) == (own, "web", 1)
        assert 70_000 < row["bytes"] < 85_000
        assert row["packets"] > 10
        assert abs(row["at"] - time.time()) < 30


def test_what_is_refused_is_told_with_the_rule_or_with_none(hosts, rules):
    def work():
        assert not hosts.connects(PEER, OWN, 22)
        assert not hosts.connects(PEER, OWN, 5432)
        # No chain judges this one: it may reach nothing here.
        assert not hosts.connects(OTHER, OWN, 8080)

    rows, _ = logged(hosts, rules, work, {"web": (NO_SSH, WEB)}, {"peer": "web"})
    assert rows[PEER, "tcp", 22, "deny"]["rule_id"] == "no-ssh"
    assert rows[PEER, "tcp", 5432, "deny"]["rule_id"] is None
    assert rows[OTHER, "tcp", 8080, "deny"]["rule_id"] is None
    assert all(row["verdict"] == "deny" and row["packets"] == row["count"] >= 1 for row in rows.values())


def test_pings_have_no_port_and_answers_to_our_own_flows_are_no_flows(hosts, rules):
    def work():
        assert hosts.pings(PEER, OWN)
        with (
            hosts.listen(hosts.them, PEER, 9000) as server,
            inside(hosts.us),
            socket.create_connection((PEER, 9000), timeout=2),
            server.accept()[0],
        ):
            pass

    rows, _ = logged(hosts, rules, work, {"ping": (PING,)}, {"peer": "ping"})
    # The veth that stands for the tunnel looks for neighbours and multicast groups; a tunnel has none.
    rows = {key: row for key, row in rows.items() if not key[0].startswith(("fe80:", "::", "0.0.0.0"))}
    assert list(rows) == [(PEER, "icmp", 0, "allow")]
    # A rule without an id is named by its place in the chain, which means nothing elsewhere.
    assert rows[PEER, "icmp", 0, "allow"]["rule_id"] is None


def test_a_scan_costs_little_and_what_was_cut_short_is_bounded(hosts, rules):
    def work():
        with inside(hosts.them), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as scanner:
            scanner.bind((PEER, 0))
            for port in range(1, 20_001):
                scanner.sendto(b"", (OWN, port))

    rows, _ = logged(hosts, rules, work, {"web": (WEB,)}, {"peer": "web"})
    assert 100 < len(rows) <= 2000
    # What passes is told by a limit of its own, so a scan does not hide it.
    assert {row["verdict"] for row in rows.values()} == {"deny"}


def test_nothing_is_told_where_nobody_asks(hosts, rules):
    with inside(hosts.us):
        put_in_force(rules, 20_566, {"web": (WEB,)}, {"peer": "web"}, log=False)
        assert "log" not in hosts.us.run("nft", "list", "table", "inet", rules.table)


def test_a_host_whose_groups_are_taken_is_filtered_all_the_same(hosts, rules, caplog):
    async def scenario():
        with inside(hosts.us):
            others = []
            for group in _GROUPS:
                others.append(netlink.open_netfilter(0, 4096))
                netlink.ask(others[-1], _CONFIG, group, netlink.attribute(_CFG_CMD, bytes((_BIND,))))
            try:
                flows = FlowLog()
                assert flows.want(True) is None
                put_in_force(rules, flows.group, {"web": (WEB,)}, {"peer": "web"})
            finally:
                for other in others:
                    other.close()

    asyncio.run(scenario())
    assert "flows can't be logged on this host" in caplog.text
    with hosts.listen(hosts.us, OWN, 8080):
        assert hosts.connects(PEER, OWN, 8080)
        assert not hosts.connects(PEER, OWN, 8081)


def test_a_group_that_is_taken_is_passed_over(hosts, rules):
    async def scenario():
        with inside(hosts.us), netlink.open_netfilter(0, 4096) as other:
            netlink.ask(other, _CONFIG, _GROUPS[0], netlink.attribute(_CFG_CMD, bytes((_BIND,))))
            flows = FlowLog()
            assert flows.want(True) == _GROUPS[1]
            assert flows.want(False) is None

    asyncio.run(scenario())
