"""The agent's figures in Prometheus' text format 0.0.4."""

from collections.abc import Iterable, Mapping
from typing import Any

Sample = tuple[Mapping[str, str], float]


def render(status: Mapping[str, Any] | None, gauges: Mapping[str, Any] | None, *, version: str) -> str:
    """Everything of one machine; ztna_up 0 and the build alone without a daemon.

    status: as `ztna status`. gauges: latencies_ms by region, dns counters by result, filter drops by
    rule, netmap_age_s.
    """
    text = _family("ztna_build_info", "gauge", "Version of the agent.", [({"version": version}, 1)])
    text += _family("ztna_up", "gauge", "Whether the daemon runs.", [({}, 1 if status else 0)])
    if not status or not gauges:
        return text
    peers = status["peers"]
    paths = [({"path": path}, sum(peer["path"] == path for peer in peers)) for path in ("direct", "derp")]
    states = ("verified", "pending", "classical")
    pairs = [({"pqc": state}, sum(peer["pqc"]["state"] == state for peer in peers)) for state in states]
    ages = [peer["pqc"]["psk_age_s"] for peer in peers if peer["pqc"]["psk_age_s"] is not None]
    regions = [({"region": code}, ms / 1000) for code, ms in sorted(gauges["latencies_ms"].items())]
    queries = [({"result": result}, count) for result, count in sorted(gauges["dns"].items())]
    drops = [({"rule": rule}, count) for rule, count in sorted(gauges["drops"].items())]
    return text + "".join(
        (
            _family("ztna_peer_count", "gauge", "Peers by the path to them.", paths),
            _family("ztna_pairs", "gauge", "Peers by the state of the pair's key.", pairs),
            _family("ztna_tx_bytes_total", "counter", "Bytes sent to peers.", _sum(peers, "tx_bytes")),
            _family("ztna_rx_bytes_total", "counter", "Bytes received from peers.", _sum(peers, "rx_bytes")),
            _family("ztna_psk_age_seconds", "gauge", "Age of the oldest pair key in force.", _oldest(ages)),
            _family("ztna_derp_latency_seconds", "gauge", "Round trip to a region's STUN server.", regions),
            _family("ztna_dns_queries_total", "counter", "Questions to the resolver by result.", queries),
            _family("ztna_filter_drops_total", "counter", "Packets dropped by the packet filter.", drops),
            _family(
                "ztna_netmap_age_seconds",
                "gauge",
                "Time since the map last changed.",
                [({}, age)] if (age := gauges["netmap_age_s"]) is not None else [],
            ),
        )
    )


def _sum(peers: Iterable[Mapping[str, Any]], column: str) -> list[Sample]:
    return [({}, sum(peer[column] for peer in peers))]


def _oldest(ages: list[float]) -> list[Sample]:
    return [({}, max(ages))] if ages else []


def _family(name: str, kind: str, help_text: str, samples: Iterable[Sample]) -> str:
    lines = [
        f"{name}{_labels(labels)} {value:g}" if value < 1e6 else f"{name}{_labels(labels)} {value:.0f}"
        for labels, value in samples
    ]
    if not lines:
        return ""
    return "\n".join([f"# HELP {name} {help_text}", f"# TYPE {name} {kind}", *lines]) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return "{" + pairs + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
