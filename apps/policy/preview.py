"""What a change of policy would mean: flows gained and lost between machines, rules that no longer count."""

from collections.abc import Iterator
from dataclasses import dataclass

from apps.policy.engine import Policy, PortVerdict
from apps.policy.filters import Filters
from apps.policy.ports import LAST_PORT, Interval, format_ports, merge, segments
from apps.policy.rules import Rule

# A preview is read by people: more than this is looked at in part, and says so.
MAX_PAIRS = 20_000
MAX_FLOWS = 500
ALL_PORTS = ((1, LAST_PORT),)


@dataclass(frozen=True, slots=True)
class FlowChange:
    """Between two machines, by id. protocol: tcp, udp, icmp, or * for all; ports as in a rule."""

    source: str
    destination: str
    protocol: str
    ports: str


@dataclass(frozen=True, slots=True)
class Difference:
    """affected: machines whose packet filter changes. sampled: not all pairs or flows are there."""

    gained: tuple[FlowChange, ...]
    lost: tuple[FlowChange, ...]
    affected: frozenset[str]
    sampled: bool


def difference(before: Policy, after: Policy, now: float) -> Difference:
    """Between two policies over the same machines, at a Unix time."""
    old, new = Filters(before), Filters(after)
    gained: list[FlowChange] = []
    lost: list[FlowChange] = []
    affected: set[str] = set()
    sampled = False
    for number, (source, destination) in enumerate(_concerned(before, after)):
        if number >= MAX_PAIRS or len(gained) >= MAX_FLOWS or len(lost) >= MAX_FLOWS:
            sampled = True
            break
        if _lines(old, source, destination) == _lines(new, source, destination):
            continue
        affected.add(destination)
        more, less = _flows(before, after, source, destination, now)
        gained += more
        lost += less
    return Difference(tuple(gained[:MAX_FLOWS]), tuple(lost[:MAX_FLOWS]), frozenset(affected), sampled)


def shuts_out(before: Policy, after: Policy) -> bool:
    """Whether machines of administrators could send something to somebody and no longer can."""
    return _admins_reach(before) and not _admins_reach(after)


def overshadowed(policy: Policy, ids: set[str]) -> list[tuple[Rule, Rule]]:
    """Of some rules those that never decide, each with an earlier rule that speaks of all it speaks of."""
    rules = policy.rules
    found = []
    for place, rule in enumerate(rules):
        if rule.id in ids:
            earlier = next((other for other in rules[:place] if _covers(other, rule)), None)
            if earlier is not None:
                found.append((rule, earlier))
    return found


def _admins_reach(policy: Policy) -> bool:
    machines = policy.world.machines
    filters = Filters(policy)
    admins = [key for key, facts in machines.items() if facts.owner_role in ("owner", "admin")]
    return any(filters.inbound(source, other) for source in admins for other in machines)


def _concerned(before: Policy, after: Policy) -> Iterator[tuple[str, str]]:
    """Pairs of which a machine differs or between which a rule that differs decides, each once.

    All pairs where the default or an attribute policy differs.
    """
    machines = sorted(after.world.machines)
    if _switches(before) != _switches(after) or before.attribute_policies != after.attribute_policies:
        yield from ((source, other) for source in machines for other in machines if source != other)
        return
    moved = [key for key in machines if before.world.machines.get(key) != after.world.machines[key]]
    seen: set[tuple[str, str]] = set()
    for pair in ((a, b) for key in moved for other in machines for a, b in ((key, other), (other, key))):
        if pair[0] != pair[1] and pair not in seen:
            seen.add(pair)
            yield pair
    old, new = {rule.id: rule for rule in before.rules}, {rule.id: rule for rule in after.rules}
    changed = [rule for key, rule in old.items() if new.get(key) != rule]
    changed += [rule for key, rule in new.items() if old.get(key) != rule]
    for rule in changed:
        for source in sorted(after.machines.named_by(rule.source)):
            for other in sorted(after.touched_by(rule)):
                if source != other and (source, other) not in seen:
                    seen.add((source, other))
                    yield source, other


def _switches(policy: Policy) -> tuple[bool, bool]:
    return policy.world.default_deny, policy.world.lockdown


def _lines(filters: Filters, source: str, destination: str) -> object:
    found = filters.inbound(source, destination)
    return found[1] if found else None


def _flows(
    before: Policy, after: Policy, source: str, destination: str, now: float
) -> tuple[list[FlowChange], list[FlowChange]]:
    """(gained, lost). Each policy judges the machines as it knows them."""
    known = [(p, p.world.machines[source], p.world.machines[destination]) for p in (before, after)]
    ports: dict[bool, dict[str, tuple[Interval, ...]]] = {True: {}, False: {}}
    for protocol in ("tcp", "udp"):
        old, new = (policy.decide_ports(*ends, protocol, now) for policy, *ends in known)
        parts = segments([tuple(part.ports for part in found) for found in (old, new)])
        for gain in (True, False):
            moved = [part for part in parts if (_allowed(old, part), _allowed(new, part)) == (not gain, gain)]
            if moved:
                ports[gain][protocol] = merge(moved)
    pings = [policy.decide(*ends, "icmp", 0, now).allowed for policy, *ends in known]
    if pings[0] != pings[1]:
        ports[pings[1]]["icmp"] = ALL_PORTS
    return tuple(_told(source, destination, ports[gain]) for gain in (True, False))  # type: ignore[return-value]


def _told(source: str, destination: str, ports: dict[str, tuple[Interval, ...]]) -> list[FlowChange]:
    if len(ports) == 3 and all(found == ALL_PORTS for found in ports.values()):
        return [FlowChange(source, destination, "*", "*")]
    return [
        FlowChange(source, destination, protocol, "*" if found == ALL_PORTS else format_ports(found))
        for protocol, found in ports.items()
    ]


def _allowed(parts: list[PortVerdict], segment: Interval) -> bool:
    return any(part.verdict.allowed and part.ports[0] <= segment[0] <= part.ports[1] for part in parts)


def _covers(earlier: Rule, rule: Rule) -> bool:
    """Whether an earlier rule, always in force and without conditions, matches all that a rule matches."""
    unbound = earlier.starts_at is None and earlier.expires_at is None
    conditions = earlier.conditions
    if not unbound or conditions.window is not None or any(conditions.lasting):
        return False
    ends = ((earlier.source, rule.source), (earlier.destination, rule.destination))
    if not all(wide.text in ("*", narrow.text) for wide, narrow in ends):
        return False
    if earlier.protocol not in ("*", rule.protocol):
        return False
    inside = merge((*earlier.ports, *rule.ports)) == merge(earlier.ports)
    return not earlier.ports or (bool(rule.ports) and inside)
