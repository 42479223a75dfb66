"""Jobs of accounts: forgetting what has lapsed, renewing the signing key."""

from datetime import timedelta

from django.utils import timezone

from apps.auth import keyring
from apps.auth.models import OneTimeToken, RefreshToken, Session, SigningKey
from apps.core.jobs import job

KEPT_ENDED = timedelta(days=7)
SIGNING_KEY_LIFE = timedelta(days=90)


@job("auth-cleanup", every_seconds=3600)
def forget_lapsed() -> dict[str, int]:
    now = timezone.now()
    codes, _ = OneTimeToken.objects.filter(expires_at__lte=now).delete()
    tokens, _ = RefreshToken.objects.filter(expires_at__lte=now).delete()
    ended, _ = Session.objects.filter(ended_at__lt=now - KEPT_ENDED).delete()
    lapsed, _ = Session.objects.filter(expires_at__lte=now).delete()
    return {"codes": codes, "tokens": tokens, "sessions": ended + lapsed}


@job("signing-key-rotation", every_seconds=86_400)
def rotate_signing_key() -> dict[str, int]:
    stale = SigningKey.objects.filter(state="active", created_at__lt=timezone.now() - SIGNING_KEY_LIFE)
    if not stale.exists():
        return {"rotated": 0}
    keyring.rotate()
    return {"rotated": 1}
