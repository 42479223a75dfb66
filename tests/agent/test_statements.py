"""Statements about lost peers: only one that is signed, fresh and about this very loss counts."""

import base64
import dataclasses
import json

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.engine.statements import LEEWAY_SECONDS, Loss, NotProven, PinnedKeys
from tests.agent.signer import Signer
from wire.losses import STATEMENT_SECONDS, digest, massive
from wire.numbers import TOKEN_ISSUER

NOW = 1_800_000_000
LOST = ("a", "b", "c")
ASKED = Loss("m1", "o1", 7, 9, len(LOST), digest(LOST), "nonce-of-this-time")


@pytest.fixture(scope="module")
def signer():
    return Signer()


@pytest.fixture(scope="module")
def keys(signer):
    keys = PinnedKeys()
    assert keys.learn(signer.published)
    return keys


def test_a_statement_about_this_loss_gives_its_reason(signer, keys):
    assert keys.reason(signer.statement(ASKED, now=NOW), ASKED, NOW) == "lockdown"
    for late in (-LEEWAY_SECONDS, STATEMENT_SECONDS + LEEWAY_SECONDS):
        assert keys.reason(signer.statement(ASKED, now=NOW), ASKED, NOW + late) == "lockdown"


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": "m2"},
        {"org": "o2"},
        {"from": 6},
        {"to": 10},
        {"from": True},
        {"count": 2},
        {"lost": digest(("a", "b"))},
        {"nonce": "nonce-of-another-time"},
        {"aud": "quickztna-api"},
        {"iss": "somebody"},
        {"type_": "JWT"},
        {"type_": "at+jwt"},
        {"iat": None},
        {"exp": "later"},
        {"exp": NOW - LEEWAY_SECONDS - 1},
        {"iat": NOW + LEEWAY_SECONDS + 1},
    ],
    ids=str,
)
def test_a_statement_about_anything_else_proves_nothing(signer, keys, changes):
    with pytest.raises(NotProven):
        keys.reason(signer.statement(ASKED, now=NOW, **changes), ASKED, NOW)


def test_an_older_statement_is_not_taken_again(signer, keys):
    """The same loss, asked once more: the agent's nonce is another one."""
    statement = signer.statement(ASKED, now=NOW)
    with pytest.raises(NotProven):
        keys.reason(statement, dataclasses.replace(ASKED, nonce="nonce-of-the-next-time"), NOW)


def test_keys_that_are_not_pinned_prove_nothing(keys):
    stranger = Signer()
    with pytest.raises(NotProven):
        keys.reason(stranger.statement(ASKED, now=NOW), ASKED, NOW)
    assert not keys.learn(stranger.published)
    with pytest.raises(NotProven):
        keys.reason(stranger.statement(ASKED, now=NOW), ASKED, NOW)
    with pytest.raises(NotProven):
        PinnedKeys().reason(stranger.statement(ASKED, now=NOW), ASKED, NOW)


def test_a_signature_is_of_the_kind_that_was_pinned(signer, keys):
    claims = jwt.decode(signer.statement(ASKED, now=NOW), options={"verify_signature": False})
    header = {"kid": signer.kid, "typ": "map-loss+jwt"}
    forged = jwt.encode(claims, signer.jwk["x"], algorithm="HS256", headers=header)
    bare = jwt.encode(claims, None, algorithm="none", headers=header)
    for token in (forged, bare, bare + "AAAA", None, 7, "", "..", "a.b.c.d"):
        with pytest.raises(NotProven):
            keys.reason(token, ASKED, NOW)


@given(st.integers(0, 2000), st.binary(min_size=1, max_size=4), st.integers(0, 4))
def test_no_spoilt_statement_counts_and_none_breaks_the_check(at, inserted, removed):
    signer, keys = _PAIR
    whole = signer.statement(ASKED, now=NOW)
    place = at % len(whole)
    spoilt = whole[:place] + inserted.decode("latin-1") + whole[place + removed :]
    if _meaning(spoilt) != _meaning(whole):
        with pytest.raises(NotProven):
            keys.reason(spoilt, ASKED, NOW)


def _meaning(token):
    """The bytes that a token stands for: base64 has spare bits in its last character."""
    try:
        return [base64.b64decode(part + "==", altchars=b"-_", validate=True) for part in token.split(".")]
    except ValueError:
        return token


_PAIR = Signer(), PinnedKeys()
_PAIR[1].learn(_PAIR[0].published)


def test_rotated_keys_are_trusted_through_the_one_before_however_many_were_missed():
    signer, keys = Signer(), PinnedKeys()
    keys.learn(signer.published)
    for _ in range(4):
        signer.rotate()
    assert keys.learn(json.loads(json.dumps(signer.published)))
    assert keys.pins.keys() == {"k5"}
    assert keys.reason(signer.statement(ASKED, now=NOW), ASKED, NOW) == "lockdown"
    # A chain with a link missing, or one that a stranger began, leads nowhere.
    before = dict(keys.pins)
    signer.rotate()
    signer.rotate()
    assert not keys.learn(
        {**signer.published, "introductions": signer.introductions[:-2] + signer.introductions[-1:]}
    )
    stranger = Signer()
    stranger.rotate()
    assert not keys.learn(stranger.published)
    assert keys.pins == before


def test_a_key_under_a_known_name_is_not_a_known_key():
    signer, keys = Signer(), PinnedKeys()
    keys.learn(signer.published)
    swapped = Signer()
    assert swapped.kid == signer.kid
    assert not keys.learn(swapped.published)
    with pytest.raises(NotProven):
        keys.reason(swapped.statement(ASKED, now=NOW), ASKED, NOW)


@pytest.mark.parametrize("published", ["x", {"keys": "x"}, {"keys": [{}] * 21}, {"introductions": [1]}])
def test_a_document_that_is_none_is_refused(published):
    with pytest.raises(ValueError):
        PinnedKeys().learn(published)


def test_what_is_no_key_of_ours_is_left_out():
    odd = [None, {}, {"kid": "r", "kty": "RSA"}, {"kid": 1, "kty": "EC", "crv": "P-256", "x": "", "y": ""}]
    assert not PinnedKeys().learn({"keys": odd})
    keys = PinnedKeys({"k": {"kid": "k", "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}})
    token = jwt.encode(
        {"iss": TOKEN_ISSUER}, Signer().key, algorithm="ES256", headers={"kid": "k", "typ": "map-loss+jwt"}
    )
    with pytest.raises(NotProven):
        keys.reason(token, ASKED, NOW)


def test_half_of_the_peers_and_three_are_many():
    held = set("abcdef")
    assert massive(held, set("def")) == set("abc")
    assert massive(held, set("cdef")) == set()
    assert massive(set("ab"), set()) == set()
    assert massive(set("abc"), set("xyz")) == set("abc")
    assert massive(set("abcdefg"), set("defg")) == set()
