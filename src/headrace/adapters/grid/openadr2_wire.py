"""One OpenADR 2.0b request and its reply: bounded in time and size, signed if certificates are given.

Messages are made, validated against the schema and parsed by the openleadr package. Signing and checking a signature
takes some hundred milliseconds of computing, so a signed message is handled in a thread, away from the event loop that
must answer an emergency.
"""

import asyncio
import ssl
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
from openleadr.errors import FingerprintMismatch
from openleadr.messaging import create_message, parse_message, validate_xml_schema, validate_xml_signature

from headrace.adapters.grid.book import Unreadable
from headrace.adapters.grid.refusals import Why
from headrace.core import BadInput

__all__ = ["Wire", "WireSettings"]

ENTITIES: Final = (b"<!DOCTYPE", b"<!ENTITY")
"""No OpenADR message defines entities; a parser that resolved them would read the site's files for a stranger."""


class WireSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a VTN is reached."""

    url: str
    """Its address, up to and without the service's name ("https://vtn.example/OpenADR2/Simple/2.0b")."""
    timeout_s: float = 5.0
    """Longest wait for a connection, and for a reply once the request has left, seconds."""
    reply_max_bytes: int = 1_000_000
    """Largest reply that is read."""
    cert_file: str = ""
    """This VEN's certificate, PEM: presented in TLS and signed with; empty for plain HTTP."""
    key_file: str = ""
    """Its private key, PEM."""
    ca_file: str = ""
    """Certificates that the VTN's must descend from, PEM."""
    is_signed: bool = True
    """With a certificate: sign messages too? Otherwise only the connection is authenticated."""
    vtn_fingerprint: str = ""
    """Fingerprint of the certificate that the VTN signs with; empty if it does not sign."""


class Wire:
    """Requests to one VTN.

    Parameters
    ----------
    settings
        How it is reached.

    Raises
    ------
    headrace.core.BadInput
        If a certificate or key can't be read.
    """

    def __init__(self, settings: WireSettings) -> None:
        self._settings = settings
        self._signing: dict[str, bytes] = {}
        self._tls = _tls(settings)
        if settings.cert_file and settings.is_signed:
            self._signing = {"cert": _bytes(settings.cert_file), "key": _bytes(settings.key_file)}
        self._session: aiohttp.ClientSession | None = None
        self._count = 0

    def request_id(self) -> str:
        """A number of its own for each request of this connection."""
        self._count += 1
        return f"headrace-{self._count}"

    async def ask(self, service: str, message: str, **payload: object) -> tuple[str, dict[str, Any]]:
        """Send a message and read the reply: its type, and its parts as openleadr parses them.

        Raises
        ------
        headrace.adapters.grid.book.Unreadable
            If there is no reply, or not one that can be trusted or understood.
        """
        request = partial(create_message, message, **self._signing, **payload)
        text: str = await asyncio.to_thread(request) if self._signing else request()
        content = await self._post(service, message, text.encode())
        if not content:
            return "", {}
        read = partial(self._read, message, content)
        return await asyncio.to_thread(read) if self._settings.vtn_fingerprint else read()

    async def close(self) -> None:
        """Let go of the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(self, service: str, message: str, text: bytes) -> bytes:
        limits = self._settings
        if self._session is None:
            timeout = aiohttp.ClientTimeout(sock_connect=limits.timeout_s, sock_read=limits.timeout_s, total=None)
            connector = aiohttp.TCPConnector(ssl=self._tls) if self._tls else None
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        url, headers = f"{limits.url}/{service}", {"content-type": "application/xml"}
        try:
            async with asyncio.timeout(4.0 * limits.timeout_s):  # a peer that sends a byte at a time ends here
                async with self._session.post(url, data=text, headers=headers, allow_redirects=False) as reply:
                    content = await reply.content.read(limits.reply_max_bytes + 1)
                    while len(content) <= limits.reply_max_bytes and not reply.content.at_eof():
                        content += await reply.content.read(limits.reply_max_bytes + 1 - len(content))
                    status = reply.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreadable(Why.UNREACHABLE, message, f"no reply ({type(error).__name__})") from error
        if len(content) > limits.reply_max_bytes:
            raise Unreadable(Why.MALFORMED, message, f"a reply of more than {limits.reply_max_bytes:,} bytes")
        if status in {401, 403}:
            raise Unreadable(Why.UNAUTHORISED, message, f"the VTN answers HTTP {status}")
        if status != 200:
            raise Unreadable(Why.UNREACHABLE, message, f"the VTN answers HTTP {status}")
        return content

    def _read(self, message: str, content: bytes) -> tuple[str, dict[str, Any]]:
        if any(each in content for each in ENTITIES):
            raise Unreadable(Why.MALFORMED, message, "a reply that defines entities")
        try:
            tree = validate_xml_schema(content)
            if self._settings.vtn_fingerprint:
                _check_signature(tree, self._settings.vtn_fingerprint, message)
            kind, payload = parse_message(content)
        except Unreadable:
            raise
        except Exception as error:
            words = f"{type(error).__name__}: {error}"
            raise Unreadable(Why.MALFORMED, message, f"a reply that is no OpenADR message ({words})") from error
        return str(kind), dict(payload or {})


def _check_signature(tree: object, fingerprint: str, message: str) -> None:
    try:
        validate_xml_signature(tree, cert_fingerprint=fingerprint)
    except FingerprintMismatch as error:
        raise Unreadable(Why.UNAUTHORISED, message, "signed with another certificate than the VTN's") from error
    except Exception as error:
        words = f"{type(error).__name__}: {error}"
        raise Unreadable(Why.UNAUTHORISED, message, f"a signature that does not hold ({words})") from error


def _bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise BadInput(path, f"can't be read: {error.strerror}", "Name the PEM file in the device file") from error


def _tls(settings: WireSettings) -> ssl.SSLContext | None:
    if not settings.url.startswith("https://"):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file, settings.key_file)
    except OSError as error:  # SSLError is one
        found = f"certificate or key can't be used: {error.strerror or error}"
        raise BadInput(settings.cert_file or settings.ca_file, found, "Check the PEM files named there") from error
    return context
