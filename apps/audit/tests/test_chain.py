"""The trail: every tampering is found, also by someone with the database in hand."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from apps.audit import triggers
from apps.audit.actors import forget_person, identity_of
from apps.audit.models import AuditLog
from apps.audit.services import record
from apps.audit.verify import verify_chain

pytestmark = pytest.mark.django_db


@pytest.fixture
def chain(cast):
    for number in range(5):
        with transaction.atomic():
            record(
                org=cast.org_a, actor=cast.alice.actor, action="note.made", details={"n": number, "ü": None}
            )
    return cast.org_a


def execute(sql, *params):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def test_a_fresh_chain_is_valid(chain):
    verdict = verify_chain(chain)
    assert verdict.valid
    assert verdict.rows == AuditLog.objects.for_org(chain).count() >= 5


@pytest.mark.parametrize("sql", ["UPDATE audit_logs SET action = 'x'", "DELETE FROM audit_logs"])
def test_the_database_refuses_changes(chain, sql):
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        execute(sql)
    assert verify_chain(chain).valid


TAMPERINGS = {
    "altered": "UPDATE audit_logs SET details = '{{\"n\": 99}}' WHERE seq = 3 AND org_id = {org}",
    "other author": "UPDATE audit_logs SET actor_kind = 'machine' WHERE seq = 3 AND org_id = {org}",
    "removed": "DELETE FROM audit_logs WHERE seq = 3 AND org_id = {org}",
    "cut off": "DELETE FROM audit_logs WHERE seq >= 5 AND org_id = {org}",
    "reordered": "UPDATE audit_logs SET seq = 7 - seq + 1000 WHERE seq IN (3, 4) AND org_id = {org}",
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_without_the_triggers_is_found(chain, name):
    triggers.remove(connection)
    org = f"'{chain.pk.hex if connection.vendor == 'sqlite' else chain.pk}'"
    execute(TAMPERINGS[name].format(org=org))
    triggers.install(connection)
    verdict = verify_chain(chain)
    assert not verdict.valid
    assert verdict.first_broken == (5 if name == "cut off" else 3)
    with pytest.raises(CommandError):
        call_command("audit_verify", stdout=StringIO())


def test_the_command_names_each_chain(chain, cast):
    out = StringIO()
    call_command("audit_verify", stdout=out)
    assert out.getvalue().count(" valid") == 2
    out = StringIO()
    call_command("audit_verify", "--org", str(chain.pk), stdout=out)
    assert str(cast.org_b.pk) not in out.getvalue()


def test_forgetting_a_person_keeps_the_chain(chain, cast):
    row = AuditLog.objects.for_org(chain).select_related("actor").latest("seq")
    assert identity_of(row.actor)["email"] == "alice@example.com"
    assert forget_person(str(cast.alice.user.pk)) == 1
    row.actor.refresh_from_db()
    assert identity_of(row.actor)["email"] is None
    assert verify_chain(chain).valid


@pytest.mark.django_db(transaction=True)
def test_a_row_outside_a_transaction_is_refused(cast):
    with pytest.raises(RuntimeError, match="transaction"):
        record(org=cast.org_a, actor=cast.alice.actor, action="note.made")


def record_and_fail(cast):
    with transaction.atomic():
        record(org=cast.org_a, actor=cast.alice.actor, action="note.made")
        raise ZeroDivisionError


def test_a_rolled_back_change_leaves_no_row(chain, cast):
    before = AuditLog.objects.for_org(chain).count()
    with pytest.raises(ZeroDivisionError):
        record_and_fail(cast)
    assert AuditLog.objects.for_org(chain).count() == before
    assert verify_chain(chain).valid
