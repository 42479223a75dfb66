"""Events to the console."""

from typing import Any

from apps.core.realtime import publish


def tell(org: Any) -> None:
    """Pages that show webhooks read again; members hear no more than that."""
    for table in ("webhooks", "webhook_deliveries"):
        publish(org=org, channel="general", event="REFRESH", table=table, payload={})
