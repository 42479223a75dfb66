"""TLS by pyOpenSSL: the backend where Python's own OpenSSL is older than 3.5.

The wheels of cryptography bring a recent OpenSSL, with the hybrid group and twice the speed. The
fast session reuses buffers through pyOpenSSL's private cffi functions; where a release lacks one of
them, the session on public methods does the same at half the speed.
"""

import contextlib
import ipaddress
from pathlib import Path
from typing import Any, Final

from OpenSSL import SSL

from relay.tls.session import (
    HYBRID_GROUP,
    INBOX_BYTES,
    MAX_KEPT_BYTES,
    OUTBOX_BYTES,
    PLAIN_BYTES,
    RECORD_BYTES,
    TlsError,
    TlsSession,
    TlsUnavailable,
)

try:
    from OpenSSL._util import ffi, lib
except ImportError:
    ffi = lib = None

HYBRID_OPENSSL: Final = 0x3050000F
_FAST: Final = (
    "BIO_new_mem_buf", "BIO_set_mem_eof_return", "BIO_read", "SSL_set_bio", "SSL_clear_mode", "SSL_read",
    "SSL_write", "SSL_get_error", "ERR_clear_error",
)  # fmt: skip
_FAST_FIELDS: Final = ("_ssl", "_from_ssl")
# SSL_ERROR_* of openssl/ssl.h.
_WANT_READ: Final = 2
_ZERO_RETURN: Final = 6
# Two records at a time: the BIO of each connection keeps the size of its largest burst for ever.
_CHUNK_BYTES: Final = 2 * RECORD_BYTES
_NO_PARTIAL_WILDCARDS: Final = 0x4
_NEVER_THE_SUBJECT: Final = 0x20


class PyOpenSSLContext:
    """relay.tls.session.TlsContext on OpenSSL.SSL.Context; fast None is: where it can be."""

    def __init__(self, context: SSL.Context, *, require_hybrid: bool, fast: bool | None = None) -> None:
        if require_hybrid and SSL.OPENSSL_VERSION_NUMBER < HYBRID_OPENSSL:
            raise TlsUnavailable(f"{HYBRID_GROUP} needs OpenSSL 3.5")
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        # Idle connections hold no record buffers.
        context.set_mode(getattr(lib, "SSL_MODE_RELEASE_BUFFERS", 0x10))
        self.context, self.require_hybrid = context, require_hybrid
        inbox, plain, outbox = (bytearray(size) for size in (INBOX_BYTES, PLAIN_BYTES, OUTBOX_BYTES))
        self.inbox, self.plain, self.outbox = memoryview(inbox), memoryview(plain), memoryview(outbox)
        self.fast = all(hasattr(lib, name) for name in _FAST) if fast is None else fast
        if self.fast:
            self.inbox_pointer = ffi.from_buffer("char[]", inbox)
            self.plain_pointer = ffi.cast("char *", ffi.from_buffer("char[]", plain))
            self.outbox_pointer = ffi.cast("char *", ffi.from_buffer("char[]", outbox))

    @classmethod
    def server(
        cls, certificate: Path, private_key: Path, *, require_hybrid: bool = False, fast: bool | None = None
    ) -> "PyOpenSSLContext":
        """A relay's end."""
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate_chain_file(str(certificate))
        context.use_privatekey_file(str(private_key))
        context.check_privatekey()
        return cls(context, require_hybrid=require_hybrid, fast=fast)

    @classmethod
    def client(cls, ca_file: str | None, *, fast: bool | None = None) -> "PyOpenSSLContext":
        """A machine's end; ca_file replaces the system's authorities."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        if ca_file is None:
            context.set_default_verify_paths()
        else:
            context.load_verify_locations(ca_file)
        context.set_verify(SSL.VERIFY_PEER)
        return cls(context, require_hybrid=False, fast=fast)

    def session(self, host: str | None = None) -> TlsSession:
        """See TlsContext."""
        connection = SSL.Connection(self.context, None)
        if host is None:
            connection.set_accept_state()
        else:
            _demand_name(connection, host)
            connection.set_connect_state()
        fast = self.fast and all(hasattr(connection, name) for name in _FAST_FIELDS)
        return (_FastSession if fast else _Session)(self, connection)


def _demand_name(connection: Any, host: str) -> None:
    """Have OpenSSL check the certificate's name (RFC 9525); pyOpenSSL has no public way."""
    try:
        parameters = lib.SSL_get0_param(connection._ssl)
        lib.X509_VERIFY_PARAM_set_hostflags(parameters, _NO_PARTIAL_WILDCARDS | _NEVER_THE_SUBJECT)
        try:
            packed = ipaddress.ip_address(host).packed
        except ValueError:
            name = host.encode("idna")
            connection.set_tlsext_host_name(name)
            done = lib.X509_VERIFY_PARAM_set1_host(parameters, name, len(name))
        else:
            done = lib.X509_VERIFY_PARAM_set1_ip(parameters, packed, len(packed))
    except AttributeError:
        raise TlsUnavailable("this pyOpenSSL cannot check the name of a certificate") from None
    if done != 1:
        raise TlsError(f"not a host name: {host}")


class _Session:
    """A session on pyOpenSSL's public methods."""

    def __init__(self, context: PyOpenSSLContext, connection: Any) -> None:
        self._context, self._connection = context, connection
        self.established = self.ended = False

    @property
    def group(self) -> str | None:
        return self._connection.get_group_name() if self.established else None

    def receive(self, count: int, kept: bytes = b"") -> memoryview:
        at = len(kept)
        plain = self._context.plain
        plain[:at] = kept
        try:
            if count:
                self._connection.bio_write(self._context.inbox[:count])
            if not self.established:
                self._shake_hands()
            while True:
                got = self._connection.recv(RECORD_BYTES)
                plain[at : at + len(got)] = got
                at += len(got)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.ended = True
        except SSL.Error as error:
            raise TlsError(_reason(error)) from None
        return plain[:at]

    def send(self, plaintext: bytes) -> memoryview:
        view = memoryview(plaintext)
        while view:
            try:
                view = view[self._connection.send(view) :]
            except SSL.Error as error:
                raise TlsError(_reason(error)) from None
        return memoryview(self.outgoing())

    def outgoing(self) -> bytes:
        parts = []
        with contextlib.suppress(SSL.WantReadError, SSL.ZeroReturnError):
            while True:
                parts.append(self._connection.bio_read(OUTBOX_BYTES))
        return b"".join(parts)

    def close(self) -> None:
        with contextlib.suppress(SSL.Error):
            self._connection.shutdown()

    def _shake_hands(self) -> None:
        self._connection.do_handshake()
        self.established = True
        if self._context.require_hybrid and self.group != HYBRID_GROUP:
            raise TlsError(f"the peer does not offer {HYBRID_GROUP}")


class _FastSession(_Session):
    """The same with no allocation and one copy less each way, once the handshake is done."""

    def __init__(self, context: PyOpenSSLContext, connection: Any) -> None:
        super().__init__(context, connection)
        self._ssl, self._from = connection._ssl, connection._from_ssl
        # Without partial writes one call encrypts all that it is given: a memory BIO never blocks.
        lib.SSL_clear_mode(self._ssl, lib.SSL_MODE_ENABLE_PARTIAL_WRITE)

    def receive(self, count: int, kept: bytes = b"") -> memoryview:
        if not self.established:
            return super().receive(count, kept)
        context, ssl = self._context, self._ssl
        at = len(kept)
        assert at <= MAX_KEPT_BYTES
        context.plain[:at] = kept
        # OpenSSL reads the inbox itself. It takes all there is before it asks for more, so that
        # nothing is left in the BIO that this one replaces (and frees).
        bio = lib.BIO_new_mem_buf(context.inbox_pointer, count)
        lib.BIO_set_mem_eof_return(bio, -1)
        lib.SSL_set_bio(ssl, bio, self._from)
        read, pointer = lib.SSL_read, context.plain_pointer
        while (got := read(ssl, pointer + at, RECORD_BYTES)) > 0:
            at += got
        outcome = lib.SSL_get_error(ssl, got)
        if outcome == _ZERO_RETURN:
            self.ended = True
        elif outcome != _WANT_READ:
            lib.ERR_clear_error()
            raise TlsError("broken record")
        return context.plain[:at]

    def send(self, plaintext: bytes) -> memoryview:
        ssl, bio, pointer = self._ssl, self._from, self._context.outbox_pointer
        source = ffi.cast("char *", ffi.from_buffer(plaintext))
        done, filled, total = 0, 0, len(plaintext)
        while done < total:
            wrote = lib.SSL_write(ssl, source + done, min(_CHUNK_BYTES, total - done))
            if wrote <= 0:
                lib.ERR_clear_error()
                raise TlsError("the session is closed")
            done += wrote
            filled += lib.BIO_read(bio, pointer + filled, OUTBOX_BYTES - filled)
        return self._context.outbox[:filled]


def _reason(error: SSL.Error) -> str:
    """OpenSSL's words for the first error, or what stands for them."""
    entries = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return str(entries[0][-1]) if entries else (str(error) or type(error).__name__)
