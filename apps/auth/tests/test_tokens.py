"""Access tokens: only ours, for people, in time, of a living session."""

import base64
import hmac
import json
from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils import timezone

from apps.auth import keyring
from apps.auth.sessions import access_token
from apps.core.api import signing
from tests.cast import ApiClient

pytestmark = pytest.mark.django_db


def status(token):
    return ApiClient(token).get("/api/auth/me").status_code


@pytest.fixture
def claims(cast):
    return jwt.decode(access_token(cast.alice.session), options={"verify_signature": False})


@pytest.fixture
def kid(cast):
    return jwt.get_unverified_header(access_token(cast.alice.session))["kid"]


def own(claims, kid, **changed):
    header = {"kid": kid, "typ": changed.pop("typ", "at+jwt")}
    return jwt.encode({**claims, **changed}, keyring.current()[1], algorithm="ES256", headers=header)


def hs256(claims, header, secret):
    """PyJWT refuses to sign with a public key; an attacker does it by hand."""
    parts = ({**header, "alg": "HS256"}, claims)
    text = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    tag = base64.urlsafe_b64encode(hmac.digest(secret, text, "sha256")).rstrip(b"=")
    return b".".join((text, tag)).decode()


def test_a_good_token_is_es256_and_lives_an_hour(claims, kid):
    token = own(claims, kid)
    assert status(token) == 200
    assert jwt.get_unverified_header(token)["alg"] == "ES256"
    assert claims["exp"] - claims["iat"] == 3600


def test_forgeries_are_refused(claims, kid):
    unsigned = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": kid, "typ": "at+jwt"}).encode())
    body = base64.urlsafe_b64encode(json.dumps(claims).encode())
    assert status(f"{unsigned.decode().rstrip('=')}.{body.decode().rstrip('=')}.") == 401
    public = keyring.public()[kid].public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header = {"kid": kid, "typ": "at+jwt"}
    for secret in (public, base64.b64encode(public)):
        assert status(hs256(claims, header, secret)) == 401
    foreign = ec.generate_private_key(ec.SECP256R1())
    assert status(jwt.encode(claims, foreign, algorithm="ES256", headers=header)) == 401
    assert status(own(claims, "another-kid")) == 401


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "somebody"},
        {"aud": "quickztna-machine"},
        {"aud": "quickztna-relay"},
        {"typ": "JWT"},
        {"exp": 1_700_000_000},
        {"sid": "not-a-uuid"},
        {"sub": "00000000-0000-4000-8000-000000000000"},
    ],
    ids=str,
)
def test_tokens_for_another_purpose_are_refused(claims, kid, changed):
    assert status(own(claims, kid, **changed)) == 401


def test_tokens_from_before_the_password_change_are_refused(cast, claims, kid):
    user = cast.alice.user
    user.sessions_valid_after = timezone.now() + timedelta(seconds=1)
    user.save()
    assert status(own(claims, kid)) == 401


def test_rotation_keeps_old_tokens_good_and_signs_with_the_new_key(cast, django_capture_on_commit_callbacks):
    old = access_token(cast.alice.session)
    with django_capture_on_commit_callbacks(execute=True):
        kid = keyring.rotate()
    new = access_token(cast.alice.session)
    assert jwt.get_unverified_header(new)["kid"] == kid != jwt.get_unverified_header(old)["kid"]
    assert (status(old), status(new)) == (200, 200)
    published = ApiClient().get("/.well-known/jwks.json").json()
    assert {key["kid"] for key in published["keys"]} == set(signing._keyring[0].public())
    assert not any("d" in key for key in published["keys"])
