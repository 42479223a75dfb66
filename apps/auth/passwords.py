"""What a password must be, and checking one without telling whether the account exists."""

import unicodedata
from threading import BoundedSemaphore

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import CommonPasswordValidator, UserAttributeSimilarityValidator
from django.core.exceptions import ValidationError

from apps.auth.models import User
from apps.core.errors import InvalidInput

SHORTEST, LONGEST = 8, 128
VALIDATORS = (CommonPasswordValidator(), UserAttributeSimilarityValidator(("email", "full_name")))
# Each hash takes 100 MB for a moment: a flood of sign-ins queues instead of using all memory.
_hashing = BoundedSemaphore(4)


def normalised(password: str) -> str:
    """One form for passwords that look the same (RFC 8265, OpaqueString)."""
    return unicodedata.normalize("NFC", password)


def check_strength(password: str, user: User) -> str:
    """The normalised password; raises InvalidInput if it is short, long, common or like the account."""
    password = normalised(password)
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidInput(f"password: needs {SHORTEST} to {LONGEST} characters", field="password")
    if "quickztna" in password.lower():
        raise InvalidInput("password: must not contain the product's name", field="password")
    for validator in VALIDATORS:
        try:
            validator.validate(password, user)
        except ValidationError as problem:
            raise InvalidInput(f"password: {problem.messages[0]}", field="password") from None
    return password


def password_fits(user: User | None, password: str) -> bool:
    """Whether it is the user's password; an unknown user costs the same time."""
    password = normalised(password)[: LONGEST + 1]
    with _hashing:
        if user is None or not user.has_usable_password():
            make_password(password)
            return False
        return user.check_password(password)


def set_password(user: User, password: str) -> None:
    """Hash and store."""
    with _hashing:
        user.set_password(password)
