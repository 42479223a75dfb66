"""What the selectors of a rule point at: names become ids, and what nothing has is told."""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.db.models import QuerySet

from apps.core.errors import ValidationFailed
from apps.machines.models import Machine
from apps.orgs.models import IdpGroup, Organization, OrgMember
from apps.policy.models import AbacPolicy, AclRule, SegmentationGroup
from apps.policy.selectors import Selector, parse_selector


def resolve_hosts(org: Organization, text: str, field: str) -> str:
    """The selector with names of machines as their ids; ValidationFailed for an unknown name."""
    selector = parse_selector(text, field)
    if not selector.hosts:
        return selector.text
    rows = Machine.objects.for_org(org).filter(name__in=[host.partition(".")[0] for host in selector.hosts])
    ids = {name.lower(): str(pk) for name, pk in rows.values_list("name", "pk")}
    members = []
    for member in selector.text.split(","):
        label, _, domain = member.partition(".")
        if member in selector.hosts and (label not in ids or domain not in ("", f"{org.slug}.zt.net")):
            raise ValidationFailed(f"{field}: no machine is called {member}", field=field)
        members.append(ids[label] if member in selector.hosts else member)
    return parse_selector(",".join(members), field).text


def unresolved(org: object, selectors: Iterable[Selector]) -> list[str]:
    """Members that are well-formed and name something that is not there, as they would be written."""
    atoms = {atom for selector in selectors for atom in selector.atoms}
    by_kind: dict[str, set[str]] = {}
    for kind, value in atoms:
        by_kind.setdefault(kind, set()).add(value)
    missing = [f"tag:{tag}" for tag in by_kind.get("tag", set()) - known_tags(org, by_kind.get("tag"))]
    missing += [f"group:{name}" for name in by_kind.get("group", set()) - _groups(org)]
    missing += [f"user:{name}" for name in by_kind.get("user", set()) - _users(org, by_kind.get("user"))]
    machines = by_kind.get("machine", set())
    rows = Machine.objects.for_org(org).filter(pk__in=machines) if machines else ()
    return sorted([*missing, *(machines - {str(row.pk) for row in rows})])


def unresolved_names(org_id: uuid.UUID, tags: Collection[str], groups: Collection[str]) -> list[str]:
    """The same of tags and groups that are kept apart from selectors."""
    atoms = {("tag", tag) for tag in tags} | {("group", name.casefold()) for name in groups}
    return unresolved(org_id, [Selector("", frozenset(atoms))])


def named_by(selectors: Iterable[Selector]) -> set[str]:
    """Members that may be unresolved, as `unresolved` would write them."""
    atoms = {atom for selector in selectors for atom in selector.atoms}
    return {value if kind == "machine" else f"{kind}:{value}" for kind, value in atoms}


def known_tags(org: object, asked: set[str] | None) -> set[str]:
    """Tags that some machine has; no look-up where none is asked for."""
    if not asked:
        return set()
    rows = Machine.objects.for_org(org).exclude(tags=[]).values_list("tags", flat=True)
    return {tag for tags in rows for tag in tags}


def rules_naming(org: object, members: Collection[str]) -> list[AclRule]:
    """Rules one of whose ends names one of these members, such as `group:eng`, in any case."""
    return _naming(AclRule.objects.for_org(org), ("source", "destination"), members)


def policies_naming(org: object, members: Collection[str]) -> list[AbacPolicy]:
    """Attribute policies whose selector names one of these members."""
    return _naming(AbacPolicy.objects.for_org(org), ("selector",), members)


def exchanged(text: str, names: Mapping[str, str]) -> str:
    """A selector with members exchanged for others."""
    new = {member.casefold(): other for member, other in names.items()}
    return ",".join(dict.fromkeys(new.get(member.casefold(), member) for member in text.split(",")))


def _naming(rows: QuerySet, columns: Sequence[str], members: Collection[str]) -> list[Any]:
    """The rows. Compared here: a pattern of a thousand names is too much for databases."""
    wanted = {member.casefold() for member in members}
    if not wanted:
        return []
    found = [
        pk
        for pk, *selectors in rows.values_list("pk", *columns)
        if not wanted.isdisjoint(",".join(selectors).casefold().split(","))
    ]
    return list(rows.filter(pk__in=found))


def _groups(org: object) -> set[str]:
    kinds = (SegmentationGroup, IdpGroup)
    return {
        name.casefold() for kind in kinds for name in kind.objects.for_org(org).values_list("name", flat=True)
    }


def _users(org: object, asked: set[str] | None) -> set[str]:
    found: set[str] = set()
    if asked:
        for user_id, email in OrgMember.objects.for_org(org).values_list("user_id", "user__email"):
            found |= {str(user_id), email.casefold()}
    return found
