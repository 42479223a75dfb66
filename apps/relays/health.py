"""Whether relays answer: one probe a region, all at once, remembered for half a minute."""

import ipaddress
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from django.core.cache import cache
from django.utils import timezone

from wire.netmap import RelayRegion
from wire.relay import PROBE_PATH

PROBE_SECONDS = 5.0
KEPT_SECONDS = 30
HEALTHY_STATUS = (200, 426)  # 426: the relay's socket asks for an upgrade

Verdict = dict[str, Any]


def probe_all(regions: Sequence[RelayRegion], *, private: bool) -> dict[str, Verdict]:
    """region_code -> {healthy, latency_ms, checked_at}; private: hosts inside a network are probed too."""
    keys = {region.region_code: f"relay-health:{region.hostname}:{region.derp_port}" for region in regions}
    kept = cache.get_many(keys.values())
    missing = [region for region in regions if keys[region.region_code] not in kept]
    if missing:
        with ThreadPoolExecutor(max_workers=min(8, len(missing))) as pool:
            verdicts = pool.map(lambda region: _probe(region, private=private), missing)
            names = (keys[region.region_code] for region in missing)
            fresh = dict(zip(names, verdicts, strict=True))
        cache.set_many(fresh, timeout=KEPT_SECONDS)
        kept |= fresh
    return {code: kept[key] for code, key in keys.items()}


def judged(found: dict[str, Verdict]) -> dict[str, Any]:
    """status (ok, degraded, down), healthy, degraded[]."""
    bad = sorted(code for code, verdict in found.items() if not verdict["healthy"])
    status = "ok" if not bad else "down" if len(bad) == len(found) else "degraded"
    return {"status": status, "healthy": not bad, "degraded": bad}


def _probe(region: RelayRegion, *, private: bool) -> Verdict:
    began = time.monotonic()
    healthy = (private or _is_public(region)) and _answers(region)
    latency = round((time.monotonic() - began) * 1000, 1) if healthy else None
    return {"healthy": healthy, "latency_ms": latency, "checked_at": timezone.now()}


def _answers(region: RelayRegion) -> bool:
    try:
        # Life, not identity, is asked for: agents check the certificate themselves.
        answer = httpx.get(
            f"https://{region.hostname}:{region.derp_port}{PROBE_PATH}",
            timeout=PROBE_SECONDS,
            verify=False,  # noqa: S501
            trust_env=False,
        )
    except (httpx.HTTPError, httpx.InvalidURL, OSError):
        return False
    return answer.status_code in HEALTHY_STATUS


def _is_public(region: RelayRegion) -> bool:
    """What a customer typed may not make us call into our own network."""
    try:
        found = socket.getaddrinfo(region.hostname, region.derp_port, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(str(entry[4][0])).is_global for entry in found)
