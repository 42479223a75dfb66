"""Names of the tailnet, and names that are blocked. Answers follow RFC 1034, RFC 2308 and RFC 6891."""

import ipaddress
from collections.abc import Iterable, Sequence

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.rrset

from wire.naming import DnsBlocklist
from wire.netmap import Netmap
from wire.numbers import TAILNET_CIDR

TTL = 60
RESOLVER = "100.100.100.100"
MAX_CNAMES = 8

_Values = dict[dns.rdatatype.RdataType, list[str]]


class Zone:
    """The tailnet's names: machines, the organisation's own records, and addresses backwards."""

    def __init__(self, netmap: Netmap) -> None:
        assert netmap.dns
        self.domain = _name(netmap.dns.domain)
        self._names: dict[dns.name.Name, _Values] = {self.domain: {}}
        own = netmap.self_node
        self._machine(own.magicdns_name, own.tailnet_ip, own.tailnet_ipv6)
        for peer in netmap.peers.values():
            self._machine(peer.magicdns_name, peer.tailnet_ip, peer.tailnet_ipv6)
        self._machine(f"magicdns.{netmap.dns.domain}", RESOLVER, None)
        for record in netmap.dns.records:
            try:
                kind = dns.rdatatype.from_text(record.type)
                value = record.value
                if kind == dns.rdatatype.TXT:
                    value = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
                elif kind == dns.rdatatype.CNAME:
                    value = _name(value).to_text()
                dns.rdata.from_text(dns.rdataclass.IN, kind, value, origin=dns.name.root)
                self._names.setdefault(_name(record.name), {}).setdefault(kind, []).append(value)
            except dns.exception.DNSException:
                continue  # one bad record must not cost the others
        self._reverse: list[ipaddress.IPv4Network | ipaddress.IPv6Network]
        self._reverse = [ipaddress.ip_network(TAILNET_CIDR)]
        if own.tailnet_ipv6:
            self._reverse.append(ipaddress.ip_network(f"{own.tailnet_ipv6}/48", strict=False))

    def answer(self, query: dns.message.Message) -> dns.message.Message | None:
        """The answer to a query about one of our names, None if it is not ours to answer.

        A name of a single label asked for an address is a machine or nothing: it never leaves the host.
        """
        question = query.question[0]
        name = asked = question.name
        address = question.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA)
        if len(name.labels) == 2 and address:
            name = dns.name.Name(name.labels[:-1] + self.domain.labels)
        if name not in self._names and not self._ours(name):
            return None
        response = dns.message.make_response(query, recursion_available=True)
        response.flags |= dns.flags.AA
        for _ in range(MAX_CNAMES):
            values = self._names.get(name)
            if values is None:
                break
            if question.rdtype in values or (dns.rdatatype.CNAME not in values):
                _append(response, asked, question.rdtype, values.get(question.rdtype, ()))
                break
            target = values[dns.rdatatype.CNAME][0]
            _append(response, asked, dns.rdatatype.CNAME, [target])
            name = asked = dns.name.from_text(target)
        if name not in self._names and not response.answer:
            response.set_rcode(dns.rcode.NXDOMAIN)
        if not response.answer:
            response.authority.append(self._authority())
        return response

    def _ours(self, name: dns.name.Name) -> bool:
        if name.is_subdomain(self.domain):
            return True
        try:
            address = ipaddress.ip_address(dns.reversename.to_address(name))
        except (dns.exception.DNSException, ValueError):
            return False
        return any(address.version == net.version and address in net for net in self._reverse)

    def _machine(self, full_name: str, ipv4: str, ipv6: str | None) -> None:
        name = _name(full_name)
        values = self._names.setdefault(name, {})
        for kind, address in ((dns.rdatatype.A, ipv4), (dns.rdatatype.AAAA, ipv6)):
            if address:
                values.setdefault(kind, []).append(address)
                pointer = self._names.setdefault(dns.reversename.from_address(address), {})
                pointer[dns.rdatatype.PTR] = [name.to_text()]

    def _authority(self) -> dns.rrset.RRset:
        start = f"magicdns.{self.domain} hostmaster.{self.domain} 1 3600 600 86400 {TTL}"
        return dns.rrset.from_text(self.domain, TTL, dns.rdataclass.IN, dns.rdatatype.SOA, start)


class Blocklist:
    """Names that do not resolve."""

    def __init__(self, lists: DnsBlocklist | None) -> None:
        self.version = lists.version if lists else None
        self._exact = (
            frozenset(name.rstrip(".").casefold() for name in lists.domains) if lists else frozenset()
        )
        below = (name.removeprefix("*.").rstrip(".").casefold() for name in lists.wildcards) if lists else ()
        self._below = frozenset(below)

    def blocks(self, name: dns.name.Name) -> bool:
        """Whether a name, or (by a wildcard) one of its parents, is on the list."""
        text = name.to_text(omit_final_dot=True).casefold()
        if text in self._exact:
            return True
        labels = text.split(".")
        return any(".".join(labels[index:]) in self._below for index in range(1, len(labels)))


def reverse_domains(tailnet_ipv6: str | None) -> list[str]:
    """Domains of the tailnet's addresses backwards: 100.64.0.0/10 is 64 of them."""
    found = [f"{octet}.100.in-addr.arpa" for octet in range(64, 128)]
    if tailnet_ipv6:
        nibbles = dns.reversename.from_address(tailnet_ipv6).to_text(omit_final_dot=True).split(".")
        found.append(".".join(nibbles[-14:]))
    return found


def nearest_domain(name: dns.name.Name, domains: Iterable[str]) -> str | None:
    """The longest of these domains that a name is in."""
    matching = [domain for domain in domains if name.is_subdomain(_name(domain))]
    return max(matching, key=lambda domain: len(_name(domain).labels), default=None)


def _append(
    response: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType, values: Sequence[str]
) -> None:
    if values:
        response.answer.append(dns.rrset.from_text_list(name, TTL, dns.rdataclass.IN, kind, values))


def _name(text: str) -> dns.name.Name:
    return dns.name.from_text(text.casefold())
