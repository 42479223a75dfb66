"""Ends of a rule: `*`, a machine, its address, a network, `tag:`, `user:`, `group:`, or a list of these.

Each member of a list becomes an atom, a pair (kind, value) that is looked up, never searched for. Tags
keep their case as machines do; groups and e-mail addresses are the same in any case.
"""

import ipaddress
import re
import uuid
from dataclasses import dataclass
from functools import lru_cache

from apps.policy.faults import RuleFault

MAX_MEMBERS = 32
ANYONE = ("any", "")
TAG = re.compile(r"[A-Za-z0-9_-]{1,50}")
GROUP = re.compile(r"[^\x00-\x1f\x7f-\x9f,]{1,255}")
EMAIL = re.compile(r"[^\s,@]{1,64}@[^\s,@]{1,189}")
HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")

Atom = tuple[str, str]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Selector:
    """text: what is stored. atoms: (kind, value) of any, machine, ip, tag, user or group.

    networks: its CIDR members; an address alone is an atom. hosts: members that are no machine id, no
    address and have no prefix, so perhaps the name of a machine.
    """

    text: str
    atoms: frozenset[Atom]
    networks: tuple[Network, ...] = ()
    hosts: tuple[str, ...] = ()


def parse_selector(text: object, field: str) -> Selector:
    """Parse an end; RuleFault names the member that is malformed. Whether it exists is not asked here."""
    if not isinstance(text, str) or not text.strip():
        raise RuleFault(field, f"{field}: missing")
    return _parsed(text, field)


@lru_cache(maxsize=65_536)
def _parsed(text: str, field: str) -> Selector:
    members = [member.strip() for member in text.split(",")]
    if len(members) > MAX_MEMBERS:
        raise RuleFault(field, f"{field}: at most {MAX_MEMBERS} selectors")
    texts, atoms, networks, hosts = [], set(), [], []
    for member in members:
        kind, value, shown = _parse_member(member, field)
        texts.append(shown)
        if kind == "cidr":
            networks.append(ipaddress.ip_network(value))
        elif kind == "host":
            hosts.append(value)
        else:
            atoms.add((kind, value))
    listed = list(dict.fromkeys(texts))
    return Selector(
        ",".join(listed), frozenset(atoms), tuple(sorted(set(networks), key=network_key)), tuple(hosts)
    )


def network_key(network: Network) -> tuple[int, int, int]:
    """An order for networks of both versions."""
    return network.version, int(network.network_address), network.prefixlen


def _parse_member(member: str, field: str) -> tuple[str, str, str]:
    """(kind, value, stored text) of one member."""
    if member == "*":
        return (*ANYONE, "*")
    prefix, colon, rest = member.partition(":")
    prefix, rest = prefix.strip().lower(), rest.strip()
    if colon and prefix in _PREFIXED:
        value = _PREFIXED[prefix](rest)
        if value is None:
            raise RuleFault(field, f"{field}: {member[:80]!r} is no {prefix} selector")
        return prefix, value, f"{prefix}:{rest if prefix == 'group' else value}"
    try:
        return "machine", str(uuid.UUID(member)), str(uuid.UUID(member))
    except ValueError:
        pass
    return _parse_place(member, field)


def _parse_place(member: str, field: str) -> tuple[str, str, str]:
    """An address, a network or the name of a machine."""
    try:
        if "/" in member:
            network = ipaddress.ip_network(member)
            if network.prefixlen < network.max_prefixlen:
                return "cidr", str(network), str(network)
            member = str(network.network_address)
        address = str(ipaddress.ip_address(member))
        return "ip", address, address
    except ValueError as flaw:
        if "/" in member:
            raise RuleFault(field, f"{field}: {member[:80]!r} is no network ({flaw})") from None
    looks_like_address = ":" in member or re.fullmatch(r"[0-9.]+", member)
    if looks_like_address or not HOST.fullmatch(member):
        raise RuleFault(field, f"{field}: {member[:80]!r} is no selector")
    return "host", member.lower(), member.lower()


def _tag(text: str) -> str | None:
    return text if TAG.fullmatch(text) else None


def _user(text: str) -> str | None:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return text.casefold() if EMAIL.fullmatch(text) else None


def _group(text: str) -> str | None:
    return text.casefold() if GROUP.fullmatch(text) else None


_PREFIXED = {"tag": _tag, "user": _user, "group": _group}
