"""What a plan says of the change that it holds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from apps.orgs.planning import SETTINGS_TABLE, Change
from apps.policy.engine import Policy
from apps.policy.facts import MachineFacts
from apps.policy.preview import Difference, overshadowed
from apps.policy.services.checks import Failure

# A report is read by people: rows and machines beyond these are counted, or left to the plan itself.
MAX_TOLD = 500
# Failing may still have its grace: nothing else happens to the machine until that has run out.
KINDS = ("quarantined", "released", "restricted", "unrestricted", "failing", "passing")


@dataclass(frozen=True, slots=True)
class Trial:
    """What a change would mean."""

    changes: list[Change]
    before: Policy
    after: Policy
    passed: int
    failed: list[Failure]
    flows: Difference
    lockout: bool
    unresolved: list[str]
    requires_approval: bool


def report_of(trial: Trial) -> dict[str, Any]:
    """As it is kept and shown; `affected` is for ourselves."""
    machines = trial.after.world.machines

    def told(flow: Any) -> dict[str, Any]:
        ends = {"source": flow.source, "destination": flow.destination}
        named = {name: {"id": key, "name": machines[key].name} for name, key in ends.items()}
        return {**named, "protocol": flow.protocol, "ports": flow.ports}

    def online(flow: Any) -> bool:
        # As they are now: a machine that the change quarantines loses its connections too.
        present = trial.before.world.machines
        return all(present[key].status == "online" for key in (flow.source, flow.destination))

    ids = {str(change.id) for change in trial.changes if change.after is not None}
    shadows = overshadowed(trial.after, ids)
    named = [
        ({"id": rule.id, "name": rule.name, "by": other.name}, rule.action == other.action)
        for rule, other in shadows
    ]
    posture = _posture(trial)
    return {
        # The plan itself says which settings it changes.
        "changed": [_told(each) for each in trial.changes if each.table != SETTINGS_TABLE][:MAX_TOLD],
        "posture": {
            kind: {"count": len(found), "machines": found[:MAX_TOLD]} for kind, found in posture.items()
        },
        "checks": _checks(trial, {kind: len(found) for kind, found in posture.items()}),
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


def _checks(trial: Trial, posture: Mapping[str, int]) -> list[dict[str, Any]]:
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
    if any(posture.values()):
        told = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in posture.items() if count)
        checks.append({"name": "posture", "ok": True, "message": f"Machines: {told}"})
    return checks


def _told(change: Change) -> dict[str, Any]:
    """One row by its name, the columns that change, and how many machines a group gains and loses."""
    told = change.told()
    columns = [name for name in {**(told["before"] or {}), **(told["after"] or {})} if name != "members"]
    row = {"table": change.table, "id": str(change.id), "name": change.name, "change": change.verb}
    moved = {
        f"machines_{way}": len((side or {}).get("members", ()))
        for way, side in (("added", change.after), ("removed", change.before))
    }
    return {**row, "columns": columns if change.verb == "updated" else [], **moved}


def _posture(trial: Trial) -> dict[str, list[dict[str, Any]]]:
    """Machines whose health would be judged otherwise, by what becomes of them."""
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    before, after = trial.before.world.machines, trial.after.world.machines
    for key in sorted(after, key=lambda key: after[key].name):
        for kind in _kinds(before[key], after[key]):
            found[kind].append({"id": key, "name": after[key].name})
    return found


def _kinds(old: MachineFacts, new: MachineFacts) -> Iterator[str]:
    if (old.status == "quarantined") != (new.status == "quarantined"):
        yield "quarantined" if new.status == "quarantined" else "released"
    if old.posture_restricted != new.posture_restricted:
        yield "restricted" if new.posture_restricted else "unrestricted"
    if (old.posture_ok is False) != (new.posture_ok is False):
        yield "failing" if new.posture_ok is False else "passing"


def _plain(failure: Failure) -> dict[str, Any]:
    return {**failure.told(), "id": str(failure.id)}
