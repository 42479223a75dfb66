"""Events to browsers and agents: group names, and publishing after commit."""

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone
from redis.exceptions import RedisError

from apps.core.api.rendering import WireEncoder
from apps.core.clock import rfc3339

# channel -> letter of the roles that may hear it
CHANNELS = {
    **dict.fromkeys(("machines", "members", "audit", "general", "posture", "threats"), "M"),
    **dict.fromkeys(("certificates", "dns", "acl", "remote_desktop"), "M"),
    **dict.fromkeys(("keys", "billing"), "U"),
}
# A table's name where it is not its channel's.
TABLE_CHANNELS = {
    "org_members": "members",
    "org_invitations": "members",
    "audit_logs": "audit",
    "api_keys": "keys",
    "auth_keys": "keys",
    "dns_configs": "dns",
    "dns_records": "dns",
    "tag_owners": "machines",
    "acl_rules": "acl",
    "abac_policies": "acl",
    "segmentation_groups": "acl",
    "segmentation_group_members": "acl",
    "idp_groups": "acl",
    "idp_group_members": "acl",
    "policy_tests": "acl",
    "jit_access_grants": "acl",
    "access_review_campaigns": "acl",
    "access_review_decisions": "acl",
    "change_plans": "acl",
    "organizations": "general",
    "org_settings": "general",
    "webhooks": "general",
    "webhook_deliveries": "general",
}
RESUME_SECONDS = 300
REFRESH_ABOVE = 200  # rows of one write

_loop: list[asyncio.AbstractEventLoop] = []
_collected: ContextVar[set[tuple[Any, str, str]] | None] = ContextVar("collected", default=None)
logger = logging.getLogger("quickztna.realtime")


def org_group(org_id: Any, topic: str) -> str:
    """Channel-layer group of one topic in one organisation; never made from a client's text."""
    return f"org.{getattr(org_id, 'pk', org_id)}.{topic}"


def session_group(session_id: Any) -> str:
    """Group of the sockets that a sign-in session opened."""
    return f"session.{session_id}"


def member_group(org_id: Any, user_id: Any) -> str:
    """Group of one person's sockets in one organisation."""
    return f"member.{org_id}.{user_id}"


def attach_loop() -> None:
    """Remember the loop that runs the sockets: the in-memory layer wakes readers only from there."""
    _loop[:] = [asyncio.get_running_loop()]


def send_to_group(group: str, message: dict[str, Any]) -> None:
    """Send from synchronous code; returns before delivery where the sockets' loop is ours."""
    layer = get_channel_layer()
    if _loop and _loop[0].is_running():
        asyncio.run_coroutine_threadsafe(layer.group_send(group, message), _loop[0])
    else:
        async_to_sync(layer.group_send)(group, message)


def publish(*, org: Any, channel: str, event: str, table: str, payload: dict[str, Any]) -> None:
    """Tell the organisation's browsers after commit that a row changed.

    event is INSERT, UPDATE, DELETE or REFRESH; payload holds the id and the changed readable columns.
    """
    if channel not in CHANNELS:
        raise ValueError(f"unknown channel {channel}")
    org_id = getattr(org, "pk", org)
    collected = _collected.get()
    if collected is not None:
        collected.add((org_id, channel, table))
        return
    transaction.on_commit(lambda: _deliver(org_id, channel, event, table, payload))


@contextmanager
def as_refresh() -> Iterator[None]:
    """Turn all events of a large write into one REFRESH a table."""
    collected: set[tuple[Any, str, str]] = set()
    token = _collected.set(collected)
    try:
        yield
    finally:
        _collected.reset(token)
    for org_id, channel, table in collected:
        publish(org=org_id, channel=channel, event="REFRESH", table=table, payload={})


def last_seq(org_id: Any) -> int:
    """Number of the organisation's last event; 0 before the first."""
    return cache.get(_seq_key(org_id), 0)


def missed_events(org_id: Any, seq: int, channels: set[str]) -> list[dict[str, Any]] | None:
    """Events after `seq` on these channels, or None if some are no longer kept."""
    last = last_seq(org_id)
    if seq == last:
        return []
    if seq > last or last - seq > 1000:
        return None
    keys = [_event_key(org_id, number) for number in range(seq + 1, last + 1)]
    found = cache.get_many(keys)
    if len(found) < len(keys):
        return None
    return [found[key] for key in keys if found[key]["channel"] in channels]


def _deliver(org_id: Any, channel: str, event: str, table: str, payload: dict[str, Any]) -> None:
    # The wire form is made here, once, so that every layer carries plain JSON types.
    payload = json.loads(json.dumps(payload, cls=WireEncoder))
    try:
        cache.add(_seq_key(org_id), 0, timeout=None)
        seq = cache.incr(_seq_key(org_id))
        message = {
            "type": "event",
            "channel": channel,
            "event": event,
            "table": table,
            "payload": payload,
            "timestamp": rfc3339(timezone.now()),
            "seq": seq,
        }
        cache.set(_event_key(org_id, seq), message, timeout=RESUME_SECONDS)
        send_to_group(org_group(org_id, channel), {"type": "org.event", "message": message})
    except (RedisError, OSError):
        # The write is committed; a browser that missed the event sees it at its next reload.
        logger.exception("event not delivered", extra={"org": str(org_id), "table": table})


def _seq_key(org_id: Any) -> str:
    return f"realtime:{org_id}:seq"


def _event_key(org_id: Any, seq: int) -> str:
    return f"realtime:{org_id}:{seq}"
