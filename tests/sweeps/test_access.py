"""Nobody, outsiders and too low roles, at every route and action, against an organisation of canaries."""

import pytest
from django.core.cache import cache
from django.db import models, transaction

from apps.auth.models import ApiKey
from apps.core.api import access, registry
from tests.cast import ApiClient
from tests.sweeps.conftest import org_owned
from tests.sweeps.enumeration import endpoints, requests_of, routes

# Routes outside the registry, each with the reason why it needs no organisation.
OTHER_ROUTES = {
    "metrics": "loopback or token only; holds counters",
    ".well-known/jwks.json": "public keys",
    ".well-known/security.txt": "a contact",
    "^(?P<page>.*)$": "the console's page, the same for all",
    "api/functions/": "answers NOT_FOUND",
    "api/": "answers NOT_FOUND",
}
LOWER = {"A": ("member", "auditor"), "U": ("member",), "O": ("member", "auditor", "admin")}
SERVER_FAULTS = range(500, 503)


class Rolled(Exception):
    """Undoes what a call did."""


def call(client, method, url, body):
    """Call, note the answer, undo every effect."""
    answer = []
    try:
        with transaction.atomic():
            if method == "GET":
                query = {name: value for name, value in body.items() if isinstance(value, str | int)}
                answer.append(client.get(url, query))
            else:
                answer.append(client.call(url, body, method=method))
            # A refusal that wrote something would show in the domain's own tests; a look costs queries.
            answer.append(snapshot() if answer[0].status_code < 400 else None)
            raise Rolled
    except Rolled:
        cache.clear()
    return answer


_org = []


def snapshot():
    """All rows of A, to see whether a call changed one."""
    rows = {}
    for model in org_owned():
        rows[model.__name__] = list(model.objects.for_org(_org[0]).order_by("pk").values())
    return repr(rows)


@pytest.fixture
def watched(cast, planted_ids):
    _org[:] = [cast.org_a]
    return cast


def leaks(cast, canary, planted_ids):
    """What an outsider can see or change of A, as texts; empty if tenancy holds."""
    found = []
    before = snapshot()

    def judge(name, client, method, url, body):
        response, after = call(client, method, url, body)
        text = response.content.decode(errors="replace")
        if canary in text:
            found.append(f"{name}: shows a canary to an outsider")
        if after not in (None, before):
            found.append(f"{name}: changes a row of another organisation")
        if response.status_code in SERVER_FAULTS:
            found.append(f"{name}: fails with {response.status_code}: {text[:200]}")
        return response

    outsider = cast.charlie.client
    for endpoint in endpoints():
        operation = endpoint.operation
        if operation.in_org:
            response = judge(
                f"{endpoint.name} in A",
                outsider,
                endpoint.method,
                endpoint.url(cast.org_a.pk),
                endpoint.body(cast.org_a.pk, cast.org_a.pk),
            )
            if response.status_code != 403:
                found.append(f"{endpoint.name}: answers {response.status_code} to an outsider")
        for url, body in requests_of(endpoint, cast.org_b.pk, planted_ids):
            judge(f"{endpoint.name} in B", outsider, endpoint.method, url, body)
            if operation.org_of:
                body.pop("org_id")
                judge(f"{endpoint.name} by id", outsider, endpoint.method, url, body)
    for table, view in registry.tables().items():
        url = f"/api/db/{table}"
        response = judge(f"{table} of A", outsider, "GET", url, {"org_id": str(cast.org_a.pk)})
        if response.status_code != 403:
            found.append(f"GET {table}: answers {response.status_code} to an outsider")
        judge(f"{table} of B", outsider, "GET", url, {"org_id": str(cast.org_b.pk)})
        own = view.model.objects.for_org(cast.org_a).values_list("pk", flat=True)[:2]
        for object_id in (*own, cast.org_a.pk):
            for scope in ("", f"&org_id={cast.org_b.pk}", f"&org_id={cast.org_a.pk}"):
                target = f"{url}?id=eq.{object_id}{scope}"
                judge(f"{table} by id{scope and ' and org'}", outsider, "GET", target, {})
                judge(f"DELETE {table}", outsider, "DELETE", target, {})
                for column in view.columns:
                    if column.write:
                        judge(f"PATCH {table}", outsider, "PATCH", target, {column.name: "changed"})
    return found


def test_an_outsider_sees_and_changes_nothing(watched, canaries, planted_ids):
    assert leaks(watched, canaries, planted_ids) == []


def test_the_sweep_finds_a_forgotten_scope(watched, canaries, planted_ids, monkeypatch):
    """With the scoping call emptied by hand, the sweep must cry out."""
    everyones = models.Manager.get_queryset
    monkeypatch.setattr(ApiKey.objects, "for_org", lambda org: everyones(ApiKey.objects))
    keys = ApiKey.all_orgs.filter(org=watched.org_a).values_list("pk", flat=True)
    found = leaks(watched, canaries, keys)
    assert any("api_keys of B: shows a canary" in leak for leak in found)
    assert any("revoke_api_key in B: changes a row" in leak for leak in found)


def test_the_sweep_finds_a_forgotten_membership_check(watched, canaries, planted_ids, monkeypatch):
    real = access._resolver[0]

    def everybody_owns(principal, org_id):
        found = real(principal, org_id)
        return found or access.OrgAccess(watched.org_a, "owner")

    monkeypatch.setattr(access, "_resolver", [everybody_owns])
    found = leaks(watched, canaries, [watched.org_a.pk])
    assert any("organizations of A: shows a canary" in leak for leak in found)


def test_nobody_gets_in(watched, planted_ids, canaries):
    stranger, forged = ApiClient(), ApiClient("qz-api-live-" + "0" * 64)
    open_calls = []
    for endpoint in endpoints():
        body = endpoint.body(watched.org_a.pk, planted_ids[0])
        if "P" in endpoint.operation.who:
            open_calls.append(endpoint.name)
            continue
        for client in (stranger, forged, ApiClient("x.y.z")):
            response, _ = call(client, endpoint.method, endpoint.url(planted_ids[0]), body)
            assert response.status_code == 401, endpoint.name
    for table in registry.tables():
        for method in ("GET", "POST", "PATCH", "DELETE"):
            url = f"/api/db/{table}?org_id={watched.org_a.pk}"
            response, _ = call(stranger, method, url, {})
            assert response.status_code == 401, f"{method} {table}"
    assert open_calls


def test_open_calls_show_no_canary(watched, canaries, planted_ids):
    for endpoint in endpoints():
        if "P" in endpoint.operation.who:
            for url, body in requests_of(endpoint, watched.org_a.pk, planted_ids):
                response, _ = call(ApiClient(), endpoint.method, url, body)
                assert canaries not in response.content.decode(), endpoint.name
                assert response.status_code not in SERVER_FAULTS, endpoint.name


def test_too_low_roles_are_refused(watched, planted_ids, canaries):
    people = {role: watched.join(f"{role}@example.com", role) for role in ("member", "auditor", "admin")}
    for endpoint in endpoints():
        letters = set(endpoint.operation.who) & set(LOWER)
        if set(endpoint.operation.who) - letters - {"N"} or not letters:
            continue
        for role in LOWER[letters.pop()]:
            body = endpoint.body(watched.org_a.pk, planted_ids[0])
            url = endpoint.url(planted_ids[0])
            response, after = call(people[role].client, endpoint.method, url, body)
            assert response.status_code == 403, f"{endpoint.name} as {role}"
            assert after is None, f"{endpoint.name} as {role}"
    for table, view in registry.tables().items():
        for kind, method in (("read", "GET"), ("insert", "POST"), ("update", "PATCH"), ("delete", "DELETE")):
            for role in LOWER.get(view.operation_roles()[kind], ()):
                url = f"/api/db/{table}?org_id={watched.org_a.pk}&id=neq.{watched.org_a.pk}"
                response, after = call(people[role].client, method, url, {})
                assert response.status_code == 403, f"{method} {table} as {role}"
                assert after is None, f"{method} {table} as {role}"


def test_not_even_the_owner_sees_a_secret(watched, canaries):
    for table in registry.tables():
        response = watched.alice.client.get(f"/api/db/{table}", {"org_id": str(watched.org_a.pk)})
        assert response.status_code == 200, table
        assert f"secret-{canaries}" not in response.content.decode(), table


def test_every_model_has_a_planted_row(watched, canaries):
    empty = [model.__name__ for model in org_owned() if not model.objects.for_org(watched.org_a).exists()]
    assert empty == [], "their app's tests/canary.py must plant a row"


def test_every_route_is_declared(db):
    """A route that is neither declared nor listed can't be swept, so it fails here."""
    declared = {f"db/{name}" for name in registry.tables()} | set(registry.call_views())
    declared |= set(registry.topics()) | set(registry._aliases)
    for route in routes():
        if route.startswith("admin/") or route in OTHER_ROUTES:
            continue
        name = route.removeprefix("api/").removeprefix("functions/").removesuffix("/")
        assert name in declared, f"{route} is neither declared nor in OTHER_ROUTES"


def test_the_admin_is_closed_to_people_without_staff_rights(watched, canaries):
    watched.alice.client.force_login(watched.alice.user)
    for route in ("", "orgs/organization/", "ztna_auth/apikey/", "audit/auditlog/"):
        response = watched.alice.client.get(f"/admin/{route}")
        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/")
