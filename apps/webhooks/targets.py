"""Addresses that a webhook may name."""

import ipaddress
from urllib.parse import urlsplit

from django.conf import settings

from apps.core.errors import InvalidInput
from apps.core.outward import Refused, check_public

MAX_URL = 2000


def parse_target(url: str) -> str:
    """The address as it is kept; raises InvalidInput.

    Where a name leads is judged when it is called: it may lead elsewhere by then.
    """
    if not url.isascii() or not url.isprintable() or " " in url:
        raise _invalid("only printable ASCII; write other characters encoded")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _invalid("not an address") from None
    if parts.scheme != "https":
        raise _invalid("must begin with https://")
    if not host or port == 0:
        raise _invalid("not an address")
    if parts.username is not None or parts.password is not None:
        raise _invalid("must not hold a user name or password")
    if parts.fragment:
        raise _invalid("must not hold a fragment")
    try:
        check_public([str(ipaddress.ip_address(host))], allowed=settings.WEBHOOK_NETWORKS)
    except ValueError:
        pass  # a name
    except Refused as refusal:
        raise _invalid(str(refusal)) from None
    return url


def host_of(url: str) -> str:
    """The part that everybody who reads the trail may see."""
    return urlsplit(url).hostname or ""


def _invalid(problem: str) -> InvalidInput:
    return InvalidInput(f"url: {problem}", field="url")
