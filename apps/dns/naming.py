"""What the organisation's nameservers and records make of the naming that machines are told."""

import uuid
from dataclasses import replace

from apps.dns.models import DnsConfig, DnsRecord
from apps.dns.parsing import OWN_NAME
from apps.machines.names import domain_of
from apps.orgs.models import Organization
from wire import naming


def complete(org_id: uuid.UUID, dns: naming.Dns) -> naming.Dns:
    """The document with upstreams, split domains and records; servers in the order they were added."""
    upstreams: list[str] = []
    split: dict[str, list[str]] = {}
    for server in DnsConfig.objects.for_org(org_id):
        if server.type == "global":
            upstreams.append(server.nameserver)
        for domain in server.domains:
            split.setdefault(domain, []).append(server.nameserver)
    records = DnsRecord.objects.for_org(org_id).values_list("name", "type", "value")
    return replace(
        dns,
        nameservers=tuple(upstreams),
        split={domain: tuple(servers) for domain, servers in sorted(split.items())},
        records=tuple(naming.DnsRecord(*record) for record in records),
    )


def record_labels(org_id: uuid.UUID) -> set[str]:
    """Labels right under the domain that are given away: a machine must not answer for them too."""
    domain = domain_of(Organization.objects.for_org(org_id).values_list("slug", flat=True).get())
    names = DnsRecord.objects.for_org(org_id).values_list("name", flat=True)
    labels = {name.removesuffix(f".{domain}") for name in names}
    return {OWN_NAME, *(label for label in labels if "." not in label)}
