"""The policy as packet filters: for each machine, chains in which the first line that matches decides.

A chain judges what comes from the peers that name it. What no clock changes (ends, country, system,
posture, attribute policies, threats) is decided here; what time changes travels along as moments and
windows, and the machine opens and shuts by itself.
"""

import hashlib
import ipaddress
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from apps.policy.engine import Policy, attributes_hold
from apps.policy.facts import MachineFacts
from apps.policy.index import overlap, slots_of
from apps.policy.ports import format_interval
from apps.policy.rules import Rule
from apps.policy.selectors import ANYONE, Network
from wire.filter import FilterRule

Chain = tuple[FilterRule, ...]


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a machine brings along as a source. rules: slots whose lasting conditions hold, by whether
    the destination speaks post-quantum; drops: lines that attribute policies put before all others.
    """

    rules: tuple[int, int]
    drops: Chain
    restricted: bool


@dataclass(frozen=True, slots=True)
class _Target:
    """What a machine brings along as a destination: slots of the rules on itself and on what is behind it."""

    own: int
    behind: int
    facts: MachineFacts


@dataclass(frozen=True, slots=True)
class _Judged:
    """A chain and its name. until: when its last permission ends, as Unix time; -inf without any."""

    name: str
    lines: Chain
    until: float


class Filters:
    """The chains of one policy, made when they are asked for and shared by pairs with equal rights."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        rules = enumerate(policy.slots)
        self._conditional = sum(1 << slot for slot, rule in rules if rule and any(rule.conditions.lasting))
        # Pairs are asked for by the million, so each end is looked at once; None: shut out.
        self._origins: dict[str, _Origin | None] = {}
        self._targets: dict[str, _Target | None] = {}
        self._chains: dict[tuple[object, ...], _Judged] = {}

    def inbound(self, source: str, destination: str) -> tuple[str, Chain] | None:
        """(name, lines) of what a machine may send to another one; None for nothing at all, ever."""
        found = self._judged(source, destination)
        return (found.name, found.lines) if found and found.until > -math.inf else None

    def judge(self, viewer: str, peer: str, now: float) -> tuple[bool, str | None]:
        """Whether one of two machines may, now or at some later time, send something to the other; and the
        name of the chain for what the peer sends.
        """
        found = self._judged(peer, viewer)
        name = found.name if found and found.until > -math.inf else None
        if found and found.until > now:
            return True, name
        outward = self._judged(viewer, peer)
        return outward is not None and outward.until > now, name

    def filter_of(self, destination_id: str) -> tuple[dict[str, Chain], dict[str, str]]:
        """All chains of one machine by name, and the chain's name for each peer that has one."""
        chains: dict[str, Chain] = {}
        inbound: dict[str, str] = {}
        for source_id in self.policy.world.machines:
            if found := self.inbound(source_id, destination_id):
                inbound[source_id], chains[found[0]] = found[0], found[1]
        return chains, inbound

    def _judged(self, source_id: str, destination_id: str) -> _Judged | None:
        try:
            origin, target = self._origins[source_id], self._targets[destination_id]
        except KeyError:
            origin = self._origins[source_id] = self._origin(source_id)
            target = self._targets[destination_id] = self._target(destination_id)
        if origin is None or target is None or source_id == destination_id:
            return None
        facts = target.facts
        if origin.restricted and facts.tags:
            return None
        rules = origin.rules[facts.pqc]
        own, behind = rules & target.own, rules & target.behind
        key = own, behind, facts.carries, origin.drops
        known = self._chains.get(key)
        if known is None:
            lines = (*origin.drops, *self._lines(own, behind, facts))
            ends = [line.not_after or math.inf for line in lines if line.action == "accept"]
            name = _name(self.policy.listed(own | behind), origin.drops)
            known = self._chains[key] = _Judged(name, lines, max(ends, default=-math.inf))
        return known

    def _origin(self, source_id: str) -> _Origin | None:
        source = self.policy.world.machines[source_id]
        if self.policy.world.lockdown or not source.admitted or source.threat_blocked:
            return None
        drops = self._drops(source)
        if drops is None:
            return None
        rules = self._effective(source, pqc=False), self._effective(source, pqc=True)
        return _Origin(rules, drops, source.posture_restricted)

    def _target(self, destination_id: str) -> _Target | None:
        facts = self.policy.world.machines[destination_id]
        if not facts.admitted or facts.threat_blocked:
            return None
        behind = self.policy.behind_rules.get(destination_id, 0)
        return _Target(self.policy.to_rules[destination_id], behind, facts)

    def _effective(self, source: MachineFacts, *, pqc: bool) -> int:
        """Slots of the rules whose lasting conditions hold; PQC asks both ends, all else the source."""
        bits = self.policy.from_rules[source.id]
        for slot in slots_of(bits & self._conditional):
            rule = self.policy.slots[slot]
            if rule is not None and not attributes_hold(rule, source, replace(source, pqc=pqc)):
                bits &= ~(1 << slot)
        return bits

    def _drops(self, source: MachineFacts) -> Chain | None:
        """Lines that attribute policies put before all others; None if they shut it for good."""
        drops = []
        for policy in self.policy.policies_for(source):
            holds = all(policy.attributes(source).values())
            denies = policy.effect == "deny"
            if policy.window is None or not holds:
                if holds == denies:
                    return None
                continue
            window = policy.window if denies else replace(policy.window, outside=not policy.window.outside)
            drops.append(FilterRule("drop", windows=(window,)))
            drops.append(FilterRule("drop", destinations=_EVERYWHERE, windows=(window,)))
        return tuple(drops)

    def _lines(self, own: int, behind: int, destination: MachineFacts) -> Iterator[FilterRule]:
        """Lines of the rules in their order, up to one that leaves nothing to judge, then the default."""
        carried = tuple(destination.carried())
        open_own, open_behind = True, bool(carried)
        own_ids = {rule.id for rule in self.policy.listed(own)}
        behind_ids = {rule.id for rule in self.policy.listed(behind)}
        for rule in self.policy.listed(own | behind):
            window = rule.conditions.window
            line = FilterRule(
                "accept" if rule.allows else "drop",
                rule_id=rule.id,
                windows=(window,) if window else (),
                not_before=None if rule.starts_at is None else math.ceil(rule.starts_at),
                not_after=None if rule.expires_at is None else math.floor(rule.expires_at),
            )
            always = not window and rule.starts_at is None and rule.expires_at is None
            final = always and rule.protocol == "*" and not rule.ports
            if open_own and rule.id in own_ids:
                yield from _spread(line, rule, ())
                open_own = not final
            if open_behind and rule.id in behind_ids:
                yield from _spread(line, rule, _within(rule, carried))
                open_behind = not (final and ANYONE in rule.destination.atoms)
            if not (open_own or open_behind):
                return
        if not self.policy.world.default_deny:
            if open_own:
                yield FilterRule("accept")
            if open_behind:
                yield FilterRule("accept", destinations=tuple(map(str, carried)))


_EVERYWHERE = ("0.0.0.0/0", "::/0")


def _spread(line: FilterRule, rule: Rule, destinations: tuple[str, ...]) -> Iterator[FilterRule]:
    """One line, or one for each of tcp and udp where ports are named without a protocol."""
    ports = tuple(map(format_interval, rule.ports))
    protocols = ("tcp", "udp") if ports and rule.protocol == "*" else (rule.protocol.replace("*", "any"),)
    for protocol in protocols:
        yield replace(line, protocol=protocol, ports=ports, destinations=destinations)


def _within(rule: Rule, carried: tuple[Network, ...]) -> tuple[str, ...]:
    """The part of the carried networks that a rule's destination speaks of."""
    if ANYONE in rule.destination.atoms:
        return tuple(map(str, carried))
    spoken = list(rule.destination.networks)
    spoken += [ipaddress.ip_network(text) for kind, text in rule.destination.atoms if kind == "ip"]
    shared = {common for network in spoken for other in carried if (common := overlap(network, other))}
    return tuple(sorted(map(str, _widest(shared))))


def _widest(networks: set[Network]) -> list[Network]:
    """Without those that lie in another one."""
    return [n for n in networks if not any(n != other and overlap(n, other) == n for other in networks)]


def _name(rules: tuple[Rule, ...], drops: Chain) -> str:
    """Named by what the sources have in common, not by what the rules say of it.

    An edit of ports, action or order, or one more rule for the same source, changes a chain under its
    name: no peer has to be told anew.
    """
    origins = {f"{rule.source.text} {rule.conditions.lasting}" for rule in rules}
    content = "\n".join((*sorted(origins), repr(drops)))
    return hashlib.blake2s(content.encode(), digest_size=6).hexdigest()
