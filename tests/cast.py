"""The cast of every database test: Alice owns A, Bob is a member of A, Charlie owns B."""

from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from apps.auth.models import User
from apps.auth.sessions import open_session
from apps.core import ratelimit
from apps.core.actors import Actor
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
        return self.generic(
            method,
            path,
            b"" if body is None else _json(body),
            content_type="application/json",
            headers=headers or None,
        )


def _json(body: Any) -> bytes:
    import json

    return json.dumps(body).encode()


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


@pytest.fixture(autouse=True)
def _quick_and_clean(settings: Any) -> None:
    from django.core.cache import cache

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    ratelimit.local.clear()
    cache.clear()


@pytest.fixture
def cast(db: Any) -> Cast:
    alice, bob, charlie = (sign_in(f"{name}@example.com") for name in ("alice", "bob", "charlie"))
    org_a = create_organization(user=alice.user, actor=alice.actor, name="Org A", slug="org-a")
    org_b = create_organization(user=charlie.user, actor=charlie.actor, name="Org B", slug="org-b")
    OrgMember.objects.create_in(org_a, user=bob.user, role="member", source="invitation")
    return Cast(alice, bob, charlie, org_a, org_b)
