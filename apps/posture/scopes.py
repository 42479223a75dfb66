"""What a policy's scope names: tags and groups of machines."""

import uuid
from collections.abc import Iterable, Mapping

from apps.machines.groups import unresolved_of
from apps.machines.names import as_selectors

Scope = Mapping[str, list[str]]


def names_of(scope: Scope) -> set[str]:
    """Its tags and groups as selectors name them."""
    groups = (f"group:{name.casefold()}" for name in scope.get("groups", ()))
    return {*as_selectors(scope.get("tags", ())), *groups}


def missing_in(org_id: uuid.UUID, scopes: Iterable[Scope]) -> set[str]:
    """Of all that these scopes name, what nothing has."""
    scopes = list(scopes)
    tags = {tag for scope in scopes for tag in scope.get("tags", ())}
    groups = {name for scope in scopes for name in scope.get("groups", ())}
    return set(unresolved_of(org_id, tags, groups))
