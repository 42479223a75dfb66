"""Which open connections a plan would cut. The machines that judge them are asked while the plan is read.

The report shows what could be cut until the answers are in, or their time is over; then what was counted.
"""

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from django.db import transaction

from apps.core.realtime import publish
from apps.machines.census import ANSWER_SECONDS, ask_agents
from apps.machines.changes import stored_version
from apps.machines.models import Machine
from apps.machines.netmap import Snapshot
from apps.machines.snapshots import feed_of
from apps.policy.engine import Policy
from apps.policy.filters import Filters
from apps.policy.models import AclRule, ChangePlan
from apps.policy.ports import holds
from apps.policy.preview import MAX_FLOWS, MAX_PAIRS
from apps.policy.services.planreport import Trial
from wire.connections import Counted, CutConnections, FilterTrial
from wire.filter import MAX_LINES, FilterRule, PacketFilter, port_range

# Where a plan's report keeps what was asked and answered; inner, not shown.
COUNT = "connection_count"
MAX_MACHINES = 300


def ask_machines(plan: ChangePlan, trial: Trial) -> None:
    """Ask, once the plan is committed, the machines that are online and would let less in."""
    snapshot = feed_of(plan.org_id).at_least(stored_version(plan.org_id))
    trials, complete = _trials(snapshot, trial)
    plan.report[COUNT] = {
        "until": time.time() + ANSWER_SECONDS,
        "asked": sorted(trials),
        "answered": [],
        "cut": [],
        "more": 0,
        "complete": complete,
    }
    plan.save(update_fields=["report"])
    if trials:
        ask_agents(plan.org_id, plan.pk, trials)


def take_counts(org_id: uuid.UUID, *, plan_id: Any, answers: Mapping[str, Counted]) -> None:
    """Add what machines answered to the report of the plan that they were asked about, if it is time yet."""
    with transaction.atomic():
        plan = ChangePlan.objects.for_org(org_id).select_for_update().filter(pk=plan_id).first()
        count = plan.report.get(COUNT) if plan else None
        if plan is None or not count or time.time() > count["until"]:
            return
        awaited = set(count["asked"]) - set(count["answered"])
        taken = {key: counted for key, counted in answers.items() if key in awaited}
        if not taken:
            return
        shown = {_place(entry): entry for entry in count["cut"]}
        names = _Names(org_id, taken)
        for machine_id, counted in taken.items():
            count["more"] += counted.more
            for kind in counted.cut:
                entry = _entry(plan.report["flows"]["lost"], names, machine_id, kind)
                known = shown.get(_place(entry))
                if known is not None:
                    known["connections"] += kind.connections
                    known["rules"] = sorted({*known["rules"], *entry["rules"]})
                elif len(shown) < MAX_FLOWS:
                    shown[_place(entry)] = entry
                else:
                    count["more"] += kind.connections
        count["cut"] = sorted(shown.values(), key=lambda entry: -entry["connections"])
        count["answered"] = sorted({*count["answered"], *taken})
        plan.save(update_fields=["report"])
        payload = {"id": plan.pk, "status": plan.status}
        publish(org=org_id, channel="acl", event="UPDATE", table="change_plans", payload=payload)


def connections_cut(report: Mapping[str, Any]) -> dict[str, Any]:
    """`live_connections` and `live_connections_cut` of a report, as they stand now.

    state: asking, counted, or unknown for a plan that nobody was asked about.
    """
    count = report.get(COUNT)
    if count is None:
        return {"live_connections": {"state": "unknown"}}
    asked, answered = len(count["asked"]), len(count["answered"])
    asking = answered < asked and time.time() <= count["until"]
    told = {
        "state": "asking" if asking else "counted",
        "connections": count["more"] + sum(entry["connections"] for entry in count["cut"]),
        "machines_asked": asked,
        "machines_answered": answered,
        # Of more machines or peers than are asked at once, some were left out.
        "complete": count["complete"],
    }
    possible = report["live_connections_cut"]
    return {"live_connections": told, "live_connections_cut": possible if asking else count["cut"]}


def _trials(snapshot: Snapshot, trial: Trial) -> tuple[dict[str, FilterTrial], bool]:
    """What each machine is asked, and whether that is all that there is to ask."""
    after = Filters(_with_carried(trial.after, snapshot))
    trials: dict[str, FilterTrial] = {}
    pairs = lines = 0
    for machine_id in _concerned(snapshot, trial):
        if len(trials) >= MAX_MACHINES or pairs >= MAX_PAIRS or lines >= MAX_LINES:
            return trials, False
        pairs += len(snapshot.nodes)
        found = _trial(snapshot, after, machine_id)
        if found.inbound:
            trials[machine_id] = found
            lines += sum(map(len, found.packet_filter.chains.values()))
    return trials, True


def _concerned(snapshot: Snapshot, trial: Trial) -> Iterator[str]:
    """Machines that are online and whose filter may change, those known to be affected first."""
    machines = trial.after.world.machines
    known = sorted(trial.flows.affected)
    # The preview knows nothing of networks behind machines, and of a large network a part.
    others = (key for key in sorted(machines) if trial.flows.sampled or _carries(snapshot, key))
    for key in dict.fromkeys((*known, *others)):
        if key in snapshot.nodes and key in machines and machines[key].status == "online":
            yield key


def _carries(snapshot: Snapshot, machine_id: str) -> bool:
    """Whether others may reach something through a machine."""
    node = snapshot.nodes.get(machine_id)
    return node is not None and bool(node.carries)


def _trial(snapshot: Snapshot, after: Filters, machine_id: str) -> FilterTrial:
    """The peers of one machine for which something else would hold, and the chains that would."""
    inbound: dict[str, str | None] = {}
    chains: dict[str, tuple[FilterRule, ...]] = {}
    for peer in snapshot.nodes:
        present = snapshot.rights.inbound(peer, machine_id)
        if present is None or peer not in after.policy.world.machines:
            continue
        planned = after.inbound(peer, machine_id)
        if planned is None:
            inbound[peer] = None
        elif planned[1] != present[1]:
            inbound[peer], chains[planned[0]] = planned
    return FilterTrial(inbound, PacketFilter("trial", chains))


def _with_carried(policy: Policy, snapshot: Snapshot) -> Policy:
    """With what machines carry, which the policy that was tried out does not know."""
    machines = policy.world.machines
    carriers = [key for key in machines if _carries(snapshot, key)]
    return policy.with_machines(
        changed=[replace(machines[key], carries=snapshot.nodes[key].carries) for key in carriers]
    )


class _Names:
    """Names of what answers speak of, in one organisation; what is not its own has none."""

    def __init__(self, org_id: uuid.UUID, answers: Mapping[str, Counted]) -> None:
        kinds = [kind for counted in answers.values() for kind in counted.cut]
        machines = Machine.objects.for_org(org_id).filter(
            pk__in={*answers, *(kind.peer_machine_id for kind in kinds)}
        )
        self._machines = {str(key): name for key, name in machines.values_list("pk", "name")}
        rules = AclRule.objects.for_org(org_id).filter(pk__in=_ids(kind.rule_id for kind in kinds))
        self._rules = {str(key): name for key, name in rules.values_list("pk", "name")}

    def machine(self, machine_id: str) -> dict[str, str]:
        return {"id": machine_id, "name": self._machines.get(machine_id, machine_id)}

    def rules(self, rule_id: str | None) -> list[str]:
        return [self._rules[rule_id]] if rule_id in self._rules else []


def _ids(texts: Iterable[str | None]) -> Iterator[uuid.UUID]:
    for text in set(texts):
        try:
            yield uuid.UUID(text or "")
        except ValueError:
            continue


def _entry(
    lost: list[dict[str, Any]], names: _Names, machine_id: str, kind: CutConnections
) -> dict[str, Any]:
    """One kind of connections, told as the flow that is lost where there is one."""
    flow = next((flow for flow in lost if _is_of(flow, machine_id, kind)), None)
    protocol, ports = kind.protocol, str(kind.port) if kind.port else "*"
    return {
        "source": names.machine(kind.peer_machine_id),
        "destination": names.machine(machine_id),
        "protocol": flow["protocol"] if flow else protocol,
        "ports": flow["ports"] if flow else ports,
        "connections": kind.connections,
        "rules": names.rules(kind.rule_id),
    }


def _is_of(flow: Mapping[str, Any], machine_id: str, kind: CutConnections) -> bool:
    if (flow["source"]["id"], flow["destination"]["id"]) != (kind.peer_machine_id, machine_id):
        return False
    ports = () if flow["ports"] == "*" else map(port_range, flow["ports"].split(","))
    return flow["protocol"] in ("*", kind.protocol) and holds(tuple(ports), kind.port)


def _place(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return entry["source"]["id"], entry["destination"]["id"], entry["protocol"], entry["ports"]
