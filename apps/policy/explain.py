"""Why a decision fell as it did: each condition of a rule as it was judged, and the nearest miss."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from apps.policy.conditions import DAYS, Outcome, format_days, format_hours
from apps.policy.engine import Policy, Verdict
from apps.policy.facts import MachineFacts
from apps.policy.ports import format_ports, holds
from apps.policy.rules import Rule
from wire.schedule import EVERY_DAY, MINUTES_OF_DAY, zone


@dataclass(frozen=True, slots=True)
class Explanation:
    """conditions: of the rule that matched, or of the nearest one. nearest: only where none matched."""

    verdict: Verdict
    conditions: dict[str, Outcome]
    nearest: Rule | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """What is asked: port is ignored for icmp."""

    source: MachineFacts
    destination: MachineFacts
    protocol: str
    port: int
    now: float


def explain(policy: Policy, flow: Flow) -> Explanation:
    """The verdict on a flow with its reasons; goes through all rules only where none matched."""
    verdict = policy.decide(flow.source, flow.destination, flow.protocol, flow.port, flow.now)
    if verdict.rule:
        return Explanation(verdict, outcomes(policy, verdict.rule, flow))
    if verdict.reason != "default":
        return Explanation(verdict, {})
    nearest = _nearest(policy, flow)
    return Explanation(verdict, outcomes(policy, nearest, flow) if nearest else {}, nearest)


def outcomes(policy: Policy, rule: Rule, flow: Flow) -> dict[str, Outcome]:
    """Everything that a rule asks, as it stands for a flow; what it does not ask is left out."""
    return dict(_outcomes(policy, rule, flow))


def _nearest(policy: Policy, flow: Flow) -> Rule | None:
    """The rule that fails in least; a rule for another pair is nearer the more of its ends it names."""
    best: tuple[int, Rule] | None = None
    for rule in policy.rules:
        failed = sum(not outcome.met for outcome in outcomes(policy, rule, flow).values())
        if best is None or failed < best[0]:
            best = failed, rule
    return best[1] if best else None


def _outcomes(policy: Policy, rule: Rule, flow: Flow) -> Iterator[tuple[str, Outcome]]:
    source, destination, asked = flow.source, flow.destination, rule.conditions
    named = policy.machines.named_by
    yield "source", Outcome(rule.source.text, source.name, source.id in named(rule.source))
    at_end = destination.id in named(rule.destination)
    yield "destination", Outcome(rule.destination.text, destination.name, at_end)
    if rule.protocol != "*":
        yield "protocol", Outcome(rule.protocol, flow.protocol, rule.protocol == flow.protocol)
    if rule.ports:
        has_ports = flow.protocol != "icmp"
        shown = str(flow.port) if has_ports else "none"
        yield "port", Outcome(format_ports(rule.ports), shown, has_ports and holds(rule.ports, flow.port))
    yield from _time_outcomes(rule, flow.now)
    if asked.countries:
        met = source.country in asked.countries
        yield "source_country", Outcome(_listed(asked.countries), source.country or "unknown", met)
    if asked.systems:
        yield "source_os", Outcome(_listed(asked.systems), source.os, source.os in asked.systems)
    if asked.require_posture:
        states = {True: "compliant", False: "non_compliant", None: "unknown"}
        yield "require_posture", Outcome("compliant", states[source.posture_ok], source.posture_ok is True)
    if asked.require_pqc:
        both = source.pqc and destination.pqc
        yield "require_pqc", Outcome("hybrid", "hybrid" if both else "classical", both)


def _time_outcomes(rule: Rule, now: float) -> Iterator[tuple[str, Outcome]]:
    if rule.starts_at is not None:
        yield "starts_at", Outcome(_moment(rule.starts_at), _moment(now), now >= rule.starts_at)
    if rule.expires_at is not None:
        yield "expires_at", Outcome(_moment(rule.expires_at), _moment(now), now < rule.expires_at)
    window = rule.conditions.window
    if window is None:
        return
    shown = datetime.fromtimestamp(now, zone(window.timezone))
    if (window.start, window.end) != (0, MINUTES_OF_DAY):
        hours = f"{format_hours(window.start, window.end)} {window.timezone}"
        met = window.holds_hour(shown.hour * 60 + shown.minute)
        yield "time_hour", Outcome(hours, f"{shown:%H:%M}", met)
    if window.days != EVERY_DAY:
        met = shown.weekday() in window.days
        yield "day_of_week", Outcome(format_days(window.days), DAYS[shown.weekday()], met)


def _listed(texts: frozenset[str]) -> str:
    return ",".join(sorted(texts))


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, zone('UTC')):%Y-%m-%dT%H:%M:%SZ}"
