"""Sign-in to the admin: the same check, and the same lock, as everywhere else."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from apps.auth.errors import AccountLocked, InvalidCredentials
from apps.auth.models import User
from apps.auth.services import verify_login


class LockingBackend(ModelBackend):
    """Rights as Django's own; a locked or unknown account simply fails."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **more: Any,
    ) -> User | None:
        if not username or not password:
            return None
        address = getattr(request, "client_address", None)
        try:
            return verify_login(email=username, password=password, address=address)
        except (InvalidCredentials, AccountLocked):
            return None
