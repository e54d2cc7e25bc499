"""Ed25519 and P-256 through cryptography (OpenSSL); keys are PEM files (PKCS#8) that nobody else may read.

A P-256 signature is r and s, 32 bytes each, with s in the lower half of the order, so that a signature has one form;
a public key is x and y. That is what the precompiled contract of EIP-7951 takes.
"""

import os
import stat
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from headrace.core import BadInput

__all__ = ["DeviceKey", "GatewayKey", "Signatures", "Signer", "load_device_key", "load_gateway_key"]

P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Order of the group, SEC 2 version 2.0, section 2.4.2."""
ED25519_SIGNATURE_BYTES: Final = 64
P256_SIGNATURE_BYTES: Final = 64


class Signer(Protocol):
    """Holds one private key."""

    @property
    def public(self) -> bytes:
        """Its public key."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Sign a message."""
        ...


class DeviceKey:
    """Ed25519, for devices."""

    def __init__(self, private: ed25519.Ed25519PrivateKey) -> None:
        self._private = private

    @classmethod
    def new(cls) -> "DeviceKey":
        """A fresh key from the system's random source."""
        return cls(ed25519.Ed25519PrivateKey.generate())

    @property
    def public(self) -> bytes:
        """32 bytes."""
        return self._private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self._private.sign(message)

    def write(self, path: Path) -> None:
        """Keep the key in a new file."""
        _write(path, self._private)


class GatewayKey:
    """P-256, for gateways and the site's authority."""

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self._private = private

    @classmethod
    def new(cls) -> "GatewayKey":
        """A fresh key from the system's random source."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @property
    def public(self) -> bytes:
        """64 bytes: x and y."""
        numbers = self._private.public_key().public_numbers()
        return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")

    def sign(self, message: bytes) -> bytes:
        """64 bytes: r and the lower s, over SHA-256 of the message."""
        r, s = decode_dss_signature(self._private.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + min(s, P256_ORDER - s).to_bytes(32, "big")

    def write(self, path: Path) -> None:
        """Keep the key in a new file."""
        _write(path, self._private)


class Signatures:
    """Verifies both kinds; see `headrace.settlement.ports.SignatureCheck`."""

    def ed25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Is it by that key?"""
        try:
            ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    def p256(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Is it by that key, in its one form?"""
        if len(public) != 64 or len(signature) != P256_SIGNATURE_BYTES:
            return False
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        if s > P256_ORDER // 2:
            return False
        try:
            key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public)
            key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, ValueError):
            return False
        return True


def load_device_key(path: Path) -> DeviceKey:
    """Read a device's key.

    Raises
    ------
    headrace.core.BadInput
        If it is not there, can be read by others, or is of another kind.
    """
    private = _load(path)
    if not isinstance(private, ed25519.Ed25519PrivateKey):
        raise BadInput(str(path), "not an Ed25519 key", "Name a device's key file")
    return DeviceKey(private)


def load_gateway_key(path: Path) -> GatewayKey:
    """Read a gateway's or the authority's key; see `load_device_key`."""
    private = _load(path)
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
        raise BadInput(str(path), "not a P-256 key", "Name a gateway's or the authority's key file")
    return GatewayKey(private)


def _load(path: Path) -> object:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_bytes()
    except OSError as error:
        raise BadInput(
            str(path), f"the key can't be read: {error.strerror}", "Make one with `headrace keys`"
        ) from error
    if mode & 0o077:
        raise BadInput(str(path), f"others may read this key (mode {mode:03o})", f"Run: chmod 600 {path}")
    try:
        return serialization.load_pem_private_key(text, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The library's message may quote the file.
        raise BadInput(str(path), "not a private key in PEM form without a password", "Name a key file") from None


def _write(path: Path, private: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> None:
    text = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise BadInput(str(path), "there is a key already", "A key is never overwritten: move it away first") from error
    except OSError as error:
        raise BadInput(str(path), f"the key can't be written: {error.strerror}", "Choose a folder of yours") from error
