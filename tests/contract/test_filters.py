"""The filter grammar of the table endpoints, on the trail and the members of an organisation."""

import json
from urllib.parse import urlencode

import pytest
from django.db import transaction

from apps.audit.services import record
from apps.auth.apikeys import create_api_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def get(cast):
    with transaction.atomic():
        for number, name in enumerate(("alpha", "Beta", "ga,mma", "de(lta", "x_y", "x%y")):
            record(
                org=cast.org_a,
                actor=cast.alice.actor,
                action=f"note.{name}",
                resource_id=name if number % 2 else None,
                resource_type="note",
            )

    def read(query, table="audit_logs"):
        url = f"/api/db/{table}?org_id={cast.org_a.pk}&{urlencode(query, doseq=True)}"
        return cast.alice.client.get(url)

    return read


NOTES = {"resource_type": "eq.note", "select": "action", "order": "created_at"}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"action": "eq.note.alpha"}, ["alpha"]),
        ({"action": "neq.note.alpha", "resource_id": "is.null"}, ["ga,mma", "x_y"]),
        ({"resource_id": "neq.Beta"}, ["alpha", "ga,mma", "de(lta", "x_y", "x%y"]),
        ({"action": "like.note.b*"}, []),
        ({"action": "like.note.B*"}, ["Beta"]),
        ({"action": "ilike.*BET%"}, ["Beta"]),
        ({"action": "like.*x_y"}, ["x_y"]),
        ({"action": 'in.(note.alpha,"note.ga,mma","note.de(lta")'}, ["alpha", "ga,mma", "de(lta"]),
        ({"action": "not.in.(note.alpha,note.Beta)", "resource_id": "is.null"}, ["ga,mma", "x_y"]),
        ({"resource_id": "is.not_null", "action": "not.eq.note.Beta"}, ["de(lta", "x%y"]),
        ({"action": ["gte.note.a", "lt.note.b"]}, ["alpha"]),
        ({"or": "(action.eq.note.alpha,action.eq.note.Beta)"}, ["alpha", "Beta"]),
        (
            {"or": '(action.eq.note.alpha,and(resource_id.is.not_null,action.in.("note.Beta",x)))'},
            ["alpha", "Beta"],
        ),
        ({"created_at": "gt.2020-01-01T00:00:00+02:00", "action": "eq.note.alpha"}, ["alpha"]),
        ({"created_at": "lt.2020-01-01"}, []),
        ({"created_at": "lt.2020-01-01T00:00:00Z"}, []),
    ],
    ids=str,
)
def test_filters(get, query, names):
    response = get({**NOTES, **query})
    assert [row["action"].partition(".")[2] for row in response.json()["data"]] == names


@pytest.mark.parametrize(
    "query",
    [
        {"hash": "eq.x"},
        {"org": "eq.x"},
        {"org__name": "eq.x"},
        {"actor__org__settings": "eq.x"},
        {"action": "x"},
        {"action": "between.1"},
        {"action": "is.true"},
        {"action": "cs.{a}"},
        {"details": "eq.x"},
        {"id": "eq.5"},
        {"id": "like.*"},
        {"user_id": "gt.x"},
        {"created_at": "eq.yesterday"},
        {"action": "in.a,b"},
        {"action": "in.(" + ",".join("x" * 501) + ")"},
        {"action": "like." + "x" * 201},
        {"or": "action.eq.x"},
        {"or": "()"},
        {"or": "(and(or(action.eq.x)))"},
        {"or": "(action.eq.x"},
        {"select": "hash"},
        {"select": "action,org_id"},
        {"order": "hash"},
        {"order": "action.sideways"},
        {"order": "details"},
        {"limit": "1001"},
        {"limit": "-1"},
        {"offset": "x"},
        {"offset": "0", "after": "x"},
        {"range_from": "5", "range_to": "1"},
        {"after": "bm9uc2Vuc2U="},
        {"count": "guessed"},
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(get, query):
    response = get(query)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "INVALID_FILTER")


def test_lists(cast, get):
    for scopes in (["read"], ["read", "machines"], ["admin"]):
        create_api_key(org=cast.org_a, actor=cast.alice.actor, name="-".join(scopes), scopes=scopes)

    def names(text):
        rows = get({"scopes": text, "order": "name", "select": "name"}, "api_keys").json()["data"]
        return [row["name"] for row in rows]

    assert names("cs.{read}") == ["read", "read-machines"]
    assert names("cs.{read,machines}") == ["read-machines"]
    assert names("ov.{machines,admin}") == ["admin", "read-machines"]
    assert names("not.cs.{read}") == ["admin"]
    assert names("ov.{}") == []


def test_windows_and_counts(get):
    everything = get({**NOTES, "select": "*"}).json()["data"]
    page = get({**NOTES, "limit": 2, "offset": 1, "count": "exact"})
    assert page["Content-Range"] == "1-2/6"
    ranged = get({**NOTES, "range_from": 1, "range_to": 3})
    assert ranged.json() == page.json()
    assert ranged["Content-Range"] == "1-2/*"
    assert get({**NOTES, "select": "count"}).json()["data"] == [{"count": 6}]
    assert get({**NOTES, "action": "eq.none"})["Content-Range"] == "*/*"
    for order in ("action.desc", "resource_id.asc", "resource_id.desc", "resource_id.desc.nullslast"):
        seen, after = [], {}
        while True:
            window = get({**NOTES, "select": "*", "order": order, "limit": 2, **after})
            seen += [row["id"] for row in window.json()["data"]]
            if "X-Next-Cursor" not in window:
                break
            after = {"after": window["X-Next-Cursor"]}
        assert sorted(seen) == sorted(row["id"] for row in everything), order
        full = get({**NOTES, "select": "id", "order": order}).json()["data"]
        assert seen == [row["id"] for row in full], order


def test_writes_take_filters_in_every_form(cast):
    org = str(cast.org_a.pk)
    client, url = cast.alice.client, "/api/db/organizations"
    forms = [
        ("PATCH", f"?org_id={org}&slug=eq.org-a", {}),
        ("PATCH", f"?org_id=eq.{org}", {"_filters": {"slug": "org-a"}}),
        ("PATCH", "", {"_filters": {"id": org}}),
        ("PATCH", "", {"org_id": org, "_filters": [{"column": "slug", "op": "=", "value": "org-a"}]}),
        ("POST", "", {"org_id": org, "_filters": {"slug": "org-a", "org_id": org}}),
    ]
    for number, (method, query, body) in enumerate(forms):
        response = client.call(url + query, {**body, "name": f"Name {number}"}, method=method)
        assert response.json()["data"] == {"changes": 1}, (method, query, body)
        cast.org_a.refresh_from_db()
        assert cast.org_a.name == f"Name {number}"


@pytest.mark.parametrize(
    ("query", "body", "code"),
    [
        ("?org_id={a}", {"name": "x"}, "UNSAFE_UPDATE"),
        ("?org_id={a}", {"name": "x", "_filters": {}}, "UNSAFE_UPDATE"),
        ("?org_id={a}", {"name": "x", "_filters": {"org_id": "{a}"}}, "UNSAFE_UPDATE"),
        ("?org_id={a}&slug=eq.none", {"name": "x"}, "NOT_FOUND"),
        ("?org_id={a}&slug=eq.org-a", {"slug": "x"}, "FIELD_NOT_WRITABLE"),
        ("?org_id={a}&slug=eq.org-a", {"netmap_version": 1}, "UNKNOWN_FIELD"),
        ("?org_id={a}&slug=eq.org-a", {}, "MISSING_FIELDS"),
        ("?org_id={a}&slug=eq.org-a", {"name": ""}, "MISSING_FIELDS"),
        ("?org_id={a}&slug=eq.org-a", {"name": "x" * 101}, "INVALID_INPUT"),
        ("?org_id={a}&slug=eq.org-a", {"name": "x", "org_id": "{b}"}, "NOT_FOUND"),
        ("?org_id={a}&slug=eq.org-a", {"name": "x", "_filters": {"org_id": "{b}"}}, "NOT_FOUND"),
        ("?org_id={a}", {"name": "x", "_filters": {"ipv6": 1}}, "INVALID_FILTER"),
        ("?id=eq.{b}", {"name": "x"}, "NOT_FOUND"),
    ],
    ids=str,
)
def test_unsafe_and_unfit_writes_touch_nothing(cast, query, body, code):
    ids = {"{a}": str(cast.org_a.pk), "{b}": str(cast.org_b.pk)}
    text = json.dumps([query, body])
    for name, value in ids.items():
        text = text.replace(name, value)
    query, body = json.loads(text)
    response = cast.alice.client.call(f"/api/db/organizations{query}", body, method="PATCH")
    assert response.json()["error"]["code"] == code
    for org in (cast.org_a, cast.org_b):
        name = org.name
        org.refresh_from_db()
        assert org.name == name
