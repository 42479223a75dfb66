"""TLS 1.3 for relay and client, hybrid post-quantum wherever some OpenSSL 3.5 is at hand.

Python's own ssl serves where it has OpenSSL 3.5; elsewhere pyOpenSSL brings one along.
"""

import ssl
from pathlib import Path

from relay.tls.pyopenssl import PyOpenSSLContext
from relay.tls.session import HYBRID_GROUP, TlsContext, TlsError, TlsSession, TlsUnavailable
from relay.tls.stdlib import StdlibContext

__all__ = [
    "HYBRID_GROUP", "TlsContext", "TlsError", "TlsSession", "TlsUnavailable", "client_context",
    "server_context",
]  # fmt: skip


def server_context(certificate: Path, private_key: Path, *, require_hybrid: bool = False) -> TlsContext:
    """A relay's end. require_hybrid refuses every other group; TlsUnavailable where that cannot be."""
    if require_hybrid or not _recent():
        # Only pyOpenSSL can tell which group a handshake took, so only there it can be required.
        return PyOpenSSLContext.server(certificate, private_key, require_hybrid=require_hybrid)
    return StdlibContext.server(certificate, private_key)


def client_context(ca_file: str | None) -> TlsContext:
    """A machine's end; ca_file (PEM) replaces the system's authorities."""
    return StdlibContext.client(ca_file) if _recent() else PyOpenSSLContext.client(ca_file)


def _recent() -> bool:
    return ssl.OPENSSL_VERSION_INFO >= (3, 5)
