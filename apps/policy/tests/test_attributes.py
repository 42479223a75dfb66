"""An attribute policy is tried before it is made: what it asks for, and whether a source has it."""

import pytest

from apps.policy.models import AbacPolicy
from apps.policy.tests.calls import act

pytestmark = pytest.mark.django_db
NOON, MIDNIGHT = "2026-01-05T12:00:00Z", "2026-01-05T00:00:00Z"


def attempt(person, org, conditions, status=200, **sample):
    policy = {"effect": "require", "selector": "*", "conditions": conditions}
    return act(person, org, "abac", "test", status, policy=policy, sample=sample)


@pytest.mark.parametrize(
    ("conditions", "good", "bad"),
    [
        ({"country": ["DE"]}, {"country": "de"}, {"country": "FR"}),
        ({"os": ["linux"]}, {"os": "linux"}, {}),
        ({"tags": ["prod"]}, {"tags": ["tag:prod"]}, {"tags": ["dev"]}),
        ({"roles": ["admin"]}, {"role": "admin"}, {"role": "member"}),
        ({"posture": "compliant"}, {"posture": True}, {"posture": False}),
        ({"network": ["192.0.2.0/24"]}, {"address": "192.0.2.7"}, {"address": "198.51.100.1"}),
        ({"time_hour": "09-18"}, {"at": NOON}, {"at": MIDNIGHT}),
    ],
)
def test_each_attribute_is_judged(cast, conditions, good, bad):
    for sample, met in ((good, True), (bad, False)):
        told = attempt(cast.bob, cast.org_a, conditions, **sample)
        assert told["met"] is met
        assert list(told["conditions"].values()) == [met]
    assert not AbacPolicy.objects.for_org(cast.org_a).exists()


def test_all_must_hold_and_nonsense_and_strangers_are_refused(cast):
    asked = {"country": ["DE"], "os": ["linux"]}
    told = attempt(cast.bob, cast.org_a, asked, country="DE", os="windows")
    assert told == {"met": False, "conditions": {"country": True, "os": False}}
    assert attempt(cast.bob, cast.org_a, {"mood": "good"}, 400)["code"] == "VALIDATION_ERROR"
    assert attempt(cast.charlie, cast.org_a, asked, 403)["code"] == "FORBIDDEN"
