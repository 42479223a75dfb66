"""The cast of every database test: Alice owns A, Bob is a member of A, Charlie owns B."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.core.cache import cache
from django.db import connection
from django.db.models import F, ForeignKey
from django.test import Client, TestCase
from django_redis import get_redis_connection

from apps.audit import triggers
from apps.auth import keyring
from apps.auth.models import User
from apps.auth.sessions import open_session
from apps.core import ratelimit
from apps.core.actors import Actor
from apps.core.tenancy import OrgOwned
from apps.orgs.models import Organization, OrgMember
from apps.orgs.services import create_organization

PASSWORD = "correct horse battery staple"


class ApiClient(Client):
    """A caller with a bearer token; `call` posts JSON and returns the response."""

    def __init__(self, token: str | None = None) -> None:
        super().__init__()
        if token:
            self.defaults["HTTP_AUTHORIZATION"] = f"Bearer {token}"

    def call(self, path: str, body: Any = None, *, method: str = "POST", **headers: str) -> Any:
        # What waits for the commit happens at the end of the call, as it does outside a test.
        with TestCase.captureOnCommitCallbacks(execute=True):
            return self.generic(
                method,
                path,
                b"" if body is None else json.dumps(body).encode(),
                content_type="application/json",
                headers=headers or None,
            )


@dataclass
class Person:
    """A signed-in user with a client of their own."""

    user: User
    client: ApiClient
    session: Any
    refresh: str

    @property
    def actor(self) -> Actor:
        return Actor(kind="user", id=self.user.pk, email=self.user.email, role="owner")


@dataclass
class Cast:
    alice: Person
    bob: Person
    charlie: Person
    org_a: Organization
    org_b: Organization

    def join(self, email: str, role: str) -> Person:
        """A further member of A."""
        person = sign_in(email)
        OrgMember.objects.create_in(self.org_a, user=person.user, role=role, source="invitation")
        return person


def sign_in(email: str) -> Person:
    """A new user with a live session."""
    user = User.objects.create_user(email, PASSWORD, full_name=email.partition("@")[0].title())
    pair = open_session(user=user, kind="cli", actor=Actor(kind="user", id=user.pk, ip_address="127.0.0.1"))
    return Person(user, ApiClient(pair.access), pair.session, pair.refresh)


def forget_limits() -> None:
    """As if all windows of the rate limits had passed."""
    ratelimit.local.clear()
    if not django_settings.EMBEDDED:
        limits = get_redis_connection("default")
        for bucket in limits.scan_iter("rate:*"):
            limits.delete(bucket)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: Any) -> None:
    """Emptying the database between transactional tests needs the trail's triggers out of the way."""
    flush = connection.ops.execute_sql_flush

    def flush_without_triggers(statements: list[str]) -> None:
        triggers.remove(connection)
        flush(statements)
        triggers.install(connection)

    connection.ops.execute_sql_flush = flush_without_triggers


@pytest.fixture(autouse=True)
def _rows_point_home(request: pytest.FixtureRequest) -> Any:
    """After each database test no row may point at another organisation's row."""
    uses_database = {"db", "transactional_db"} & set(request.fixturenames)
    if not uses_database and not request.node.get_closest_marker("django_db"):
        yield
        return
    request.getfixturevalue("_django_db_helper")
    yield
    if not connection.needs_rollback:
        assert rows_that_point_away() == []


def rows_that_point_away() -> list[str]:
    """Foreign keys between organisations' rows whose two ends belong to different ones."""
    found = []
    for model in apps.get_models():
        if not issubclass(model, OrgOwned):
            continue
        for field in model._meta.concrete_fields:
            if isinstance(field, ForeignKey) and issubclass(field.related_model, OrgOwned):
                away = model.all_orgs.exclude(**{field.name: None})
                if away.exclude(**{f"{field.name}__org_id": F("org_id")}).exists():
                    found.append(f"{model.__name__}.{field.name}")
    return found


@pytest.fixture(autouse=True)
def _quick_and_clean(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    forget_limits()
    cache.clear()
    keyring.forget()


@pytest.fixture
def cast(db: Any) -> Cast:
    alice, bob, charlie = (sign_in(f"{name}@example.com") for name in ("alice", "bob", "charlie"))
    org_a = create_organization(user=alice.user, actor=alice.actor, name="Org A", slug="org-a")
    org_b = create_organization(user=charlie.user, actor=charlie.actor, name="Org B", slug="org-b")
    OrgMember.objects.create_in(org_a, user=bob.user, role="member", source="invitation")
    return Cast(alice, bob, charlie, org_a, org_b)
