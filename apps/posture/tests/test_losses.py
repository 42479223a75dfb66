"""Which verdicts may take peers away: those alone are a reason for a map that does."""

import pytest

from apps.machines.models import NetmapChange
from apps.posture.tests.calls import HEALTHY, add_policy, report

pytestmark = pytest.mark.django_db


def marked(cast, agent):
    """Whether a change of the machine is on record that it may have lost peers by."""
    return NetmapChange.objects.for_org(cast.org_a).filter(machine_id=agent.id, rights=True).exists()


def test_a_bad_verdict_may_and_a_good_one_may_not(cast, pair):
    sound, sick = pair
    assert not any(marked(cast, agent) for agent in pair), "first reports, and a mode in which all are good"
    add_policy(cast.alice, cast.org_a, require_firewall=True, on_fail="warn")
    assert marked(cast, sick)
    NetmapChange.objects.for_org(cast.org_a).update(rights=False)
    report(sick, **HEALTHY)
    assert not marked(cast, sick)
    report(sound)
    assert marked(cast, sound)
