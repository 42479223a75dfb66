"""What a plan says of the change that it holds."""

from dataclasses import dataclass
from typing import Any

from apps.policy.engine import Policy
from apps.policy.preview import Difference, overshadowed
from apps.policy.services.checks import Failure
from apps.policy.services.commit import Change


@dataclass(frozen=True, slots=True)
class Trial:
    """What a change would mean."""

    changes: list[Change]
    after: Policy
    passed: int
    failed: list[Failure]
    flows: Difference
    lockout: bool
    unresolved: list[str]
    requires_approval: bool


def report_of(trial: Trial) -> dict[str, Any]:
    """As it is kept and shown; `affected` and `settings_before` are for ourselves."""
    machines = trial.after.world.machines

    def told(flow: Any) -> dict[str, Any]:
        ends = {"source": flow.source, "destination": flow.destination}
        named = {name: {"id": key, "name": machines[key].name} for name, key in ends.items()}
        return {**named, "protocol": flow.protocol, "ports": flow.ports}

    def online(flow: Any) -> bool:
        return all(machines[key].status == "online" for key in (flow.source, flow.destination))

    ids = {str(change.id) for change in trial.changes if change.after is not None}
    shadows = overshadowed(trial.after, ids)
    named = [
        ({"id": rule.id, "name": rule.name, "by": other.name}, rule.action == other.action)
        for rule, other in shadows
    ]
    return {
        "checks": _checks(trial),
        "tests": {"passed": trial.passed, "failed": [_plain(failure) for failure in trial.failed]},
        "flows": {
            "gained": [told(flow) for flow in trial.flows.gained],
            "lost": [told(flow) for flow in trial.flows.lost],
            "sampled": trial.flows.sampled,
        },
        # Whether a connection is open is known to machines alone: these could be; see `cutcount`.
        "live_connections_cut": [told(flow) for flow in trial.flows.lost if online(flow)],
        "shadowed": [entry for entry, same in named if not same],
        "duplicates": [entry for entry, same in named if same],
        "unresolved": trial.unresolved,
        "machines_affected": len(trial.flows.affected),
        "affected": sorted(trial.flows.affected),
        "requires_approval": trial.requires_approval,
    }


def _checks(trial: Trial) -> list[dict[str, Any]]:
    lockout = "Machines of administrators could reach nothing any more"
    tests = f"{len(trial.failed)} of {len(trial.failed) + trial.passed} tests fail"
    timed = any(
        (change.after or {}).get(name) for change in trial.changes for name in ("starts_at", "time_hour")
    )
    checks = [
        {"name": "valid", "ok": True, "message": "Every row is well formed"},
        {"name": "tests", "ok": not trial.failed, "message": tests if trial.failed else "All tests hold"},
        {
            "name": "lockout",
            "ok": not trial.lockout,
            "message": lockout if trial.lockout else "Administrators still reach the network",
        },
    ]
    if timed:
        checks.append({"name": "time", "ok": True, "message": "Flows are shown as they are at this moment"})
    return checks


def _plain(failure: Failure) -> dict[str, Any]:
    return {**failure.told(), "id": str(failure.id)}
