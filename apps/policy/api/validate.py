"""`POST /api/acl-validate`: proposed rules judged beside the present ones, and nothing stored."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from apps.core.api.rendering import as_api_error
from apps.core.api.views import Call, CallView, Operation
from apps.core.errors import ApiError, ValidationFailed
from apps.machines.api.fields import WholeNumber
from apps.policy.api.writes import SHORT, RuleWrite
from apps.policy.engine import Verdict
from apps.policy.facts import MachineFacts
from apps.policy.models import AclRule
from apps.policy.ports import LAST_PORT
from apps.policy.rules import Rule
from apps.policy.services.trial import MAX_CHECKS, Outcome, try_rules

MAX_PROPOSED = 500
MAX_CONNECTIONS = 1000
NEEDED = ("source", "destination")


class ConnectionInput(serializers.Serializer):
    source_machine_id = serializers.UUIDField()
    destination_machine_id = serializers.UUIDField()
    port = WholeNumber(required=False, min_value=0, max_value=LAST_PORT, default=0)
    protocol = serializers.ChoiceField(("tcp", "udp", "icmp"), required=False, default="tcp")


class ValidateInput(serializers.Serializer):
    proposed_rules = serializers.ListField(child=serializers.JSONField(), max_length=MAX_PROPOSED)
    mode = serializers.ChoiceField(("merge", "replace"), required=False, default="merge")
    test_connections = serializers.ListField(
        child=ConnectionInput(), required=False, max_length=MAX_CONNECTIONS
    )
    include_offline = serializers.BooleanField(required=False, default=False)


def _validate(call: Call) -> dict[str, Any]:
    given = call.data.get("test_connections")
    connections = given if given is None else [_connection(each) for each in given]
    trial = try_rules(
        org=call.org,
        actor=call.actor,
        proposed=_parsed(call.data["proposed_rules"]),
        replace=call.data["mode"] == "replace",
        connections=connections,
        include_offline=call.data["include_offline"],
    )
    changed = [outcome for outcome in trial.outcomes if outcome.changed]
    newly_allowed = sum(outcome.proposed.allowed for outcome in changed)
    shadows = [
        (_named(rule) | {"by": earlier.name}, rule.action == earlier.action)
        for rule, earlier in trial.shadows
    ]
    return {
        "impact": [_told(outcome) for outcome in trial.outcomes],
        "summary": {
            "total_machines": len(trial.before.world.machines),
            "connections_tested": len(trial.outcomes),
            "changes": len(changed),
            "newly_allowed": newly_allowed,
            "newly_denied": len(changed) - newly_allowed,
        },
        "proposed_rules_count": len(trial.proposed),
        "current_rules_count": AclRule.objects.for_org(call.org).count(),
        "shadowed": [entry for entry, same in shadows if not same],
        "duplicates": [entry for entry, same in shadows if same],
        "unreachable": [_named(rule) for rule in trial.unreachable],
        "unresolved": list(trial.unresolved),
        "sampled": trial.sampled,
        "truncated": len(trial.outcomes) >= MAX_CHECKS,
    }


def _parsed(rules: list[Any]) -> list[Mapping[str, Any]]:
    """Columns of each rule; ValidationFailed with a line in `details` for everything that is wrong."""
    parsed: list[Mapping[str, Any]] = []
    details: list[str] = []
    for index, rule in enumerate(rules):
        try:
            parsed.append(_columns(rule))
        except _Wrong as wrong:
            details += [f"Rule {index}: {line}" for line in wrong.lines]
    if details:
        raise ValidationFailed(details[0], details=details)
    return parsed


class _Wrong(Exception):
    def __init__(self, *lines: str) -> None:
        super().__init__(*lines)
        self.lines = lines


def _columns(rule: Any) -> Mapping[str, Any]:
    if not isinstance(rule, dict):
        raise _Wrong("must be an object")
    present = {SHORT.get(name, name) for name, value in rule.items() if value not in (None, "")}
    lines = [f"missing {name}" for name in NEEDED if name not in present]
    if rule.get("action") not in (None, "allow", "deny"):
        lines.append("action must be 'allow' or 'deny'")
    if lines:
        raise _Wrong(*lines)
    # A proposal need not have a name yet.
    serializer = RuleWrite(data={"name": "Proposed rule", **rule})
    try:
        serializer.is_valid(raise_exception=True)
    except (serializers.ValidationError, ApiError) as error:
        raise _Wrong(as_api_error(error).message) from None
    return {name: value for name, value in serializer.validated_data.items() if name != "revision"}


def _connection(given: Mapping[str, Any]) -> tuple[str, str, int, str]:
    ends = str(given["source_machine_id"]), str(given["destination_machine_id"])
    return *ends, given["port"], given["protocol"]


def _told(outcome: Outcome) -> dict[str, Any]:
    tried = outcome.tried
    return {
        "source": _end(tried.source),
        "destination": _end(tried.destination),
        "port": tried.port,
        "protocol": tried.protocol,
        "current": _verdict(outcome.present),
        "proposed": _verdict(outcome.proposed),
        "changed": outcome.changed,
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    rule = {"name": verdict.rule.name} if verdict.rule else None
    return {"decision": "allow" if verdict.allowed else "deny", "rule": rule}


def _end(machine: MachineFacts) -> dict[str, Any]:
    return {"id": machine.id, "name": machine.name, "ip": machine.addresses[0]}


def _named(rule: Rule) -> dict[str, Any]:
    return {"name": rule.name, "source": rule.source.text, "destination": rule.destination.text}


class AclValidate(CallView):
    path = "acl-validate"
    calls = {"POST": Operation("acl-validate", "A", _validate, ValidateInput, scope="acl:read")}
