"""Machines report a peer whose identity changed: once, in bounds, and within their organisation."""

import pytest

from apps.audit.models import AuditLog
from apps.auth.secrets import secret_hash
from apps.machines.nodes import find_node
from apps.machines.services.identity import REPORTS, report_event
from apps.machines.tests.agents import Keys, auth_key, b64, enrol
from wire.binary import WireError
from wire.control import PEER_IDENTITY_CHANGED

ACTION = "machine.peer_identity_refused"


@pytest.fixture
def key(cast):
    return auth_key(cast.alice, cast.org_a, reusable=True)["key"]


def node_of(agent):
    return find_node(secret_hash(agent.node_key))


def report(peer_id, **changes):
    old, new = b64(Keys().identity_public), b64(Keys().identity_public)
    return {"kind": PEER_IDENTITY_CHANGED, "peer_machine_id": peer_id, "old": old, "new": new, **changes}


def rows(org):
    return list(AuditLog.objects.for_org(org).filter(action=ACTION))


def test_a_report_is_written_down_and_told_to_browsers(
    cast, key, django_capture_on_commit_callbacks, monkeypatch
):
    alpha, beta = enrol(key, "alpha"), enrol(key, "beta")
    told = []
    monkeypatch.setattr("apps.machines.services.writing.publish", lambda **event: told.append(event))
    body = report(beta.id)
    assert report_event(node_of(alpha), body)
    (row,) = rows(cast.org_a)
    assert (row.actor_kind, row.resource_id) == ("machine", str(beta.id))
    assert row.details == {
        "name": "beta",
        "refused_by": "alpha",
        "old_identity": body["old"],
        "new_identity": body["new"],
    }
    (event,) = told
    assert event["payload"]["identity_refused_by"] == node_of(alpha).pk
    assert not report_event(node_of(alpha), body)
    assert len(rows(cast.org_a)) == 1


def test_another_organisations_machine_cannot_be_reported_on(cast, key):
    alpha = enrol(key, "alpha")
    stranger = enrol(auth_key(cast.charlie, cast.org_b)["key"], "stranger")
    assert not report_event(node_of(alpha), report(stranger.id))
    assert rows(cast.org_a) == rows(cast.org_b) == []


def test_a_flood_of_reports_leaves_few_rows(cast, key):
    alpha, beta = enrol(key, "alpha"), enrol(key, "beta")
    node = node_of(alpha)
    for _ in range(REPORTS.count * 2):
        report_event(node, report(beta.id))
    assert len(rows(cast.org_a)) <= REPORTS.count + 1


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "other"},
        {"kind": None},
        {"peer_machine_id": "../../x"},
        {"peer_machine_id": None},
        {"old": "x"},
        {"new": None},
        {"new": b64(bytes(33))},
        {"old": ["a"]},
    ],
)
def test_malformed_reports_are_refused(cast, key, changes):
    alpha, beta = enrol(key, "alpha"), enrol(key, "beta")
    with pytest.raises(WireError):
        report_event(node_of(alpha), report(beta.id, **changes))
    assert rows(cast.org_a) == []
