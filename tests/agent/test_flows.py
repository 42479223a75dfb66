"""Rows of flows: what is merged, what is bounded, and what waits while the control plane is away."""

import ipaddress
import struct
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import flows as reporting
from agent.engine.flows import MAX_ROWS, FlowTable, parse
from agent.errors import AgentError
from agent.flows import MAX_WAITING, ROWS_A_REPORT, Reports
from agent.io.control import ApiError

ALICE, DB, DB6 = "100.64.0.2", "100.64.0.9", "fd7a::9"
KEY = (ALICE, DB, "tcp", 5432)


def v4(source=ALICE, destination=DB, protocol=6, port=5432, length=60, options=b""):
    words = 5 + len(options) // 4
    header = struct.pack(">BBHHHBBH", 0x40 | words, 0, length, 0, 0, 64, protocol, 0)
    ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    return header + ends + options + struct.pack(">HH", 40000, port)


def v6(protocol=17, port=53, extensions=b"", first=None):
    header = struct.pack(">IHBB", 6 << 28, 100, protocol if first is None else first, 64)
    ends = ipaddress.ip_address("fd7a::2").packed + ipaddress.ip_address(DB6).packed
    return header + ends + extensions + struct.pack(">HH", 40000, port)


def only(table):
    rows, dropped = table.take()
    assert dropped == 0
    (row,) = rows
    return row


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (v4(), (ALICE, DB, "tcp", 5432, 60)),
        (v4(options=bytes(8)), (ALICE, DB, "tcp", 5432, 60)),
        (v4(protocol=1, port=9), (ALICE, DB, "icmp", 0, 60)),
        (v4(protocol=47), (ALICE, DB, "47", 0, 60)),
        (v6(), ("fd7a::2", DB6, "udp", 53, 140)),
        (v6(protocol=58), ("fd7a::2", DB6, "icmp", 0, 140)),
        (v6(first=0, extensions=bytes((17, 0)) + bytes(6)), ("fd7a::2", DB6, "udp", 53, 140)),
    ],
)
def test_addresses_protocol_port_and_length_are_read(packet, expected):
    flow, length = parse("a:r-1", packet)
    assert (flow.source, flow.destination, flow.protocol, flow.port, length) == expected
    assert (flow.verdict, flow.rule_id) == ("allow", "r-1")


@given(st.text(max_size=12), st.binary(max_size=120))
def test_no_packet_and_no_prefix_breaks_it(prefix, packet):
    found = parse(prefix, packet)
    assert found is None or 0 <= found[0].port <= 65535


@pytest.mark.parametrize(("prefix", "rule"), [("d:", None), ("d:r-1", "r-1"), ("d:#3", None)])
def test_a_refusal_names_its_rule_if_there_is_one(prefix, rule):
    flow, _ = parse(prefix, v4())
    assert (flow.verdict, flow.rule_id) == ("deny", rule)


def test_connections_of_one_kind_become_one_row_with_what_the_kernel_counted():
    table = FlowTable()
    for _ in range(3):
        table.note("a:r-1", v4(), 100.0)
    table.measure({KEY: (30, 9000)}, 105.0)
    row = only(table)
    assert (row["at"], row["count"], row["packets"], row["bytes"]) == (100.0, 3, 30, 9000)
    assert table.take() == ([], 0)


def test_a_flow_that_runs_on_is_put_down_to_the_rule_that_let_it_in():
    table = FlowTable()
    table.note("a:r-1", v4(), 100.0)
    table.measure({KEY: (10, 1000)}, 105.0)
    table.take()
    table.measure({KEY: (15, 1500)}, 115.0)
    row = only(table)
    assert (row["rule_id"], row["count"], row["packets"], row["bytes"]) == ("r-1", 0, 5, 500)
    table.measure({KEY: (15, 1500)}, 125.0)
    assert table.take() == ([], 0), "nothing flowed"
    # The filter was written anew, and with it the counters.
    table.measure({KEY: (2, 200)}, 135.0)
    assert only(table)["bytes"] == 200


def test_what_began_before_we_looked_is_not_guessed_at():
    table = FlowTable()
    table.measure({KEY: (10, 1000)}, 100.0)
    assert table.take() == ([], 0)


def test_refused_packets_and_pings_are_counted_as_they_are_told():
    table = FlowTable()
    table.note("d:", v4(), 100.0)
    table.note("d:", v4(), 101.0)
    assert (only(table)["packets"], table.take()) == (2, ([], 0))
    table.note("a:", v4(protocol=1), 100.0)
    assert only(table)["bytes"] == 60


def test_rows_are_bounded_and_what_did_not_fit_is_counted():
    table = FlowTable()
    for port in range(1, MAX_ROWS + 51):
        table.note("d:", v4(port=port), 100.0)
    rows, dropped = table.take()
    assert (len(rows), dropped) == (MAX_ROWS, 50)


def row(port=1):
    return {"port": port, "count": 1}


def test_reports_are_pieces_that_can_be_told_apart():
    reports = Reports()
    reports.add([row(port) for port in range(ROWS_A_REPORT + 1)], 7, now=2e9)
    first = reports.next()
    reports.taken()
    second = reports.next()
    reports.taken()
    assert reports.next() is None
    assert (len(first["rows"]), len(second["rows"])) == (ROWS_A_REPORT, 1)
    assert (first["dropped"], second["dropped"]) == (7, 0)
    assert (first["from"], first["to"]) != (second["from"], second["to"])
    reports.add([row()], 0, now=2e9 + 10)
    assert reports.next()["from"] == 2e9


def test_what_waits_too_long_is_dropped_and_said_to_be():
    reports = Reports()
    for number in range(MAX_WAITING + 3):
        reports.add([row()], 0, now=2e9 + number)
    reports.add([row()], 0, now=3e9)
    waiting = []
    while (report := reports.next()) is not None:
        waiting.append(report)
        reports.taken()
    assert len(waiting) == MAX_WAITING
    # The fourth was lost when the last report came; the next one says so.
    assert sum(report["dropped"] for report in waiting) == 3


@pytest.mark.parametrize(
    ("error", "stays"),
    [
        (ApiError("FEATURE_NOT_ENABLED", "off", 403), False),
        (ApiError("RATE_LIMITED", "later", 429), True),
        (ApiError("INTERNAL_ERROR", "oops", 500), True),
        (AgentError("UNREACHABLE", "away"), True),
        (None, False),
    ],
)
async def test_a_report_is_kept_exactly_as_long_as_it_may_be_taken(error, stays):
    async def call(method, path, body, *, token):
        assert (method, path, token) == ("POST", "/api/flow-report", "node-key")
        if error is not None:
            raise error

    reports = Reports()
    reports.add([row()], 0, now=2e9)
    daemon = SimpleNamespace(client=SimpleNamespace(call=call), machine=SimpleNamespace(node_key="node-key"))
    await reporting._send(daemon, reports)
    assert (reports.next() is not None) is stays
