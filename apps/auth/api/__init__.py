"""Every call of this app; importing a module declares its calls."""

from apps.auth.api import account, keys, programs, signin  # noqa: F401
