"""Failed sign-ins: ten in five minutes lock an account for the network they came from.

Counting by account and network keeps a stranger from locking the owner out; a hundred failures in a
row from anywhere stop the account until its password is reset by the host's administrator.
"""

import hashlib
import time

from django.core.cache import cache
from django.db.models import F

from apps.auth.errors import AccountLocked
from apps.auth.models import User
from apps.core.addresses import network_of

MOST_FAILURES, WINDOW_SECONDS, LOCK_SECONDS = 10, 300, 900
HARD_STOP = 100


def check_lock(email: str, address: str | None, user: User | None) -> None:
    """Raise AccountLocked with `retry_after`."""
    until = cache.get(_key("lock", email, address))
    if until is not None and until > time.time():
        raise AccountLocked(retry_after=int(until - time.time()) + 1)
    if user is not None and user.failed_logins >= HARD_STOP:
        raise AccountLocked(
            "This account is stopped after too many failed sign-ins", retry_after=LOCK_SECONDS
        )


def count_failure(email: str, address: str | None) -> None:
    """Count one; the tenth locks and raises AccountLocked. Unknown accounts are counted alike."""
    key = _key("failures", email, address)
    cache.add(key, 0, timeout=WINDOW_SECONDS)
    try:
        failures = cache.incr(key)
    except ValueError:  # it lapsed between the two calls
        failures = 1
    User.objects.filter(email=email).update(failed_logins=F("failed_logins") + 1)
    if failures >= MOST_FAILURES:
        cache.set(_key("lock", email, address), time.time() + LOCK_SECONDS, timeout=LOCK_SECONDS)
        cache.delete(key)
        raise AccountLocked(retry_after=LOCK_SECONDS)


def forget_failures(email: str, address: str | None) -> None:
    """After a good sign-in."""
    cache.delete(_key("failures", email, address))
    User.objects.filter(email=email).exclude(failed_logins=0).update(failed_logins=0)


def _key(kind: str, email: str, address: str | None) -> str:
    subject = f"{email}|{network_of(address, 24, 48)}"
    return f"login:{kind}:{hashlib.sha256(subject.encode()).hexdigest()}"
