"""Whether a caller may act in an organisation: membership, role, scope.

`apps.orgs` knows memberships; it registers its resolver here.
"""

import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

from django.utils import timezone

from apps.core.api.principals import Principal
from apps.core.api.scopes import scopes_allow
from apps.core.errors import Forbidden, InsufficientScope, StepUpRequired

ROLES = {
    "M": frozenset({"owner", "admin", "member", "auditor"}),
    "U": frozenset({"owner", "admin", "auditor"}),
    "A": frozenset({"owner", "admin"}),
    "O": frozenset({"owner"}),
}
ROLE_REQUIRED = {"U": "Auditor required", "A": "Admin required", "O": "Owner required"}


class OrgAccess(NamedTuple):
    """An organisation and the caller's role in it ("machine" for a node key)."""

    org: Any
    role: str


Resolver = Callable[[Principal, uuid.UUID], OrgAccess | None]
_resolver: list[Resolver] = []


def provide_org_access(resolver: Resolver) -> None:
    """Register who knows memberships; it answers None for unknown and foreign organisations."""
    _resolver[:] = [resolver]


def org_access(principal: Principal, org_id: uuid.UUID) -> OrgAccess:
    """The caller's place in an organisation; unknown and foreign ones raise Forbidden alike."""
    access = None
    if principal.org_id is None or principal.org_id == org_id:
        access = _resolver[0](principal, org_id)
    if access is None:
        raise Forbidden("Not a member")
    return access


def check_role(principal: Principal, access: OrgAccess, who: str, scope: str | None) -> None:
    """Raise Forbidden or InsufficientScope unless one of the letters of `who` fits the caller."""
    if principal.kind == "machine":
        if "N" not in who:
            raise Forbidden("Not open to machines")
        return
    letters = [letter for letter in who if letter in ROLES]
    if not letters:
        raise Forbidden("Only open to machines")
    if principal.kind == "api_key":
        if letters == ["O"]:
            raise Forbidden("Owner required")
        check_scope(principal, scope or "admin")
        return
    if not any(access.role in ROLES[letter] for letter in letters):
        raise Forbidden(ROLE_REQUIRED.get(letters[-1], "Not a member"))


def check_scope(principal: Principal, required: str) -> None:
    """Raise InsufficientScope for an API key without this scope; people and machines have none."""
    if principal.kind == "api_key" and not scopes_allow(principal.scopes, required):
        raise InsufficientScope(f"The API key lacks the scope {required}", required_scope=required)


def check_step_up(principal: Principal) -> None:
    """Raise StepUpRequired unless the user proved himself within the last five minutes."""
    if principal.kind != "user":
        raise Forbidden("Only open to people")
    if principal.stepped_up_until is None or principal.stepped_up_until < timezone.now():
        raise StepUpRequired()
