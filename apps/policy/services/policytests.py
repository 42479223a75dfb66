"""Writing what the policy must hold."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from apps.audit.services import record
from apps.core.actors import Actor
from apps.core.errors import InvalidInput, NotFound
from apps.core.realtime import publish
from apps.orgs.models import Organization
from apps.policy.documents import as_api_error
from apps.policy.faults import RuleFault
from apps.policy.models import PolicyTest
from apps.policy.references import resolve_hosts
from apps.policy.services.commit import locked

MAX_TESTS = 500
SHOWN = ("name", "source", "destination", "port", "protocol", "expected")


def save_test(*, org: Any, actor: Actor, values: Mapping[str, Any], test_id: Any = None) -> PolicyTest:
    """Make or change one; it is asked when policy changes. Raises NotFound, InvalidInput."""
    with transaction.atomic():
        org = locked(org)
        row = _test_in(org, test_id) if test_id else PolicyTest(org_id=org.pk)
        if not test_id and PolicyTest.objects.for_org(org).count() >= MAX_TESTS:
            raise InvalidInput(f"At most {MAX_TESTS} tests")
        for name, value in values.items():
            setattr(row, name, value)
        try:
            row.source = resolve_hosts(org, row.source, "source")
            row.destination = resolve_hosts(org, row.destination, "destination")
        except RuleFault as fault:
            raise as_api_error(fault) from None
        row.last_result = row.last_run_at = None
        row.save()
        _note(org, actor, row, "updated" if test_id else "created")
        return row


def delete_test(*, org: Any, actor: Actor, test_id: Any) -> None:
    """Take one away; raises NotFound."""
    with transaction.atomic():
        org = locked(org)
        row = _test_in(org, test_id)
        _note(org, actor, row, "deleted")
        row.delete()


def _test_in(org: Organization, test_id: Any) -> PolicyTest:
    row = PolicyTest.objects.for_org(org).select_for_update().filter(pk=test_id).first()
    if row is None:
        raise NotFound("No such test")
    return row


def _note(org: Organization, actor: Actor, row: PolicyTest, verb: str) -> None:
    told = {
        name: getattr(row, name) for name in ("name", "source", "destination", "port", "protocol", "expected")
    }
    record(org=org, actor=actor, action=f"policy_test.{verb}", resource_id=row.pk, details=told)
    event = {"created": "INSERT", "updated": "UPDATE", "deleted": "DELETE"}[verb]
    publish(org=org, channel="acl", event=event, table="policy_tests", payload={"id": row.pk, **told})
