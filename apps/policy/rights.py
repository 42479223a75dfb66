"""The engine fed from the database: each process keeps one compiled policy an organisation."""

import uuid
from collections.abc import Collection, Iterable, Mapping, Set

from apps.core.addresses import country_of
from apps.machines.models import Machine
from apps.machines.netmap import MapNode
from apps.machines.rights import Reach, Rights
from apps.machines.verdicts import Verdict, verdicts_of
from apps.orgs.idpgroups import groups_of_people
from apps.orgs.models import Organization, OrgMember, OrgSettings
from apps.policy.documents import attribute_policy_of, rule_of
from apps.policy.engine import Policy, compile_policy
from apps.policy.facts import MachineFacts, World
from apps.policy.filters import Filters
from apps.policy.models import AbacPolicy, AclRule, SegmentationGroupMember
from apps.policy.rules import Rule


class PolicyFeed:
    """Rights of one organisation, brought forward by what changed. One reader at a time."""

    def __init__(self, org_id: uuid.UUID) -> None:
        self._org_id = org_id
        self._policy = compile_policy(World(), ())

    def load(self, nodes: Mapping[str, MapNode]) -> Rights:
        """All anew."""
        self._policy = compiled(self._org_id, nodes)
        return Filters(self._policy)

    def advance(
        self, nodes: Mapping[str, MapNode], changed: Set[str], *, policy: bool
    ) -> tuple[Rights, tuple[Reach, ...]]:
        """After machines changed, and after rules did if policy."""
        before = self._policy
        present = [key for key in changed if key in nodes]
        after = before.with_machines(
            changed=facts_of(self._org_id, nodes, present),
            removed=[key for key in changed if key not in nodes and key in before.world.machines],
        )
        reaches: tuple[Reach, ...] = ()
        if policy:
            after, reaches = self._with_rules(after)
        self._policy = after
        return Filters(after), reaches

    def _with_rules(self, before: Policy) -> tuple[Policy, tuple[Reach, ...]]:
        """With the rules as they are now stored, and whom those that differ are about."""
        world = world_of_org(self._org_id, before.world.machines)
        if world != before.world or attribute_policies(self._org_id) != before.attribute_policies:
            everybody = frozenset(world.machines)
            after = compile_policy(world, rules(self._org_id), attribute_policies(self._org_id))
            return after, (Reach(everybody, everybody),)
        old, new = {rule.id: rule for rule in before.rules}, {rule.id: rule for rule in rules(self._org_id)}
        gone = [rule for key, rule in old.items() if new.get(key) != rule]
        come = [rule for key, rule in new.items() if old.get(key) != rule]
        after = before.edited(removed=[rule.id for rule in gone], added=come)
        return after, tuple(reach_of(after, rule) for rule in (*gone, *come))


def reach_of(policy: Policy, rule: Rule) -> Reach:
    """Between whom a rule decides."""
    return Reach(frozenset(policy.machines.named_by(rule.source)), frozenset(policy.touched_by(rule)))


def fresh_policy(org_id: uuid.UUID) -> Policy:
    """The policy as the caller's transaction sees it, kept nowhere; what machines carry is left out."""
    machines = {facts.id: facts for facts in facts_of(org_id, None)}
    return compile_policy(world_of_org(org_id, machines), rules(org_id), attribute_policies(org_id))


def compiled(org_id: uuid.UUID, nodes: Mapping[str, MapNode]) -> Policy:
    """An organisation's policy from the database."""
    machines = {facts.id: facts for facts in facts_of(org_id, nodes)}
    return compile_policy(world_of_org(org_id, machines), rules(org_id), attribute_policies(org_id))


def world_of_org(org_id: uuid.UUID, machines: Mapping[str, MachineFacts]) -> World:
    """The machines with the organisation's switches."""
    settings = OrgSettings.objects.for_org(org_id).only("default_deny").get()
    lockdown = Organization.objects.for_org(org_id).values_list("lockdown_mode", flat=True).get()
    return World(machines, settings.default_deny, lockdown)


def rules(org_id: uuid.UUID) -> list[Rule]:
    """The enabled rules, parsed."""
    return [rule_of(row) for row in AclRule.objects.for_org(org_id).filter(enabled=True)]


def attribute_policies(org_id: uuid.UUID) -> tuple:
    """The enabled attribute policies in the order in which they are asked."""
    rows = AbacPolicy.objects.for_org(org_id).filter(enabled=True)
    return tuple(sorted(map(attribute_policy_of, rows), key=lambda policy: (policy.priority, policy.id)))


def group_names(org_id: uuid.UUID, ids: Collection[uuid.UUID] | None) -> dict[uuid.UUID, set[str]]:
    """Its own groups and those of its owner, by machine, in lower case; ids: only of these machines."""
    members = SegmentationGroupMember.objects.for_org(org_id)
    owned = Machine.objects.for_org(org_id).exclude(owner=None)
    if ids is not None:
        members, owned = members.filter(machine_id__in=ids), owned.filter(pk__in=ids)
    groups: dict[uuid.UUID, set[str]] = {}
    for machine_id, name in members.values_list("machine_id", "group__name"):
        groups.setdefault(machine_id, set()).add(name.casefold())
    owners = dict(owned.values_list("pk", "owner_id"))
    people = groups_of_people(org_id, None if ids is None else set(owners.values()))
    for machine_id, owner_id in owners.items():
        if owner_id in people:
            groups.setdefault(machine_id, set()).update(people[owner_id])
    return groups


def facts_of(
    org_id: uuid.UUID, nodes: Mapping[str, MapNode] | None, ids: Collection[str] | None = None
) -> Iterable[MachineFacts]:
    """Facts of machines: those of a snapshot, or all that there are; ids: only these."""
    if ids is not None and not ids:
        return []
    machines = Machine.objects.for_org(org_id).select_related("owner")
    wanted = None if ids is None else {uuid.UUID(key) for key in ids}
    if wanted is not None:
        machines = machines.filter(pk__in=wanted)
    groups = group_names(org_id, wanted)
    roles = dict(OrgMember.objects.for_org(org_id).values_list("user_id", "role"))
    verdicts = verdicts_of(org_id, wanted)
    return [
        _facts(
            row,
            nodes[str(row.pk)].carries if nodes else (),
            groups.get(row.pk, set()),
            roles,
            verdicts.get(row.pk),
        )
        for row in machines
        if nodes is None or str(row.pk) in nodes
    ]


def _facts(
    row: Machine,
    carries: tuple[str, ...],
    groups: set[str],
    roles: Mapping[uuid.UUID, str],
    verdict: Verdict | None,
) -> MachineFacts:
    verdict = verdict or Verdict()
    return MachineFacts(
        id=str(row.pk),
        name=row.name,
        addresses=(row.tailnet_ip, row.tailnet_ipv6),
        status=row.status,
        barred=row.admin_disabled or row.locked or row.key_expired_at is not None,
        tags=frozenset(row.tags),
        owner_id=str(row.owner_id) if row.owner_id else None,
        owner_email=row.owner.email if row.owner else None,
        owner_role=roles.get(row.owner_id),
        groups=frozenset(groups),
        os=row.os,
        country=country_of(row.public_address),
        public_address=row.public_address,
        posture_ok=verdict.compliant,
        posture_restricted=verdict.restricted,
        pqc=bool(row.mlkem_public_key),
        carries=carries,
    )
