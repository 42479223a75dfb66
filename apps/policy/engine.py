"""The policy engine: rules and machines compiled once, asked by everybody who must decide.

`acl-evaluate`, the packet filters in the netmaps and `ztna acl test` all ask a `Policy`. It never
changes: an edit makes the next one and shares what stayed. Order of judgement:

1. a machine reaches itself  2. a machine that is not admitted reaches nothing and nothing reaches it
3. lockdown denies  4. rules by priority, age, id: the first that matches decides  5. else the default
6. what was allowed is held against posture, attribute policies and fresh threats
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from apps.policy.abac import AttributePolicy
from apps.policy.facts import MachineFacts, World
from apps.policy.index import MachineIndex, RuleIndex, slots_of
from apps.policy.ports import Interval, segments
from apps.policy.rules import Rule
from apps.policy.selectors import Selector
from wire.schedule import Window

# Rule lists of pairs that are kept; more kinds of pairs than this are listed anew when asked for.
KEPT_LISTS = 50_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """reason: rule, default, machine_status, lockdown, posture, abac or threat; rule: what matched.

    policy: the attribute policy that turned an allow round.
    """

    allowed: bool
    reason: str | None
    rule: Rule | None = None
    policy: AttributePolicy | None = None


@dataclass(frozen=True, slots=True)
class PortVerdict:
    """The verdict on an interval of ports."""

    ports: Interval
    verdict: Verdict


class Policy:
    """Rules over machines. Build it with `compile_policy`."""

    def __init__(
        self,
        world: World,
        slots: list[Rule | None],
        sources: RuleIndex,
        destinations: RuleIndex,
        machines: MachineIndex,
        attribute_policies: tuple[AttributePolicy, ...],
    ) -> None:
        self.world, self.slots, self.attribute_policies = world, slots, attribute_policies
        self._slot_of = {rule.id: slot for slot, rule in enumerate(slots) if rule}
        self._sources, self._destinations, self.machines = sources, destinations, machines
        self.from_rules: dict[str, int] = {}
        self.to_rules: dict[str, int] = {}
        # Only of machines that carry networks: rules that speak of what is behind them.
        self.behind_rules: dict[str, int] = {}
        self._lists: dict[int, tuple[Rule, ...]] = {}
        self._open: tuple[float, dict[Window, bool]] = (0.0, {})
        self._picked: dict[str, tuple[AttributePolicy, ...]] = {}

    @property
    def rules(self) -> list[Rule]:
        """All rules in the order in which they are asked."""
        return sorted((rule for rule in self.slots if rule), key=lambda rule: rule.order)

    # Deciding

    def decide(
        self, source: MachineFacts, destination: MachineFacts, protocol: str, port: int, now: float
    ) -> Verdict:
        """Judge one flow at a Unix time. protocol: tcp, udp or icmp, whose port is ignored.

        The facts may differ from the world's in what conditions ask (country, system, posture), for a
        trial; their ends are those of the world.
        """
        before = self._before_rules(source, destination)
        if before:
            return before
        rules = self.listed(self.from_rules[source.id] & self.to_rules[destination.id])
        for rule in rules:
            if rule.speaks_of(protocol, port) and self.applies(rule, source, destination, now):
                return self._after_rules(Verdict(rule.allows, "rule", rule), source, destination, now)
        return self._after_rules(Verdict(not self.world.default_deny, "default"), source, destination, now)

    def decide_ports(
        self, source: MachineFacts, destination: MachineFacts, protocol: str, now: float
    ) -> list[PortVerdict]:
        """Judge all ports of tcp or udp, as few intervals as there are different verdicts."""
        bits = self.from_rules[source.id] & self.to_rules[destination.id]
        found: list[PortVerdict] = []
        for low, high in segments(rule.ports for rule in self.listed(bits)):
            verdict = self.decide(source, destination, protocol, low, now)
            if found and found[-1].verdict == verdict:
                found[-1] = PortVerdict((found[-1].ports[0], high), verdict)
            else:
                found.append(PortVerdict((low, high), verdict))
        return found

    def _before_rules(self, source: MachineFacts, destination: MachineFacts) -> Verdict | None:
        if source.id == destination.id:
            return Verdict(True, "rule")
        if not (source.admitted and destination.admitted):
            return Verdict(False, "machine_status")
        return Verdict(False, "lockdown") if self.world.lockdown else None

    def _after_rules(
        self, verdict: Verdict, source: MachineFacts, destination: MachineFacts, now: float
    ) -> Verdict:
        if not verdict.allowed:
            return verdict
        if source.posture_restricted and destination.tags:
            return replace(verdict, allowed=False, reason="posture")
        for policy in self.policies_for(source):
            if policy.forbids(source, now):
                return replace(verdict, allowed=False, reason="abac", policy=policy)
        if source.threat_blocked or destination.threat_blocked:
            return replace(verdict, allowed=False, reason="threat")
        return verdict

    def policies_for(self, source: MachineFacts) -> tuple[AttributePolicy, ...]:
        """Attribute policies whose selector picks the source, in their order."""
        picked = self._picked.get(source.id)
        if picked is None:
            chosen = [policy for policy in self.attribute_policies if names(policy.selector, source)]
            picked = self._picked[source.id] = tuple(chosen)
        return picked

    def applies(self, rule: Rule, source: MachineFacts, destination: MachineFacts, now: float) -> bool:
        """Whether a rule is in force and its conditions hold, ends, protocol and port apart."""
        if not rule.in_force(now) or not attributes_hold(rule, source, destination):
            return False
        window = rule.conditions.window
        return window is None or self.window_open(window, now)

    def window_open(self, window: Window, now: float) -> bool:
        """As `window.active`, asked once for many decisions of one moment."""
        at, known = self._open
        if at != now:
            known = {}
            self._open = now, known
        if window not in known:
            known[window] = window.active(now)
        return known[window]

    def listed(self, bits: int) -> tuple[Rule, ...]:
        """The rules of some slots, in the order in which they are asked."""
        rules = self._lists.get(bits)
        if rules is None:
            found = [rule for slot in slots_of(bits) if (rule := self.slots[slot])]
            found.sort(key=lambda rule: rule.order)
            if len(self._lists) >= KEPT_LISTS:
                self._lists.clear()
            rules = self._lists[bits] = tuple(found)
        return rules

    def next_boundary(self, now: float) -> float | None:
        """When, after `now`, the passing of time alone changes some decision next; None if never."""
        moments: list[float] = []
        windows: set[Window] = set()
        for rule in self.slots:
            if rule is None or (rule.expires_at is not None and rule.expires_at <= now):
                continue
            moments += [at for at in (rule.starts_at, rule.expires_at) if at is not None and at > now]
            if rule.conditions.window:
                windows.add(rule.conditions.window)
        windows |= {policy.window for policy in self.attribute_policies if policy.window}
        moments += [at for window in windows if (at := window.next_change(now)) is not None]
        return min(moments, default=None)

    # Changing: each makes a new policy

    def edited(self, *, removed: Iterable[str] = (), added: Iterable[Rule] = ()) -> "Policy":
        """With rules taken out by id and put in; a changed rule is both. Costs what the rules touch."""
        policy = Policy(
            self.world,
            list(self.slots),
            self._sources.copy(),
            self._destinations.copy(),
            self.machines,
            self.attribute_policies,
        )
        policy.from_rules, policy.to_rules = dict(self.from_rules), dict(self.to_rules)
        policy.behind_rules = dict(self.behind_rules)
        for rule_id in removed:
            slot = policy._slot_of.pop(rule_id)
            rule = policy.slots[slot]
            policy._flip(slot, rule)
            policy.slots[slot] = None
        free = [slot for slot, rule in enumerate(policy.slots) if rule is None]
        for rule in added:
            slot = free.pop(0) if free else len(policy.slots)
            if slot == len(policy.slots):
                policy.slots.append(None)
            policy.slots[slot] = rule
            policy._slot_of[rule.id] = slot
            policy._flip(slot, rule)
        return policy

    def rule(self, rule_id: str) -> Rule:
        """A rule by its id; KeyError."""
        rule = self.slots[self._slot_of[rule_id]]
        assert rule is not None
        return rule

    def touched_by(self, rule: Rule) -> set[str]:
        """Machines whose packet filter a rule stands in: its destinations, and who carries to them."""
        if not self.machines.named_by(rule.source):
            return set()
        carriers = (self.world.machines[key] for key in self.behind_rules)
        behind = {
            machine.id for machine in carriers if _alone(rule.destination).rules_behind(machine.carried())
        }
        return self.machines.named_by(rule.destination) | behind

    def with_machines(self, *, changed: Iterable[MachineFacts] = (), removed: Iterable[str] = ()) -> "Policy":
        """With the facts of some machines exchanged, added or taken out."""
        changed, removed = list(changed), list(removed)
        machines = dict(self.world.machines)
        old = [machines[key] for key in (*removed, *(m.id for m in changed)) if key in machines]
        for key in removed:
            machines.pop(key, None)
        machines |= {machine.id: machine for machine in changed}
        policy = Policy(
            replace(self.world, machines=machines),
            self.slots,
            self._sources,
            self._destinations,
            self.machines.replaced(old, changed),
            self.attribute_policies,
        )
        gone = set(removed)
        policy.from_rules = {key: bits for key, bits in self.from_rules.items() if key not in gone}
        policy.to_rules = {key: bits for key, bits in self.to_rules.items() if key not in gone}
        touched = gone | {machine.id for machine in changed}
        policy.behind_rules = {key: bits for key, bits in self.behind_rules.items() if key not in touched}
        # The rules are the same, so are the lists of them.
        policy._lists = self._lists
        for machine in changed:
            policy._place(machine)
        return policy

    def _place(self, machine: MachineFacts) -> None:
        self.from_rules[machine.id] = self._sources.rules_of(machine)
        self.to_rules[machine.id] = self._destinations.rules_of(machine)
        if machine.carries:
            self.behind_rules[machine.id] = self._destinations.rules_behind(machine.carried())

    def _flip(self, slot: int, rule: Rule | None) -> None:
        """Put a rule into the indexes and into the bits of its machines, or take it out."""
        assert rule is not None
        bit = 1 << slot
        self._sources.flip(slot, rule.source)
        self._destinations.flip(slot, rule.destination)
        for key in self.machines.named_by(rule.source):
            self.from_rules[key] ^= bit
        for key in self.machines.named_by(rule.destination):
            self.to_rules[key] ^= bit
        lone = _alone(rule.destination)
        for key in self.behind_rules:
            if lone.rules_behind(self.world.machines[key].carried()):
                self.behind_rules[key] ^= bit


def compile_policy(
    world: World, rules: Iterable[Rule], attribute_policies: Iterable[AttributePolicy] = ()
) -> Policy:
    """A policy of enabled rules over the machines of a world."""
    ordered: list[Rule | None] = sorted(rules, key=lambda rule: rule.order)
    sources, destinations = RuleIndex(), RuleIndex()
    for slot, rule in enumerate(ordered):
        if rule:
            sources.flip(slot, rule.source)
            destinations.flip(slot, rule.destination)
    policies = sorted(attribute_policies, key=lambda policy: (policy.priority, policy.id))
    machines = MachineIndex.of(world.machines.values())
    policy = Policy(world, ordered, sources, destinations, machines, tuple(policies))
    for machine in world.machines.values():
        policy._place(machine)
    return policy


def attributes_hold(rule: Rule, source: MachineFacts, destination: MachineFacts) -> bool:
    """The conditions of a rule that no clock changes."""
    asked = rule.conditions
    if asked.countries and source.country not in asked.countries:
        return False
    if asked.systems and source.os not in asked.systems:
        return False
    if asked.require_posture and source.posture_ok is not True:
        return False
    return not asked.require_pqc or (source.pqc and destination.pqc)


def names(selector: Selector, machine: MachineFacts) -> bool:
    """Whether a selector names a machine, asked for one pair alone."""
    return bool(_alone(selector).rules_of(machine))


def _alone(selector: Selector) -> RuleIndex:
    index = RuleIndex()
    index.flip(0, selector)
    return index


def world_of(machines: Iterable[MachineFacts], *, default_deny: bool = True, lockdown: bool = False) -> World:
    """A world of these machines."""
    found: Mapping[str, MachineFacts] = {machine.id: machine for machine in machines}
    return World(found, default_deny, lockdown)
