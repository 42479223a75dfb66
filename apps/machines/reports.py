"""Reading what an agent reports of itself, over HTTP and over its socket alike.

Hand-written checks: this runs for every heartbeat of every machine.
"""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from apps.core.errors import InvalidInput
from apps.machines.services.heartbeat import Report
from wire.binary import Endpoint, WireError
from wire.netmap import MAX_ENDPOINTS

REGION = re.compile(r"[A-Za-z0-9-]{2,16}")
MAX_REGIONS = 64
MAX_PATHS = 1000
CONNECTIVITY_FLAGS = ("ipv6", "udp", "upnp", "pmp", "pcp", "hairpinning", "mapping_varies")
PATH_KINDS = ("direct", "relay", "none")
PQC_STATES = ("verified", "pending", "classical")


def parse_report(body: Mapping[str, Any], *, address: str | None) -> Report:
    """A heartbeat's or `endpoints` message's body from an address; raises InvalidInput naming the field."""
    endpoints = body.get("endpoints")
    if endpoints is None and body.get("endpoint"):
        endpoints = [body["endpoint"]]
    network = {
        "derp_latencies": _latencies(body.get("derp_latencies")),
        "client_connectivity": _connectivity(body.get("connectivity")),
    }
    network = {name: value for name, value in network.items() if value is not None}
    return Report(
        leaving=_one_of(body, "status", ("online", "offline")) == "offline",
        netmap_version=_version(body.get("netmap_version")),
        version=_text(body, "version", 40),
        endpoints=parse_endpoints(endpoints),
        derp_region=_region(body.get("derp_region")),
        network=network or None,
        paths=_paths(body.get("paths")),
        address=address,
    )


def _one_of(body: Mapping[str, Any], name: str, values: tuple[str, ...]) -> str | None:
    value = body.get(name)
    if value is not None and value not in values:
        raise InvalidInput(f"{name}: must be one of {', '.join(values)}", field=name)
    return value


def _text(body: Mapping[str, Any], name: str, longest: int) -> str | None:
    value = body.get(name)
    if value is not None and not (isinstance(value, str) and len(value) <= longest):
        raise InvalidInput(f"{name}: must be text of at most {longest} characters", field=name)
    return value or None


def _version(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidInput("netmap_version: must be a whole number", field="netmap_version")
    return value


def parse_endpoints(value: Any) -> tuple[str, ...] | None:
    """At most MAX_ENDPOINTS of address:port, each once; raises InvalidInput."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > MAX_ENDPOINTS:
        raise InvalidInput(f"endpoints: must be a list of at most {MAX_ENDPOINTS}", field="endpoints")
    try:
        return tuple(dict.fromkeys(str(Endpoint.parse(entry)) for entry in value))
    except (WireError, AttributeError, TypeError):
        raise InvalidInput("endpoints: each must be address:port", field="endpoints") from None


def _region(value: Any) -> str | None:
    if value is not None and not (isinstance(value, str) and REGION.fullmatch(value)):
        raise InvalidInput("derp_region: must be a region code", field="derp_region")
    return value


def _latencies(value: Any) -> dict[str, float] | None:
    if value is None:
        return None
    fits = isinstance(value, Mapping) and len(value) <= MAX_REGIONS
    if not fits or not all(_region(code) and _is_number(ms) for code, ms in value.items()):
        raise InvalidInput("derp_latencies: must map region codes to milliseconds", field="derp_latencies")
    return dict(value)


def _connectivity(value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise InvalidInput("connectivity: must be an object", field="connectivity")
    found = {name: value[name] for name in CONNECTIVITY_FLAGS if isinstance(value.get(name), bool)}
    mode = _one_of(value, "firewall_mode", ("none", "nftables", "iptables"))
    preferred = _region(value.get("preferred_derp"))
    extra = {"firewall_mode": mode, "preferred_derp": preferred}
    return found | {name: entry for name, entry in extra.items() if entry}


def _paths(value: Any) -> list[dict[str, Any]] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > MAX_PATHS:
        raise InvalidInput(f"paths: must be a list of at most {MAX_PATHS}", field="paths")
    return [_path(entry) for entry in value]


def _path(entry: Any) -> dict[str, Any]:
    try:
        numbers = {name: entry.get(name) for name in ("rtt_ms", "rx_bytes", "tx_bytes")}
        if not all(number is None or _is_number(number) for number in numbers.values()):
            raise ValueError
        endpoint = entry.get("endpoint")
        return {
            "machine_id": str(uuid.UUID(entry["machine_id"])),
            "path": PATH_KINDS[PATH_KINDS.index(entry["path"])],
            "pqc": PQC_STATES[PQC_STATES.index(entry["pqc"])],
            "endpoint": str(Endpoint.parse(endpoint)) if endpoint else None,
            **numbers,
        }
    except (KeyError, ValueError, TypeError, AttributeError):
        raise InvalidInput(
            "paths: each needs machine_id, path, pqc, and numbers where they stand", field="paths"
        ) from None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e15
