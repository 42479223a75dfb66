"""One name as the programs of this host see it, for `ztna dns query`."""

import ipaddress
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.reversename

from agent.host.resolver import Resolver


async def lookup(resolver: Resolver, name: str, kind: str, domain: str) -> dict[str, Any]:
    """{name, fqdn, type, addresses, source, ttl}: as given first, then with the domain appended.

    A single label is a machine before it is anything else, so there the domain comes first.
    source: magicdns, upstream, blocked, or None when there is no such name; DNSException for bad input.
    """
    candidates = [f"{name.rstrip('.')}."]
    if kind == "PTR":
        candidates = [_reverse(name)]
    elif not name.endswith("."):
        candidates.insert(1 if "." in name else 0, f"{name}.{domain}.")
    found: dict[str, Any] = {}
    for candidate in candidates:
        found = {"name": name, **await _ask(resolver, candidate, kind)}
        if found["addresses"] or found["source"] == "blocked":
            break
    return found


async def _ask(resolver: Resolver, name: str, kind: str) -> dict[str, Any]:
    query = dns.message.make_query(name, kind)
    blocked = resolver.blocklist.blocks(query.question[0].name)
    wire = await resolver.answer(query.to_wire())
    assert wire is not None
    response = dns.message.from_wire(wire)
    wanted = dns.rdatatype.from_text(kind)
    rrsets = [rrset for rrset in response.answer if rrset.rdtype == wanted]
    source = "magicdns" if response.flags & dns.flags.AA else "upstream"
    if response.rcode() == dns.rcode.SERVFAIL:
        source = "unreachable"
    return {
        "fqdn": (rrsets[0].name if rrsets else query.question[0].name).to_text(omit_final_dot=True),
        "type": kind,
        "addresses": [item.to_text().rstrip(".") for rrset in rrsets for item in rrset],
        "source": "blocked" if blocked else source if rrsets or source == "unreachable" else None,
        "ttl": min((rrset.ttl for rrset in rrsets), default=None),
    }


def _reverse(name: str) -> str:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return f"{name.rstrip('.')}."
    return dns.reversename.from_address(name).to_text()
