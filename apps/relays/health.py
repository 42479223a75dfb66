"""Whether relays answer: one visit a region, all at once, remembered for half a minute."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone
from prometheus_client import Gauge

from apps.relays.probe import Pair, Stranger, visit
from wire.netmap import RelayRegion

KEPT_SECONDS = 45  # one visit of the job may be late
AT_ONCE = 8

HEALTHY = Gauge("quickztna_relay_region_healthy", "Whether a built-in region does its work", ["region"])
LATENCY = Gauge(
    "quickztna_relay_region_latency_seconds", "Time of a frame through a built-in region's relay", ["region"]
)
CLIENTS = Gauge(
    "quickztna_relay_region_clients", "Clients of a built-in region, as its relays say", ["region"]
)
BYTES = Gauge(
    "quickztna_relay_region_bytes",
    "Bytes that its relays carried since they started",
    ["region"],
)

Verdict = dict[str, Any]


def probe_all(regions: Sequence[RelayRegion], *, private: bool, anew: bool = False) -> dict[str, Verdict]:
    """region_code -> {healthy, latency_ms, tls_group, reason, checked_at}.

    private: hosts inside a network are visited too. anew: what is remembered does not count.
    """
    keys = {region.region_code: _key(region) for region in regions}
    kept = {} if anew else cache.get_many(keys.values())
    missing = [region for region in regions if keys[region.region_code] not in kept]
    if missing:
        pairs = [(Stranger(region), Stranger(region)) for region in missing]
        with ThreadPoolExecutor(max_workers=min(AT_ONCE, len(missing))) as pool:
            verdicts = pool.map(lambda region, pair: _verdict(region, pair, private=private), missing, pairs)
            names = (keys[region.region_code] for region in missing)
            fresh = dict(zip(names, verdicts, strict=True))
        cache.set_many(fresh, timeout=KEPT_SECONDS)
        kept |= fresh
    return {code: kept[key] for code, key in keys.items()}


def show(found: dict[str, Verdict]) -> None:
    """Put built-in regions into the metrics of this process; customers' own are theirs."""
    for code, verdict in found.items():
        HEALTHY.labels(code).set(verdict["healthy"])
        if verdict["latency_ms"] is not None:
            LATENCY.labels(code).set(verdict["latency_ms"] / 1000)


def show_load(code: str, load: dict[str, int]) -> None:
    """The same of what the relays of a built-in region say of themselves."""
    CLIENTS.labels(code).set(load.get("clients", 0))
    BYTES.labels(code).set(load.get("bytes", 0))


def judged(found: dict[str, Verdict]) -> dict[str, Any]:
    """status (ok, degraded, down), healthy, degraded[]."""
    bad = sorted(code for code, verdict in found.items() if not verdict["healthy"])
    status = "ok" if not bad else "down" if len(bad) == len(found) else "degraded"
    return {"status": status, "healthy": not bad, "degraded": bad}


def _key(region: RelayRegion) -> str:
    place = f"{region.hostname}:{region.derp_port}:{region.stun_port}"
    return f"relay-health:{region.region_code}:{place}:{region.ipv4}:{region.ipv6}"


def _verdict(region: RelayRegion, pair: Pair, *, private: bool) -> Verdict:
    found = visit(region, pair, private=private, ca_file=settings.RELAY_CA_FILE)
    return {**asdict(found), "checked_at": timezone.now()}
