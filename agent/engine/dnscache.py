"""Answers of upstream servers, for as long as they say (RFC 2308 for negative ones). No I/O, no clock."""

from collections import OrderedDict

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

MAX_ENTRIES = 4096
MAX_SECONDS = 3600.0
MAX_NEGATIVE_SECONDS = 300.0

Key = tuple[str, int, int, bool]


class DnsCache:
    """Least recently used goes first. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Key, tuple[float, float, dns.message.Message]] = OrderedDict()

    def get(self, query: dns.message.Message, now: float) -> dns.message.Message | None:
        """A fresh answer to this query, its TTLs counted down."""
        entry = self._entries.get(_key(query))
        if entry is None:
            return None
        stored, expires, message = entry
        if now >= expires:
            del self._entries[_key(query)]
            return None
        self._entries.move_to_end(_key(query))
        age = int(now - stored)
        answer = dns.message.make_response(query, recursion_available=True)
        answer.set_rcode(message.rcode())
        answer.flags |= message.flags & dns.flags.AD
        for section, source in zip(answer.sections[1:], message.sections[1:], strict=True):
            for rrset in source:
                left = max(0, rrset.ttl - age)
                section.append(dns.rrset.from_rdata_list(rrset.name, left, list(rrset)))
        return answer

    def put(self, query: dns.message.Message, answer: dns.message.Message, now: float) -> None:
        """Keep an answer, if it may be kept at all."""
        seconds = _lifetime(answer)
        if seconds <= 0 or answer.flags & dns.flags.TC:
            return
        self._entries[_key(query)] = (now, now + seconds, answer)
        self._entries.move_to_end(_key(query))
        while len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything: the servers changed."""
        self._entries.clear()


def _key(query: dns.message.Message) -> Key:
    question = query.question[0]
    wants_dnssec = bool(query.ednsflags & dns.flags.DO)
    return question.name.to_text().casefold(), question.rdtype, question.rdclass, wants_dnssec


def _lifetime(answer: dns.message.Message) -> float:
    if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return 0.0
    if answer.answer and answer.rcode() == dns.rcode.NOERROR:
        return min(MAX_SECONDS, *(float(rrset.ttl) for rrset in answer.answer))
    for rrset in answer.authority:
        if rrset.rdtype == dns.rdatatype.SOA:
            return min(MAX_NEGATIVE_SECONDS, float(rrset.ttl), float(rrset[0].minimum))
    return 0.0
