"""The list of cut machines in the relay: forged, old, repeated and false ones undo nothing."""

import os
import time

import pytest

from relay.claims import Claims, TokenRefused
from relay.control import CutList, cuts_url
from relay.tokens import TokenVerifier
from tests.relay.signer import Signer
from wire.numbers import RELAY_TOKEN_AUDIENCE
from wire.relay import CUTS_AUDIENCE, MAX_CUTS, cut_id

KEY = os.urandom(32)
NOW = int(time.time())


@pytest.fixture
def control():
    return Signer()


@pytest.fixture
def cuts(control):
    verifier = TokenVerifier(region="test1")
    verifier.load(control.jwks().encode())
    return CutList(verifier)


def signed(control, cuts, **options):
    return control.sign({"sub": "version", "cuts": cuts}, **{"audience": CUTS_AUDIENCE, **options})


def claims(issued_at=NOW, key=KEY, org="org-a"):
    return Claims(key, org, 0.0, issued_at)


def test_a_cut_voids_older_tokens_of_that_machine_only(control, cuts):
    assert cuts.read(signed(control, {cut_id("org-a", KEY): NOW}), NOW)
    assert cuts.refuses(claims())
    assert not cuts.refuses(claims(NOW + 1))
    assert not cuts.refuses(claims(key=os.urandom(32)))
    assert not cuts.refuses(claims(org="org-b"))


def test_a_cut_organisation_takes_all_its_machines_along(control, cuts):
    cuts.read(signed(control, {cut_id("org-a"): NOW}), NOW)
    assert cuts.refuses(claims(key=os.urandom(32)))
    assert not cuts.refuses(claims(org="org-b"))


def test_an_older_list_played_again_undoes_nothing(control, cuts):
    empty = signed(control, {})
    cuts.read(signed(control, {cut_id("org-a", KEY): NOW}), NOW)
    assert not cuts.read(empty, NOW)
    assert not cuts.read(signed(control, {cut_id("org-a", KEY): NOW - 60}), NOW)
    assert cuts.refuses(claims())


def test_a_cut_lapses_with_the_last_token_that_it_voids(control, cuts):
    cuts.read(signed(control, {cut_id("org-a", KEY): NOW}), NOW)
    cuts.read(signed(control, {}), NOW + 900)
    assert cuts.refuses(claims())
    cuts.read(signed(control, {}), NOW + 961)
    assert len(cuts) == 0


@pytest.mark.parametrize(
    "document",
    [
        lambda control: signed(Signer(), {cut_id("org-a", KEY): NOW}),  # another's key
        lambda control: signed(control, {cut_id("org-a", KEY): NOW}, audience=RELAY_TOKEN_AUDIENCE),
        lambda control: signed(control, {cut_id("org-a", KEY): NOW}, life=-3600),
        lambda control: signed(control, {cut_id("org-a", KEY): NOW})[:-4] + "AAAA",
        lambda control: signed(control, [cut_id("org-a", KEY)]),
        lambda control: signed(control, {cut_id("org-a", KEY): "now"}),
        lambda control: signed(control, {cut_id("org-a", KEY): True}),
        lambda control: signed(control, {str(number): NOW for number in range(MAX_CUTS + 1)}),
        lambda control: control.token(KEY, regions=["test1"]),
        lambda control: "",
    ],
    ids=["forged", "audience", "expired", "signature", "array", "text", "boolean", "long", "token", "empty"],
)
def test_what_is_no_list_cuts_nobody(control, cuts, document):
    with pytest.raises(TokenRefused):
        cuts.read(document(control), NOW)
    assert not cuts.refuses(claims())


def test_a_void_token_does_not_register(control, cuts):
    token = control.token(KEY, regions=["test1"])
    assert cuts.verify(token, 0.0).key == KEY
    cuts.read(signed(control, {cut_id("org-a", KEY): int(time.time())}), NOW)
    with pytest.raises(TokenRefused):
        cuts.verify(token, 0.0)


def test_the_list_is_where_the_keys_are():
    assert cuts_url("https://ztna.example/.well-known/jwks.json") == "https://ztna.example/api/derp-cuts"
    assert cuts_url("/etc/relay/jwks.json") is None
