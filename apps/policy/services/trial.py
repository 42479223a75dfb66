"""Proposed rules judged beside the present ones. Nothing is stored: the database takes the trial back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.errors import InvalidInput, ValidationFailed
from apps.policy.engine import Policy, Verdict
from apps.policy.facts import MachineFacts
from apps.policy.models import AclRule
from apps.policy.ports import holds, segments
from apps.policy.preview import overshadowed
from apps.policy.rights import fresh_policy
from apps.policy.rules import Rule
from apps.policy.services.commit import locked
from apps.policy.services.rules import stage_rule

MAX_CHECKS = 10_000
# Two of a kind: within a kind machines may be judged among each other.
OF_A_KIND = 2
_IDENTITY = ("id", "name", "addresses", "public_address", "owner_id", "owner_email")


@dataclass(frozen=True, slots=True)
class Connection:
    """One flow that is tried."""

    source: MachineFacts
    destination: MachineFacts
    port: int
    protocol: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the two policies say of it."""

    tried: Connection
    present: Verdict
    proposed: Verdict

    @property
    def changed(self) -> bool:
        return self.present.allowed != self.proposed.allowed


@dataclass(frozen=True, slots=True)
class RuleTrial:
    """before, after: the policies; proposed: the rules that were tried, as they stand in `after`.

    sampled: of machines of a kind only some were looked at, or there was more to try than MAX_CHECKS.
    """

    before: Policy
    after: Policy
    proposed: tuple[Rule, ...]
    unresolved: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    sampled: bool

    @property
    def shadows(self) -> list[tuple[Rule, Rule]]:
        """Proposed rules that never decide, each with the earlier one that does."""
        return overshadowed(self.after, {rule.id for rule in self.proposed})

    @property
    def unreachable(self) -> list[Rule]:
        """Proposed rules of which one end names no machine."""
        machines = self.after.machines
        return [
            rule
            for rule in self.proposed
            if not (machines.named_by(rule.source) and machines.named_by(rule.destination))
        ]


class _TakeBack(Exception):
    """Ends a trial."""


def try_rules(
    *,
    org: Any,
    actor: Actor,
    proposed: Sequence[Mapping[str, Any]],
    replace: bool,
    connections: Sequence[tuple[str, str, int, str]] | None,
    include_offline: bool,
) -> RuleTrial:
    """Judge connections, or the online machines among each other, with and without the proposed rules.

    replace: instead of the present rules, not beside them. Raises what writing the rules would raise.
    """
    before = fresh_policy(getattr(org, "pk", org))
    found: list[tuple[Policy, list[AclRule]]] = []
    try:
        with transaction.atomic():
            org = locked(org)
            if replace:
                AclRule.objects.for_org(org).delete()
            rows = [AclRule(org_id=org.pk, created_by_id=actor.user_id) for _ in proposed]
            for index, (row, values) in enumerate(zip(rows, proposed, strict=True)):
                _stage(org, row, values, index)
            found.append((fresh_policy(org.pk), rows))
            raise _TakeBack
    except _TakeBack:
        after, rows = found[0]
    ids = {str(row.pk) for row in rows}
    if connections is None:
        tried, sampled = _among(before, after, include_offline)
    else:
        tried, sampled = _given(before, connections), False
    now = timezone.now().timestamp()
    return RuleTrial(
        before=before,
        after=after,
        proposed=tuple(rule for rule in after.rules if rule.id in ids),
        unresolved=tuple(sorted({member for row in rows for member in row.unresolved})),
        outcomes=tuple(_outcome(before, after, each, now) for each in tried),
        sampled=sampled,
    )


def _stage(org: Any, row: AclRule, values: Mapping[str, Any], index: int) -> None:
    try:
        stage_rule(org, row, values)
    except (ValidationFailed, InvalidInput) as error:
        line = f"Rule {index}: {error.message}"
        raise ValidationFailed(line, details=[line]) from None


def _given(policy: Policy, connections: Sequence[tuple[str, str, int, str]]) -> list[Connection]:
    machines = policy.world.machines
    return [
        Connection(machines[source], machines[destination], port, protocol)
        for source, destination, port, protocol in connections
        if source in machines and destination in machines
    ]


def _among(before: Policy, after: Policy, include_offline: bool) -> tuple[list[Connection], bool]:
    """Pairs of machines, at every port where some rule begins or ends."""
    kinds: dict[Any, list[MachineFacts]] = {}
    states = ("online", "offline") if include_offline else ("online",)
    skipped = False
    for machine in before.world.machines.values():
        if machine.status in states and not machine.barred:
            kind = kinds.setdefault(_kind(before, after, machine), [])
            skipped |= len(kind) >= OF_A_KIND
            kind += [machine] if len(kind) < OF_A_KIND else []
    machines = [machine for kind in kinds.values() for machine in kind]
    ways = list(_ways([*before.rules, *after.rules]))
    pairs = ((a, b) for a in machines for b in machines if a.id != b.id)
    every = (Connection(a, b, port, protocol) for a, b in pairs for protocol, port in ways)
    tried = list(islice(every, MAX_CHECKS + 1))
    return tried[:MAX_CHECKS], skipped or len(tried) > MAX_CHECKS


def _kind(before: Policy, after: Policy, machine: MachineFacts) -> Any:
    """Machines that no rule and no condition tells apart."""
    named = tuple((policy.from_rules[machine.id], policy.to_rules[machine.id]) for policy in (before, after))
    facts = tuple(getattr(machine, field.name) for field in fields(machine) if field.name not in _IDENTITY)
    return named, facts


def _ways(rules: Sequence[Rule]) -> Iterator[tuple[str, int]]:
    """(protocol, port) that stand for all that the rules tell apart; icmp has port 0."""
    for protocol in ("tcp", "udp"):
        speaking = [rule.ports for rule in rules if rule.protocol in ("*", protocol)]
        for low, _ in segments(speaking):
            if any(holds(ports, low) for ports in speaking):
                yield protocol, low
    if any(rule.speaks_of("icmp", 0) for rule in rules):
        yield "icmp", 0


def _outcome(before: Policy, after: Policy, tried: Connection, now: float) -> Outcome:
    return Outcome(tried, _verdict(before, tried, now), _verdict(after, tried, now))


def _verdict(policy: Policy, tried: Connection, now: float) -> Verdict:
    """Without a port every port must be allowed."""
    ends = tried.source, tried.destination, tried.protocol
    if tried.port or tried.protocol == "icmp":
        return policy.decide(*ends, tried.port, now)
    verdicts = [part.verdict for part in policy.decide_ports(*ends, now)]
    return next((verdict for verdict in verdicts if not verdict.allowed), verdicts[0])
