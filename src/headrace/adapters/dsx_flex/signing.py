"""JWS signatures of DSX Flex: ES256, or RS256 from a peer whose key is RSA.

The contract signs the data and leaves the envelope bare, so whoever sits on the broker could put an old target into a
new envelope. We therefore copy the envelope's id, source, type, time and correlation into the signature's protected
header, under `ce`; RFC 7515 lets a receiver that does not know it pass over it. A peer that is known to do the same is
held to it.
"""

from typing import Any, Final

import msgspec

from headrace.core import BadInput

__all__ = ["BOUND", "Peer", "SignatureRefused", "Signer", "peer_of", "prepare", "signed", "signer_of", "verified"]

BOUND: Final = ("id", "source", "type", "time", "correlationid")
"""Attributes of the envelope that the signature's header repeats."""
RSA_BITS_MIN: Final = 2048


class Signer(msgspec.Struct, frozen=True, kw_only=True):
    """Our own key."""

    key_id: str
    """Its name in the header, `kid`."""
    key: Any
    """Private P-256 key."""

    def __repr__(self) -> str:
        return f"Signer({self.key_id!r})"


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """A key that somebody else signs with."""

    source: str
    """Whose it is, as the envelope's source says ("//grid/v1/dsx-flex-agent/hall1")."""
    key_id: str
    """Its `kid`."""
    algorithm: str
    """ES256 or RS256, fixed by the key and never by the message."""
    key: Any
    """Public key."""
    is_bound: bool = False
    """Does the peer repeat the envelope in the signature's header, as we do?"""
    not_after_us: int | None = None
    """When the key lapses, epoch microseconds; None if it does not."""


class SignatureRefused(Exception):
    """A message's signature does not hold.

    Parameters
    ----------
    kind
        "unsigned", "key", "algorithm", "signature" or "binding".
    why
        In words.
    """

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


def prepare() -> None:
    """Load what the first signature would wait 50 ms for."""
    from jwt import api_jws  # noqa: F401, PLC0415 an extra


def signed(payload: bytes, envelope: dict[str, str], signer: Signer) -> str:
    """Sign a payload and its envelope: JWS compact serialization."""
    from jwt import api_jws  # noqa: PLC0415 an extra

    headers = {"kid": signer.key_id, "ce": {name: envelope[name] for name in BOUND if name in envelope}}
    return api_jws.encode(payload, signer.key, algorithm="ES256", headers=headers)


def verified(compact: object, envelope: dict[str, object], peers: tuple[Peer, ...], *, now_us: int) -> bytes:
    """Return the payload of a message whose signature holds.

    Raises
    ------
    SignatureRefused
        If it does not, with the reason.
    """
    from jwt import api_jws  # noqa: PLC0415 an extra
    from jwt.exceptions import PyJWTError  # noqa: PLC0415

    if not isinstance(compact, str):
        raise SignatureRefused("unsigned", "the data is not signed")
    try:
        header = api_jws.get_unverified_header(compact)
    except (PyJWTError, ValueError, TypeError, AttributeError) as error:
        raise SignatureRefused("unsigned", f"the data is no JWS: {type(error).__name__}") from error
    source = envelope.get("source")
    peer = next((each for each in peers if each.source == source and each.key_id == header.get("kid")), None)
    if peer is None or (peer.not_after_us is not None and now_us >= peer.not_after_us):
        raise SignatureRefused("key", f"no key {header.get('kid')!r:.80} of {source!r:.80} is in force")
    if header.get("alg") != peer.algorithm or "crit" in header:
        raise SignatureRefused("algorithm", f"signed with {header.get('alg')!r:.20}, the key is for {peer.algorithm}")
    try:
        payload = api_jws.decode(compact, peer.key, algorithms=[peer.algorithm])
    except (PyJWTError, ValueError) as error:
        raise SignatureRefused("signature", f"the signature does not hold: {type(error).__name__}") from error
    _check_binding(header.get("ce"), envelope, peer)
    return bytes(payload)


def _check_binding(bound: object, envelope: dict[str, object], peer: Peer) -> None:
    if bound is None and not peer.is_bound:
        return
    if not isinstance(bound, dict):
        raise SignatureRefused("binding", "the signature does not cover the envelope")
    for name in BOUND:
        if bound.get(name) != envelope.get(name):
            raise SignatureRefused("binding", f"the signature is for another {name}")


def signer_of(pem: bytes, *, key_id: str, where: str) -> Signer:
    """Our private key from PEM, P-256 and without a passphrase; `where` it is kept is what errors name.

    Raises
    ------
    BadInput
        If it is another kind of key. The key is never in the message.
    """
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise BadInput(where, "holds no private key in PEM", "Name a P-256 key without a passphrase.") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadInput(where, "holds another kind of key", "DSX Flex signs with ES256: name a P-256 key.")
    return Signer(key_id=key_id, key=key)


def peer_of(
    pem: bytes, *, source: str, key_id: str, where: str, is_bound: bool = False, not_after_us: int | None = None
) -> Peer:
    """A peer's public key from PEM, P-256 or RSA of at least 2048 bits.

    Raises
    ------
    BadInput
        If it is another kind of key.
    """
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: PLC0415

    try:
        key = serialization.load_pem_public_key(pem)
    except ValueError as error:
        raise BadInput(where, "holds no public key in PEM", "Ask the peer for its P-256 or RSA key.") from error
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        algorithm = "ES256"
    elif isinstance(key, rsa.RSAPublicKey) and key.key_size >= RSA_BITS_MIN:
        algorithm = "RS256"
    else:
        raise BadInput(where, "holds another kind of key", "DSX Flex takes P-256, or RSA of 2048 bits and more.")
    return Peer(
        source=source, key_id=key_id, algorithm=algorithm, key=key, is_bound=is_bound, not_after_us=not_after_us
    )
