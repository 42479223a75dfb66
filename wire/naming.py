"""How names are resolved on a machine of the tailnet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wire.binary import WireError
from wire.documents import build, entries, mapping, texts

RECORD_TYPES = ("A", "AAAA", "CNAME", "TXT")


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """A record of the organisation's own. name is fully qualified, without the last dot."""

    name: str
    type: str
    value: str


@dataclass(frozen=True, slots=True)
class Dns:
    """Naming of the tailnet: domain is `<slug>.zt.net`.

    nameservers: upstreams for all other names, "9.9.9.9" or "tls://host" (DNS over TLS, RFC 7858); none
    means the default. split: domain to the only nameservers that may be asked for it.
    override_local_dns: names of the internet go to these upstreams too, not to the host's own.
    """

    domain: str
    magic_dns: bool = True
    search_domains: tuple[str, ...] = ()
    nameservers: tuple[str, ...] = ()
    split: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    records: tuple[DnsRecord, ...] = ()
    override_local_dns: bool = True

    @classmethod
    def from_json(cls, document: Any) -> "Dns":
        """Parse it; WireError names the first thing that is wrong."""
        split = mapping(mapping(document).get("split"))
        records = tuple(build(DnsRecord, entry) for entry in entries(document.get("records")))
        if any(record.type not in RECORD_TYPES for record in records):
            raise WireError("unknown type of DNS record")
        return build(
            cls,
            document,
            split={str(domain): texts(servers) for domain, servers in split.items()},
            records=records,
            nameservers=texts(document.get("nameservers")),
            search_domains=texts(document.get("search_domains")),
        )


@dataclass(frozen=True, slots=True)
class DnsBlocklist:
    """Names that answer NXDOMAIN; wildcards block everything below them. version is a content hash."""

    version: str
    domains: tuple[str, ...] = ()
    wildcards: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, document: Any) -> "DnsBlocklist":
        """Parse it; WireError if an entry is no text."""
        found = mapping(document)
        return build(
            cls, document, domains=texts(found.get("domains")), wildcards=texts(found.get("wildcards"))
        )
