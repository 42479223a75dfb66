"""Nameservers, names and values as people write them, brought to the form that is kept.

Every function raises InvalidInput that names the field.
"""

import ipaddress
from collections.abc import Iterable

from apps.core.domains import parse_domain
from apps.core.errors import InvalidInput

TLS = "tls://"
# Where each agent itself answers: an upstream there would ask in a circle.
OWN_RESOLVER = "100.100.100.100"
OWN_NAME = "magicdns"
MAX_TXT = 255  # one character-string (RFC 1035 3.3)
MAX_DOMAINS = 50


def parse_server(text: str) -> str:
    """An IPv4 or IPv6 address, or DNS over TLS: `tls://` with an address, a name, or name@address."""
    text = text.strip()
    name, _, address = text.removeprefix(TLS).rpartition("@")
    try:
        if not text.startswith(TLS):
            return _server_address(text)
        if name:
            return f"{TLS}{_host(name)}@{_server_address(address)}"
        return TLS + (_server_address(address) if _is_address(address) else _host(address))
    except ValueError as flaw:
        raise InvalidInput(f"nameserver: {flaw}", field="nameserver") from None


def parse_split(domains: Iterable[str], *, own_domain: str) -> list[str]:
    """Domains that one nameserver answers for, without duplicates."""
    try:
        found = list(dict.fromkeys(parse_domain(domain, underscores=True) for domain in domains))
    except ValueError as flaw:
        raise InvalidInput(f"domains: {flaw}", field="domains") from None
    if not found:
        raise InvalidInput("domains: a split nameserver needs at least one", field="domains")
    if len(found) > MAX_DOMAINS:
        raise InvalidInput(f"domains: at most {MAX_DOMAINS}", field="domains")
    if own := [domain for domain in found if is_within(domain, own_domain)]:
        raise InvalidInput(f"domains: {own[0]} is answered by MagicDNS", field="domains")
    return found


def is_within(name: str, domain: str) -> bool:
    """Whether a name is the domain or under it."""
    return name == domain or name.endswith(f".{domain}")


def parse_record_name(text: str, *, domain: str) -> str:
    """A label, or a name under the organisation's domain, as a full name."""
    try:
        name = parse_domain(text, underscores=True)
        full = name if is_within(name, domain) else parse_domain(f"{name}.{domain}", underscores=True)
    except ValueError as flaw:
        raise InvalidInput(f"name: {flaw}", field="name") from None
    if "." in name and full != name:
        raise InvalidInput(f"name: must be one label or a name under {domain}", field="name")
    if full in (domain, f"{OWN_NAME}.{domain}"):
        raise InvalidInput(f"name: {full} is reserved", field="name")
    return full


def parse_value(kind: str, text: str, *, name: str, domain: str) -> str:
    """What a record of this type and full name says; a CNAME's single label is a name of the domain."""
    text = text.strip()
    try:
        if kind in ("A", "AAAA"):
            return _record_address(text, version=4 if kind == "A" else 6)
        if kind == "TXT":
            return _character_string(text)
        target = parse_domain(text, underscores=True)
    except ValueError as flaw:
        raise InvalidInput(f"value: {flaw}", field="value") from None
    target = target if "." in target else f"{target}.{domain}"
    if target == name:
        raise InvalidInput("value: the name points at itself", field="value")
    return target


def _host(text: str) -> str:
    name = parse_domain(text)
    if name.rpartition(".")[2].isdigit():
        raise ValueError(f"{text!r} is not an IP address")
    return name


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _server_address(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"{text[:80]!r} is not an IP address or {TLS} and a host") from None
    if str(address) == OWN_RESOLVER:
        raise ValueError(f"{address} is MagicDNS itself")
    # Loopback and link-local addresses mean another host on every machine.
    if address.is_unspecified or address.is_multicast or address.is_loopback or address.is_link_local:
        raise ValueError(f"{address} cannot be reached as a nameserver")
    return str(address)


def _record_address(text: str, *, version: int) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        address = None
    if address is None or address.version != version or "%" in text:
        raise ValueError(f"{text[:80]!r} is not an IPv{version} address")
    if address.is_unspecified or address.is_multicast:
        raise ValueError(f"{address} is no address of a host")
    return str(address)


def _character_string(text: str) -> str:
    if not 1 <= len(text) <= MAX_TXT or not (text.isascii() and text.isprintable()):
        raise ValueError(f"1 to {MAX_TXT} printable ASCII characters")
    return text
