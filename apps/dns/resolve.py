"""What a name of the organisation resolves to, and for whom. It answers while MagicDNS is off too."""

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from apps.dns.models import DnsRecord
from apps.dns.parsing import is_within
from apps.machines.changes import stored_version
from apps.machines.models import Machine
from apps.machines.names import domain_of, magicdns_name
from apps.machines.netmap import visible_peers
from apps.machines.snapshots import feed_of
from apps.orgs.models import Organization

MAX_ALIASES = 8
NAMED = ("online", "offline")


@dataclass(frozen=True)
class Found:
    """source: machine_fqdn (asked by its full name), machine_auto (by its label), custom, None."""

    fqdn: str
    addresses: tuple[str, ...] = ()
    source: str | None = None


def resolve(*, org: Organization, hostname: str, kind: str, node_id: uuid.UUID | None) -> Found:
    """Addresses of a name, A or AAAA, as a person or (node_id) as this machine may know them."""
    domain = domain_of(org.slug)
    asked = hostname.strip().lower().removesuffix(".")
    fqdn = name = asked if "." in asked else f"{asked}.{domain}"
    seen = _NodesView(org, node_id) if node_id else _PeoplesView(org)
    alias = False
    for _ in range(MAX_ALIASES):
        if not is_within(name, domain):
            break
        if addresses := seen.machine(name):
            source = "custom" if alias else "machine_fqdn" if "." in asked else "machine_auto"
            return Found(fqdn, tuple(each for each in addresses if (":" in each) == (kind == "AAAA")), source)
        values = seen.records(name)
        if not values:
            break
        target = next((value for type_, value in values if type_ == "CNAME"), None)
        if target is None:
            return Found(fqdn, tuple(value for type_, value in values if type_ == kind), "custom")
        name, alias = target, True
    # An alias that leads out of the tailnet is for the machine's own resolver to follow.
    return Found(fqdn, source="custom" if alias else None)


def machine_records(org: Organization) -> Iterator[tuple[str, str, str]]:
    """(full name, type, address) of every machine that has a name."""
    rows = Machine.objects.for_org(org).filter(status__in=NAMED).order_by("name")
    for name, ipv4, ipv6 in rows.values_list("name", "tailnet_ip", "tailnet_ipv6"):
        for kind, address in (("A", ipv4), ("AAAA", ipv6)):
            if address:
                yield magicdns_name(name, org.slug), kind, address


class _PeoplesView:
    """Names as the console knows them."""

    def __init__(self, org: Organization) -> None:
        self._org, self._domain = org, domain_of(org.slug)

    def machine(self, name: str) -> tuple[Any, ...]:
        """Addresses of the machine of this full name."""
        label = name.removesuffix(f".{self._domain}")
        rows = Machine.objects.for_org(self._org).filter(name__iexact=label, status__in=NAMED)
        return tuple(filter(None, rows.values_list("tailnet_ip", "tailnet_ipv6").first() or ()))

    def records(self, name: str) -> list[tuple[str, str]]:
        """(type, value) of the organisation's records of this full name."""
        return list(DnsRecord.objects.for_org(self._org).filter(name=name).values_list("type", "value"))


class _NodesView(_PeoplesView):
    """The same as one machine's map has it: itself and the peers that it may see."""

    def __init__(self, org: Organization, node_id: uuid.UUID) -> None:
        super().__init__(org)
        snapshot, now = feed_of(org).at_least(stored_version(org.pk)), time.time()
        own = snapshot.nodes[str(node_id)]
        self._connects = own.connects(now)
        known = [own.self_node, *visible_peers(snapshot, str(node_id), now).values()]
        self._machines = {each.magicdns_name: (each.tailnet_ip, each.tailnet_ipv6) for each in known}

    def machine(self, name: str) -> tuple[Any, ...]:
        return tuple(filter(None, self._machines.get(name, ())))

    def records(self, name: str) -> list[tuple[str, str]]:
        return super().records(name) if self._connects else []
