"""The organisation's emergency stop: everything is denied at once, and only on purpose."""

import pytest

from apps.machines.tests.agents import auth_key, enrol
from apps.policy.tests.calls import act, data, evaluate, trail
from wire.netmap import Netmap

pytestmark = pytest.mark.django_db


@pytest.fixture
def pair(cast):
    key = auth_key(cast.alice, cast.org_a, reusable=True)["key"]
    return enrol(key, name="alpha"), enrol(key, name="beta")


def lock(cast, on, person=None, status=200, org=None, **values):
    org = org or cast.org_a
    values = {"confirm": org.slug, "lockdown_mode": on, **values}
    return act(person or cast.alice, org, "org-management", "update_org_settings", status, **values)


def lines_of(machine):
    return Netmap.from_json(data(machine.heartbeat())).packet_filter.chains


def test_a_locked_organisation_passes_nothing(cast, pair):
    assert lines_of(pair[1])
    assert lock(cast, True)["settings"]["lockdown_mode"] is True
    told = evaluate(cast.bob, cast.org_a, *pair, port=443)
    assert (told["allowed"], told["reason"]) == (False, "lockdown")
    assert not any(lines_of(machine) for machine in pair)
    assert act(cast.bob, cast.org_a, "org-management", "get_settings")["lockdown_mode"] is True
    lock(cast, True)  # again: nothing new
    lock(cast, False)
    assert evaluate(cast.bob, cast.org_a, *pair, port=443)["allowed"]
    assert lines_of(pair[1])
    actions = [action for action, _ in trail(cast.org_a, "org.lock")]
    assert actions == ["org.locked_down", "org.lockdown_lifted"]


def test_it_takes_an_administrator_who_means_it(cast, pair):
    assert lock(cast, True, cast.bob, 403)["code"] == "FORBIDDEN"
    assert lock(cast, True, cast.charlie, 403)["code"] in ("FORBIDDEN", "NOT_FOUND")
    assert lock(cast, True, status=400, confirm="org")["code"] == "CONFIRMATION_REQUIRED"
    assert lock(cast, "perhaps", status=400)["code"] == "INVALID_INPUT"
    assert evaluate(cast.bob, cast.org_a, *pair, port=443)["allowed"]
    lock(cast, True)
    assert lock(cast, False, status=400, confirm=None)["code"] == "CONFIRMATION_REQUIRED"
    assert not evaluate(cast.bob, cast.org_a, *pair, port=443)["allowed"]


def test_a_refused_setting_beside_it_leaves_it_as_it_was(cast, pair):
    assert lock(cast, True, status=400, key_expiry_days=0)["code"] == "INVALID_INPUT"
    assert evaluate(cast.bob, cast.org_a, *pair, port=443)["allowed"]


def test_another_organisation_is_not_concerned(cast, pair):
    lock(cast, True, cast.charlie, org=cast.org_b)
    assert evaluate(cast.bob, cast.org_a, *pair, port=443)["allowed"]
