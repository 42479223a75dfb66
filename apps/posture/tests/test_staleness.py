"""Reports that are not renewed: seen by whoever looks, told once a day, and judged no otherwise."""

from datetime import timedelta

import pytest
from django.test import TestCase
from django.utils import timezone

from apps.audit.models import AuditLog
from apps.core.realtime import last_seq, missed_events
from apps.machines.models import Machine
from apps.machines.tests.agents import auth_key, enrol
from apps.posture.models import PostureHistory, PostureReport
from apps.posture.tasks import tell_of_stale_reports
from apps.posture.tests.calls import HEALTHY, add_policy, data, report, rows, status

pytestmark = pytest.mark.django_db


def run_job():
    with TestCase.captureOnCommitCallbacks(execute=True):
        return tell_of_stale_reports()


def age(agent, **span):
    """As if time had passed since its report, and since browsers were told of it."""
    row = PostureReport.all_orgs.get(machine_id=agent.id)
    row.reported_at -= timedelta(**span)
    if row.stale_told_at is not None:
        row.stale_told_at -= timedelta(**span)
    row.save(update_fields=["reported_at", "stale_told_at"])


def stale(cast, person=None, **query):
    found = rows(person or cast.bob, cast.org_a, "posture_reports", **query)
    return {row["machine_id"]: row["stale"] for row in found}


def told(cast, seq, org=None):
    events = missed_events((org or cast.org_a).pk, seq, {"posture"})
    return [(event["payload"]["machine_id"], event["payload"]["stale"]) for event in events]


def test_an_online_machine_s_old_report_is_told_of_once_a_day(cast, pair):
    sound, sick = pair
    age(sick, hours=23, minutes=59)
    assert run_job() == {"reports": 0}
    seq = last_seq(cast.org_a.pk)
    age(sick, minutes=2)
    # Nobody waits for the job to see it.
    assert stale(cast) == {sound.id: False, sick.id: True}
    assert stale(cast, stale="eq.true", select="machine_id,stale") == {sick.id: True}
    assert run_job() == {"reports": 1}
    assert run_job() == {"reports": 0}
    assert told(cast, seq) == [(sick.id, True)]
    age(sick, hours=23)
    assert run_job() == {"reports": 0}
    age(sick, hours=1)
    assert run_job() == {"reports": 1}


def test_no_verdict_changes(cast, pair):
    for agent in pair:
        age(agent, days=3)
    add_policy(cast.alice, cast.org_a)
    before = list(PostureReport.objects.for_org(cast.org_a).order_by("pk").values("compliant", "effect"))
    states = [status(cast, agent) for agent in pair]
    points = PostureHistory.objects.for_org(cast.org_a).count()
    entries = AuditLog.objects.for_org(cast.org_a).count()
    # The one that is quarantined is not online: what it says is old and has no effect.
    assert run_job() == {"reports": 1}
    after = list(PostureReport.objects.for_org(cast.org_a).order_by("pk").values("compliant", "effect"))
    assert (after, [status(cast, agent) for agent in pair]) == (before, states)
    assert PostureHistory.objects.for_org(cast.org_a).count() == points
    assert AuditLog.objects.for_org(cast.org_a).count() == entries


def test_a_new_report_is_fresh_and_ages_anew(cast, pair):
    sound = pair[0]
    age(sound, days=2)
    assert run_job() == {"reports": 1}
    seq = last_seq(cast.org_a.pk)
    data(report(sound, **HEALTHY))
    assert told(cast, seq) == [(sound.id, False)]
    assert stale(cast)[sound.id] is False
    data(report(sound, **HEALTHY))
    assert len(told(cast, seq)) == 1
    age(sound, hours=25)
    assert run_job() == {"reports": 1}


def test_who_looked_before_the_job_did_hears_of_a_new_report_too(cast, pair):
    sound = pair[0]
    age(sound, hours=25)
    assert stale(cast)[sound.id] is True
    seq = last_seq(cast.org_a.pk)
    data(report(sound, **HEALTHY))
    assert told(cast, seq) == [(sound.id, False)]


def test_who_is_away_is_not_stale_and_other_organisations_hear_nothing(cast, pair):
    theirs = enrol(auth_key(cast.charlie, cast.org_b)["key"])
    data(theirs.heartbeat())
    data(report(theirs))
    age(theirs, days=2)
    age(pair[0], days=2)
    Machine.objects.for_org(cast.org_a).update(status="offline")
    seqs = last_seq(cast.org_a.pk), last_seq(cast.org_b.pk)
    assert run_job() == {"reports": 1}
    assert told(cast, seqs[0]) == []
    assert told(cast, seqs[1], cast.org_b) == [(theirs.id, True)]
    assert not any(stale(cast).values())
    assert PostureReport.objects.for_org(cast.org_a).exclude(stale_told_at=None).count() == 0
    assert PostureReport.objects.for_org(cast.org_b).get().stale_told_at <= timezone.now()
