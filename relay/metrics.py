"""What a relay tells Prometheus (text format 0.0.4). No label ever holds an address or a key."""

import time
from collections.abc import Iterator

from relay.links import Links
from relay.server import RelayServer

_DATAGRAM_BYTES = 1280


def render(server: RelayServer) -> bytes:
    """The document of /metrics."""
    return ("\n".join(_lines(server)) + "\n").encode()


def _lines(server: RelayServer) -> Iterator[str]:
    core, counters = server.core, server.core.counters
    now = server.clock()
    yield from _metric("clients", "gauge", "Registered clients.", core.clients)
    yield from _metric("connections", "gauge", "Open WebSockets.", core.connections)
    yield from _metric(
        "waiting_connections", "gauge", "Connections before their WebSocket.", len(server.waiting)
    )
    yield from _metric("frames_total", "counter", "Frames taken for delivery.", counters.frames)
    yield from _metric("bytes_total", "counter", "Bytes of these frames.", counters.bytes)
    drops = {
        "slow_reader": core.dropped,
        "no_receiver": counters.undeliverable,
    }
    yield from _metric("dropped_frames_total", "counter", "Frames not delivered.", drops, "reason")
    if isinstance(core.mesh, Links):
        crossed = {"sent": core.mesh.frames, "dropped": core.mesh.dropped}
        yield from _metric("links", "gauge", "Links to other workers that are up.", core.mesh.count)
        yield from _metric("link_frames_total", "counter", "Frames for other workers.", crossed, "outcome")
    refusals = {
        "credential": counters.refused,
        "protocol": counters.malformed,
        "crowd": server.turned_away,
        "handshake": server.handshake_failures,
        "stopped_reading": server.stopped_reading,
    }
    yield from _metric("refused_connections_total", "counter", "Connections ended.", refusals, "reason")
    yield from _metric("handshakes_total", "counter", "TLS handshakes.", server.groups, "group")
    yield from _metric("queue_age_seconds", "gauge", "Age of the oldest waiting frame.", core.queue_age(now))
    cpu = time.process_time()
    yield from _metric("cpu_seconds_total", "counter", "User and system time.", cpu)
    per_datagram = cpu / counters.bytes * _DATAGRAM_BYTES if counters.bytes else 0.0
    yield from _metric(
        "cpu_seconds_per_datagram", "gauge", "CPU time by 1280 bytes carried since the start.", per_datagram
    )


def _metric(name: str, kind: str, text: str, value: float | dict[str, int], label: str = "") -> Iterator[str]:
    name = f"quickztna_relay_{name}"
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
    if isinstance(value, dict):
        yield from (f'{name}{{{label}="{key}"}} {count}' for key, count in sorted(value.items()))
    else:
        yield f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
