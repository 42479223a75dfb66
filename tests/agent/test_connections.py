"""Open connections held against a filter that may come, and the kernel's list of them."""

import asyncio
import base64
import contextlib
import ipaddress
import itertools
import json
import struct

import pytest

from agent.census import MAX_WAITING, Census
from agent.engine.connections import Connection, count_cut
from agent.host import netlink
from agent.host.conntrack import parse
from wire.connections import MAX_CUT, Counted, CutConnections, FilterTrial
from wire.control import FromAgent
from wire.filter import FilterRule, PacketFilter
from wire.netmap import Netmap, Peer, SelfNode

KEY = base64.b64encode(bytes(32)).decode()
OWN, LAN = "100.64.0.1", "192.0.2.0/24"
SSH = FilterRule("accept", "tcp", ("22",), rule_id="ssh")
ALL = FilterRule("accept", rule_id="all")
NETWORK = FilterRule("accept", "tcp", ("443",), (LAN,), rule_id="lan")


def peer(number):
    return Peer(f"m{number}", f"m{number}", f"m{number}.x", f"100.64.0.{number}", KEY, inbound="c")


def netmap(*lines, **own):
    node = SelfNode("m1", "m1", "m1.x", OWN, "fd00::1", **own)
    peers = {f"m{number}": peer(number) for number in (2, 3)}
    return Netmap(1, node, peers, packet_filter=PacketFilter("v", {"c": lines}))


def connection(port, *, source=2, to=OWN, number=6):
    ends = (ipaddress.ip_address(end) for end in (f"100.64.0.{source}", to))
    return Connection(*ends, number, port)


def cut(held, *connections, planned=(), peers=("m2", "m3"), shields_up=False):
    chains = {"then": tuple(planned)}
    trial = FilterTrial(dict.fromkeys(peers, "then"), PacketFilter("t", chains))
    counted = count_cut(held, trial, connections, shields_up=shields_up)
    return [
        (kind.peer_machine_id, kind.protocol, kind.port, kind.rule_id, kind.connections)
        for kind in counted.cut
    ]


def test_only_what_is_let_in_and_would_not_be_is_counted():
    open_now = [connection(22), connection(22), connection(80), connection(22, source=3)]
    held = netmap(SSH)
    assert cut(held, *open_now) == [("m2", "tcp", 22, "ssh", 2), ("m3", "tcp", 22, "ssh", 1)]
    assert cut(held, *open_now, planned=[SSH]) == []
    assert cut(held, *open_now, planned=[ALL]) == []
    assert cut(held, *open_now, peers=("m3",)) == [("m3", "tcp", 22, "ssh", 1)]
    # A deny before the rule, or another port, cuts it as much as its end does.
    assert cut(held, connection(22), planned=[FilterRule("drop"), SSH]) == [("m2", "tcp", 22, "ssh", 1)]
    assert cut(held, connection(22), planned=[FilterRule("accept", "tcp", ("23-99",))]) != []
    # What goes out from here is judged at the other end; strangers and shields are no business of rules.
    outward = Connection(ipaddress.ip_address(OWN), ipaddress.ip_address("100.64.0.2"), 6, 22)
    assert cut(held, outward, connection(22, source=9)) == []
    assert cut(held, connection(22), shields_up=True) == []
    assert cut(netmap(SSH, status="quarantined"), connection(22)) == []


def test_protocols_and_ports_are_those_of_the_filter():
    held = netmap(ALL)
    ping, query, tunnel = (
        connection(*kind, number=number) for kind, number in (((0,), 1), ((53,), 17), ((0,), 47))
    )
    assert [kind[1:3] for kind in cut(held, ping, query, tunnel)] == [("icmp", 0), ("udp", 53), ("47", 0)]
    assert cut(held, ping, planned=[FilterRule("accept", "icmp")]) == []
    assert cut(held, connection(0, number=58, to="fd00::1"), planned=[FilterRule("accept", "icmp")]) == []
    assert cut(held, query, planned=[FilterRule("accept", "any", ("53",))]) == []
    assert cut(held, tunnel, planned=[FilterRule("accept", "any", ("1-65535",))]) != []
    assert cut(held, tunnel, planned=[FilterRule("accept", "47")]) == []


def test_networks_behind_the_machine_have_lines_of_their_own():
    held = netmap(ALL, NETWORK, advertised_routes=(LAN,), approved_routes=(LAN,))
    inside, elsewhere = connection(443, to="192.0.2.7"), connection(443, to="198.51.100.7")
    assert cut(held, inside, elsewhere, planned=[ALL]) == [("m2", "tcp", 443, "lan", 1)]
    assert cut(held, inside, planned=[NETWORK]) == []
    # The same map without the approval never carried it.
    assert cut(netmap(ALL, NETWORK), inside) == []
    exits = netmap(
        FilterRule("accept", destinations=("0.0.0.0/0",)), advertise_exit_node=True, exit_node_approved=True
    )
    assert cut(exits, connection(443, to="10.0.0.1")) == []  # private networks are not the internet
    assert cut(exits, elsewhere) == [("m2", "tcp", 443, None, 1)]


def test_the_answer_is_bounded_and_counts_the_rest():
    many = [connection(port) for port in range(1, MAX_CUT + 51)]
    trial = FilterTrial({"m2": None}, PacketFilter("t"))
    counted = count_cut(netmap(ALL), trial, [*many, many[5]], shields_up=False)
    assert (len(counted.cut), counted.more) == (MAX_CUT, 50)
    assert (counted.cut[0].port, counted.cut[0].connections) == (6, 2)


def entry(number, ports=(), status=0, state=None, version=4):
    ends = ("100.64.0.2", OWN) if version == 4 else ("fd00::2", "fd00::1")
    kinds = (1, 2) if version == 4 else (3, 4)
    addresses = b"".join(
        netlink.attribute(kind, ipaddress.ip_address(end).packed)
        for kind, end in zip(kinds, ends, strict=True)
    )
    protocol = netlink.attribute(1, bytes((number,)))
    protocol += b"".join(
        netlink.attribute(kind, struct.pack(">H", port)) for kind, port in zip((2, 3), ports, strict=False)
    )
    data = netlink.attribute(1, netlink.attribute(1, addresses) + netlink.attribute(2, protocol))
    data += netlink.attribute(3, struct.pack(">I", status))
    if state is not None:
        data += netlink.attribute(4, netlink.attribute(1, netlink.attribute(1, bytes((state,)))))
    return data


def test_entries_of_the_kernel_are_open_connections_or_nothing():
    assert parse(entry(6, (40000, 22), state=3)) == connection(22)
    assert parse(entry(6, (40000, 22), state=3, version=6)).source == ipaddress.ip_address("fd00::2")
    assert [bool(parse(entry(6, (1, 2), state=state))) for state in range(9)] == [
        state in (3, 4, 5) for state in range(9)
    ]
    assert parse(entry(17, (40000, 53), status=2)) == connection(53, number=17)
    assert parse(entry(17, (40000, 53), status=8)) is None
    assert parse(entry(1, status=2)) == connection(0, number=1)
    whole = entry(6, (40000, 22), state=3)
    for length in range(len(whole)):
        parse(whole[:length])  # never anything but a connection or None


async def test_it_answers_one_question_after_the_other_and_keeps_silent_when_it_cannot():
    sent, counts = asyncio.Queue(), itertools.count()

    def count(trial):
        if next(counts) == 1:
            raise OSError("not permitted")
        return Counted((CutConnections("m2", "tcp", 22, None, 1),))

    async def send(kind, **body):
        sent.put_nowait((kind, body["id"], len(body["counted"]["cut"])))
        return True

    census = Census(count, send)
    for number in range(MAX_WAITING + 3):
        census.ask(str(number), FilterTrial({}, PacketFilter("t")))
    running = asyncio.create_task(census.run())
    async with asyncio.timeout(5):
        heard = [await sent.get() for _ in range(MAX_WAITING - 1)]
    assert heard == [(FromAgent.CUT_COUNTED, str(number), 1) for number in (0, 2, 3)]
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


@pytest.mark.parametrize(
    "document",
    [
        {"cut": [{"peer_machine_id": "m", "protocol": "tcp", "port": 22, "connections": 0}]},
        {"cut": [{"peer_machine_id": "m", "protocol": "tcp", "port": 65536, "connections": 1}]},
        {"cut": [{"peer_machine_id": "m" * 65, "protocol": "tcp", "port": 1, "connections": 1}]},
        {"cut": [{"peer_machine_id": "m", "protocol": "tcp", "port": 1}]},
        {"cut": [{}] * (MAX_CUT + 1)},
        {"cut": {}},
        {"more": -1},
        {"more": True},
    ],
)
def test_counts_out_of_bounds_are_refused(document):
    with pytest.raises(ValueError):
        Counted.from_json({"cut": [], "more": 0, **document})


def test_a_trial_names_chains_that_it_has():
    trial = FilterTrial({"m2": "c", "m3": None}, PacketFilter("t", {"c": (SSH,)}))
    document = json.loads(json.dumps(trial.to_json()))
    assert FilterTrial.from_json(document) == trial
    with pytest.raises(ValueError):
        FilterTrial.from_json({**document, "inbound": {"m2": "d"}})
