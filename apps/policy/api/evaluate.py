"""`POST /api/acl-evaluate`: one flow judged by the policy that the machines enforce, with its reasons."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from apps.core.api.views import Call, CallView, Operation
from apps.core.errors import Forbidden, MissingFields, NotFound
from apps.machines.api.fields import WholeNumber
from apps.policy.conditions import DAYS
from apps.policy.engine import Policy, PortVerdict, Verdict
from apps.policy.explain import Explanation, Flow, explain
from apps.policy.facts import MachineFacts
from apps.policy.ports import LAST_PORT
from apps.policy.rules import PROTOCOLS, Rule
from apps.policy.services.checks import current_policy
from apps.policy.services.commit import present_revision

REQUIRED = "org_id, source_machine_id, destination_machine_id required"
TRIALS = ("at", "time_hour", "day_of_week", "source_country")
MESSAGES = {
    "rule": "Matched a rule",
    "default": "No rule matches",
    "machine_status": "One of the machines is not part of the network",
    "lockdown": "The organisation is locked down",
    "posture": "The source does not meet the posture that this destination asks for",
    "abac": "An attribute policy forbids it",
    "threat": "A fresh threat was found on one of the machines",
}


class EvaluateInput(serializers.Serializer):
    source_machine_id = serializers.UUIDField(required=False)
    destination_machine_id = serializers.UUIDField(required=False)
    port = WholeNumber(required=False, min_value=0, max_value=LAST_PORT)
    protocol = serializers.ChoiceField(PROTOCOLS, required=False, default="tcp")
    at = serializers.DateTimeField(required=False)
    time_hour = WholeNumber(required=False, min_value=0, max_value=23)
    day_of_week = serializers.ChoiceField(DAYS, required=False)
    source_country = serializers.RegexField("^[A-Za-z]{2}$", required=False)


def _evaluate(call: Call) -> dict[str, Any]:
    wanted = call.data
    if not (wanted.get("source_machine_id") and wanted.get("destination_machine_id")):
        raise MissingFields(REQUIRED, field="source_machine_id")
    ids = str(wanted["source_machine_id"]), str(wanted["destination_machine_id"])
    if call.principal.kind == "machine" and str(call.principal.subject.pk) not in ids:
        raise Forbidden("A machine may ask about itself only")
    policy = current_policy(call.org)
    ends = [policy.world.machines.get(key) for key in ids]
    if None in ends:
        raise NotFound("Source or destination machine not found")
    source, destination = ends
    if country := wanted.get("source_country"):
        source = dataclasses.replace(source, country=country.upper())
    now = _moment(wanted)
    explanation, ports = _judge(policy, source, destination, wanted["protocol"], wanted.get("port") or 0, now)
    hypothetical = any(name in wanted for name in TRIALS)
    return _answer(explanation, ports, source, destination, hypothetical) | {
        "policy_version": present_revision(call.org)
    }


def _moment(wanted: Any) -> float:
    """The moment that is asked about: now, or the next one with this hour and day in UTC."""
    moment: datetime = (wanted.get("at") or timezone.now()).astimezone(UTC)
    if (hour := wanted.get("time_hour")) is not None:
        moment = moment.replace(hour=hour, minute=0, second=0, microsecond=0)
    if day := wanted.get("day_of_week"):
        moment += timedelta(days=(DAYS.index(day) - moment.weekday()) % 7)
    return moment.timestamp()


def _judge(
    policy: Policy, source: MachineFacts, destination: MachineFacts, protocol: str, port: int, now: float
) -> tuple[Explanation, list[PortVerdict]]:
    """The first refusal among protocols and ports, else the first permission; and all ports, if asked."""
    found: list[tuple[Verdict, Flow]] = []
    listed: list[PortVerdict] = []
    for name in PROTOCOLS[:3] if protocol == "*" else (protocol,):
        if port or name == "icmp":
            verdict = policy.decide(source, destination, name, port, now)
            found.append((verdict, Flow(source, destination, name, port, now)))
            continue
        parts = policy.decide_ports(source, destination, name, now)
        listed = listed or parts
        found += [(p.verdict, Flow(source, destination, name, p.ports[0], now)) for p in parts]
    _, flow = next((pair for pair in found if not pair[0].allowed), found[0])
    return explain(policy, flow), listed


def _answer(
    explanation: Explanation,
    ports: list[PortVerdict],
    source: MachineFacts,
    destination: MachineFacts,
    hypothetical: bool,
) -> dict[str, Any]:
    verdict, rule = explanation.verdict, explanation.verdict.rule
    return {
        "allowed": verdict.allowed,
        "decision": "allow" if verdict.allowed else "deny",
        "verdict": "ALLOW" if verdict.allowed else "DENY",
        "reason": verdict.reason,
        "message": MESSAGES[verdict.reason or "rule"],
        "matched_rule": _rule(rule),
        "matched_rule_id": rule.id if rule else None,
        "rule_name": rule.name if rule else None,
        "posture_compliant": source.posture_ok is not False,
        "threat_blocked": source.threat_blocked or destination.threat_blocked,
        "source": _end(source),
        "destination": _end(destination),
        "evaluated_conditions": {
            name: dataclasses.asdict(outcome) for name, outcome in explanation.conditions.items()
        },
        "ports": [
            {
                "from": part.ports[0],
                "to": part.ports[1],
                "allowed": part.verdict.allowed,
                "rule_id": part.verdict.rule.id if part.verdict.rule else None,
            }
            for part in ports
        ],
        "closest_rule": _rule(explanation.nearest),
        "hypothetical": hypothetical,
    }


def _end(machine: MachineFacts) -> dict[str, Any]:
    return {"id": machine.id, "name": machine.name, "ip": machine.addresses[0]}


def _rule(rule: Rule | None) -> dict[str, Any] | None:
    if rule is None:
        return None
    return {"id": rule.id, "name": rule.name, "action": rule.action, "priority": rule.priority}


class AclEvaluate(CallView):
    path = "acl-evaluate"
    calls = {"POST": Operation("acl-evaluate", "MN", _evaluate, EvaluateInput, scope="acl:read")}
