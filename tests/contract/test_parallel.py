"""What must hold when two do the same at once; on SQLite writers queue, on PostgreSQL locks decide."""

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from apps.audit.models import AuditLog
from apps.audit.services import record
from apps.audit.verify import verify_chain
from apps.auth import apikeys
from apps.auth.errors import InvalidToken
from apps.auth.handover import exchange_cli_code, issue_cli_code
from apps.auth.models import ApiKey, RefreshToken, Session
from apps.auth.sessions import refresh_session
from apps.core.actors import Actor
from apps.core.errors import NotFound
from apps.orgs.errors import LastOwner
from apps.orgs.members import leave
from apps.orgs.models import OrgMember

pytestmark = pytest.mark.django_db(transaction=True)
LOCAL = Actor(kind="user", ip_address="127.0.0.1")


def at_once(work, inputs):
    """Results or exceptions of `work` for each input, run together."""

    def run(value):
        try:
            return work(value)
        except (InvalidToken, LastOwner, NotFound) as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(inputs)) as pool:
        return list(pool.map(run, inputs))


def test_writers_of_one_trail_queue(cast):
    def write(number):
        for _ in range(5):
            with transaction.atomic():
                record(org=cast.org_a, actor=cast.alice.actor, action="note.made", details={"n": number})

    before = AuditLog.objects.for_org(cast.org_a).count()
    at_once(write, range(6))
    verdict = verify_chain(cast.org_a)
    assert verdict.valid
    assert verdict.rows == before + 30


def test_parallel_use_of_a_refresh_token_gives_one_successor(cast):
    pairs = at_once(lambda _: refresh_session(token=cast.alice.refresh, actor=LOCAL), range(6))
    assert len({pair.refresh for pair in pairs}) == 1
    assert RefreshToken.objects.filter(session=cast.alice.session).count() == 2


def test_parallel_reuse_ends_the_family_once(cast):
    refresh_session(token=cast.alice.refresh, actor=LOCAL)
    RefreshToken.objects.exclude(used_at=None).update(used_at=timezone.now() - timedelta(minutes=1))
    answers = at_once(lambda _: refresh_session(token=cast.alice.refresh, actor=LOCAL), range(4))
    assert all(isinstance(answer, InvalidToken) for answer in answers)
    assert Session.objects.get(pk=cast.alice.session.pk).end_reason == "reuse_detected"


def test_a_code_is_exchanged_once(cast):
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"v" * 43).digest()).decode().rstrip("=")
    code = issue_cli_code(
        user=cast.bob.user, actor=cast.bob.actor, cli_state="s" * 16, code_challenge=challenge, org_id=None
    )

    def exchange(_):
        return exchange_cli_code(code=code, code_verifier="v" * 43, cli_state="s" * 16, actor=LOCAL)

    answers = at_once(exchange, range(4))
    assert sum(isinstance(answer, InvalidToken) for answer in answers) == 3


def test_two_rotations_leave_one_successor(cast):
    key, _ = apikeys.create_api_key(org=cast.org_a, actor=cast.alice.actor, name="ci", scopes=["read"])

    def rotate(_):
        return apikeys.rotate_api_key(org=cast.org_a, actor=cast.alice.actor, key_id=key.pk)

    answers = at_once(rotate, range(4))
    assert sum(isinstance(answer, NotFound) for answer in answers) == 3
    assert ApiKey.objects.for_org(cast.org_a).filter(revoked=False).count() == 1


def test_two_owners_who_leave_at_once_leave_one_behind(cast):
    second = cast.join("second@example.com", "owner")
    answers = at_once(lambda person: leave(org=cast.org_a, actor=person.actor), [cast.alice, second])
    assert [isinstance(answer, LastOwner) for answer in answers].count(True) == 1
    assert OrgMember.objects.for_org(cast.org_a).filter(role="owner").count() == 1
