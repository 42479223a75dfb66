"""What rides on a netmap beside the peers: packet filter, naming, lists."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.binary import WireError
from wire.filter import MAX_LINES, BlockedIps, FilterRule, PacketFilter, port_range
from wire.naming import Dns, DnsBlocklist, DnsRecord
from wire.netmap import Netmap, NetmapDelta, SelfNode
from wire.schedule import Window

RULES = (
    FilterRule("drop", "tcp", ("25",)),
    FilterRule("accept", "tcp", ("443", "8000-8100"), ("192.0.2.0/24", "2001:db8::/32"), "r1"),
    FilterRule("accept", "47"),
)
NETMAP = Netmap(
    3,
    SelfNode("m0", "self", "self.acme.zt.net", "100.64.0.2", approved_routes=("192.0.2.0/24",)),
    dns=Dns(
        "acme.zt.net",
        nameservers=("9.9.9.9", "tls://dns.example"),
        split={"corp.example": ("10.0.0.53",)},
        records=(DnsRecord("db.acme.zt.net", "A", "192.0.2.7"),),
    ),
    packet_filter=PacketFilter("v1", {"web": RULES}),
    dns_blocklist=DnsBlocklist("b1", ("bad.example",), ("ads.example",)),
    blocked_ips=BlockedIps("i1", ("203.0.113.0/24",)),
)


def test_every_part_survives_the_wire():
    assert Netmap.from_json(json.loads(json.dumps(NETMAP.to_json()))) == NETMAP


def test_a_delta_replaces_only_the_parts_it_carries():
    delta = NetmapDelta(3, 4, packet_filter=PacketFilter("v2", {}), blocked_ips=BlockedIps("i2"))
    again = NetmapDelta.from_json(json.loads(json.dumps(delta.to_json())))
    assert again == delta
    after = NETMAP.apply(again)
    assert (after.packet_filter, after.blocked_ips) == (delta.packet_filter, delta.blocked_ips)
    assert (after.dns, after.dns_blocklist) == (NETMAP.dns, NETMAP.dns_blocklist)


@pytest.mark.parametrize(
    "rule",
    [
        {"action": "allow"},
        {"action": "accept", "protocol": "tcp; flush ruleset"},
        {"action": "accept", "protocol": "256"},
        {"action": "accept", "ports": ["0"]},
        {"action": "accept", "ports": ["8100-8000"]},
        {"action": "accept", "ports": ["65536"]},
        {"action": "accept", "ports": ["80, 443"]},
        {"action": "accept", "ports": [80]},
        {"action": "accept", "destinations": ["192.0.2.1/24"]},
        {"action": "accept", "destinations": ["} drop"]},
        {"protocol": "tcp"},
        "accept",
    ],
)
def test_a_rule_that_must_not_reach_nftables_is_refused(rule):
    with pytest.raises(WireError):
        FilterRule.from_json(rule)


@pytest.mark.parametrize("field", ["packet_filter", "dns", "dns_blocklist", "blocked_ips"])
@pytest.mark.parametrize("value", [1, "x", [1], {"version": "v", "ips": ["x"], "domains": [1], "split": 3}])
def test_a_broken_part_is_a_wire_error(field, value):
    if field == "packet_filter" and isinstance(value, dict):
        value = {"version": "v", "chains": {"c": [{"action": "?"}]}}
    with pytest.raises(WireError):
        Netmap.from_json({**replace(NETMAP, dns=None).to_json(), field: value})


@given(st.integers(1, 65535), st.integers(1, 65535))
def test_ports_read_back_as_written(one, other):
    first, last = sorted((one, other))
    assert port_range(f"{first}-{last}") == (first, last)


MONDAY = 1_795_392_000  # 2026-11-23T00:00:00Z
OFFICE = Window(start=9 * 60, end=17 * 60, days=(0, 1, 2, 3, 4))


def test_a_rule_counts_within_its_window_and_until_its_end():
    always, office = FilterRule("accept", "tcp", ("22",)), FilterRule("accept", windows=(OFFICE,))
    grant = FilterRule("accept", not_after=MONDAY + 10 * 3600)
    rules = PacketFilter("v", {"a": (always, office, grant)})
    assert rules.in_force(MONDAY).chains["a"] == (always, grant)
    assert rules.in_force(MONDAY + 9 * 3600).chains["a"] == (always, office, grant)
    assert rules.in_force(MONDAY + 10 * 3600).chains["a"] == (always, office)
    assert rules.in_force(MONDAY + 5 * 86_400 + 12 * 3600).chains["a"] == (always,)
    changes = [MONDAY]
    while len(changes) < 5:
        changes.append(rules.next_change(changes[-1]))
    assert [(at - MONDAY) / 3600 for at in changes] == [0, 9, 10, 17, 33]
    assert PacketFilter("v", {"a": (always,)}).next_change(MONDAY) is None


def test_conditions_of_time_travel_and_bad_ones_are_refused():
    rules = PacketFilter("v", {"a": (FilterRule("accept", windows=(OFFICE,), not_after=MONDAY),)})
    assert PacketFilter.from_json(json.loads(json.dumps(rules.to_json()))) == rules
    for broken in (
        {"windows": [{"start": 1500}]},
        {"windows": [{"timezone": "Mars/Olympus"}]},
        {"windows": "always"},
        {"windows": [{}] * 9},
        {"not_after": "soon"},
    ):
        with pytest.raises(WireError):
            FilterRule.from_json({"action": "accept", **broken})


def test_a_chain_is_long_enough_for_the_longest_policy_and_bounded():
    line = {"action": "accept", "protocol": "tcp", "ports": ["443"]}
    document = {"version": "v", "chains": {"a": [line] * MAX_LINES}}
    assert len(PacketFilter.from_json(document).chains["a"]) == MAX_LINES
    document["chains"]["a"].append(line)
    with pytest.raises(WireError, match="at most 50000"):
        PacketFilter.from_json(document)
