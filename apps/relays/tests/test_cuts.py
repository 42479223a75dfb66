"""Who loses the relays at once, and what the list tells strangers: nothing that they do not know."""

import json
import time

import jwt
import pytest
from django.db import transaction
from django.utils import timezone

from apps.core.api.signing import key_set
from apps.machines.changes import touch
from apps.machines.models import Machine
from apps.machines.tests.agents import Keys, admin, auth_key, code, enrol
from apps.relays.models import RelayCut
from relay.claims import Claims, TokenRefused
from relay.control import CutList
from relay.tokens import TokenVerifier
from tests.cast import ApiClient
from wire.relay import cut_id

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent(cast):
    return enrol(auth_key(cast.alice, cast.org_a)["key"])


def fetch(**headers):
    return ApiClient().get("/api/derp-cuts", headers=headers)


def listed():
    """The list as a relay reads it."""
    verifier = TokenVerifier(region="blr1")
    verifier.load(json.dumps(key_set()).encode())
    cuts = CutList(verifier)
    cuts.read(fetch().json()["data"]["signed"], time.time())
    return cuts


def claims(cast, agent, issued_at=None):
    issued_at = int(time.time()) if issued_at is None else issued_at
    return Claims(agent.keys.disco, str(cast.org_a.pk), 0.0, issued_at)


@pytest.mark.parametrize("action", ["quarantine", "disable", "delete"])
def test_a_stopped_machine_is_cut_and_its_tokens_are_void(cast, agent, action):
    token = claims(cast, agent)
    assert not listed().refuses(token)
    assert admin(cast.alice, action, agent).status_code == 200
    assert listed().refuses(token)


def test_a_locked_machine_is_cut(cast, agent):
    token = claims(cast, agent)
    machine = Machine.objects.for_org(cast.org_a).get()
    machine.locked = True
    machine.save()
    with transaction.atomic():
        touch(cast.org_a, changed=[machine])
    assert listed().refuses(token)


def test_a_token_from_after_the_cut_is_good(cast, agent):
    token = claims(cast, agent)
    admin(cast.alice, "quarantine", agent)
    admin(cast.alice, "unquarantine", agent)
    assert listed().refuses(token)
    assert not listed().refuses(claims(cast, agent, int(time.time()) + 1))


def test_machines_of_the_same_key_elsewhere_and_other_changes_cut_nobody(cast, agent):
    keys = Keys(disco=agent.keys.disco)
    twin = enrol(auth_key(cast.charlie, cast.org_b)["key"], keys=keys)
    admin(cast.charlie, "quarantine", twin)
    admin(cast.alice, "rename", agent, name="beta")
    assert not listed().refuses(claims(cast, agent))


def test_a_refused_change_cuts_nobody(cast, agent):
    assert admin(cast.charlie, "quarantine", agent).status_code == 404
    assert not RelayCut.objects.exists()


def test_a_suspended_organisation_is_cut_with_all_its_machines(
    cast, agent, django_capture_on_commit_callbacks
):
    assert agent.heartbeat().status_code == 200
    token = claims(cast, agent)
    cast.org_a.suspended_at = timezone.now()
    with django_capture_on_commit_callbacks(execute=True):
        cast.org_a.save()
    assert listed().refuses(token)
    assert code(agent.heartbeat()) == (401, "INVALID_NODE_KEY")
    assert RelayCut.objects.get().digest == cut_id(str(cast.org_a.pk))


def test_the_list_names_nobody_to_strangers(cast, agent):
    admin(cast.alice, "quarantine", agent)
    signed = fetch().json()["data"]["signed"]
    text = json.dumps(jwt.decode(signed, options={"verify_signature": False}))
    for secret in (agent.id, str(cast.org_a.pk), agent.name, agent.answer["wg_public_key"]):
        assert secret not in text
    assert agent.keys.fields()["disco_public_key"] not in text


def test_the_same_list_is_not_sent_twice_and_a_new_one_at_once(cast, agent):
    known = fetch()["ETag"]
    assert fetch(**{"If-None-Match": known}).status_code == 304
    admin(cast.alice, "quarantine", agent)
    assert fetch(**{"If-None-Match": known}).status_code == 200


def test_what_has_outlived_every_token_is_forgotten(cast, agent):
    RelayCut.objects.create(digest="x" * 22, not_before=int(time.time()) - 3600)
    assert len(listed()) == 0
    admin(cast.alice, "quarantine", agent)
    assert not RelayCut.objects.filter(digest="x" * 22).exists()


def test_a_relay_takes_no_other_word_of_the_control_plane_for_a_list(cast, agent):
    verifier = TokenVerifier(region="blr1")
    verifier.load(json.dumps(key_set()).encode())
    answer = agent.client.call("/api/derp-relay", {"action": "token", "region": "blr1"})
    with pytest.raises(TokenRefused):
        CutList(verifier).read(answer.json()["data"]["relay_token"], time.time())
