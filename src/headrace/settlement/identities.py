"""Who may sign: keys of devices and gateways, enrolled, rotated and revoked in a chain that the site's authority signs.

The authority is one P-256 key, kept off the site's machines. Its fingerprint is what a verifier has to know from
elsewhere; everything else follows from the chain. Whoever brings a new key proves that he holds it, and a rotation is
signed by the old key too, so that neither the authority nor a stolen key alone moves an identity quietly.
"""

import hashlib
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from headrace.settlement.ports import SignatureCheck

__all__ = ["Change", "Identity", "KeyEvent", "Registry", "Role", "extended", "fault_of", "fingerprint", "registry_of"]

FOREVER_S: Final = 2**62
"""A time that never comes, epoch seconds."""


class Role(StrEnum):
    """What a key signs."""

    DEVICE = "device"
    """Readings, with Ed25519."""
    GATEWAY = "gateway"
    """Roots of intervals, with P-256."""


class Change(StrEnum):
    """What happened to an identity."""

    ENROL = "enrol"
    ROTATE = "rotate"
    REVOKE = "revoke"
    """Nothing signed for intervals that end after the event's time counts any more."""


class KeyEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One link of the chain of identities."""

    sequence: int
    """From 0, without a gap."""
    change: Change
    """What happens."""
    role: Role
    """Of the identity."""
    name: str
    """Of the device or gateway, at most 64 bytes."""
    public: bytes
    """The key that is valid from now on; empty for a revocation."""
    at_s: int
    """From when the change counts, epoch seconds; a revocation may reach back to when a key was stolen."""
    power_max_w: int = 0
    """A device's rated power: a reading above it is refused."""
    reason: str = ""
    """Why."""
    previous: bytes
    """`digest()` of the event before; zeros for the first."""
    proof: bytes = b""
    """Signature of the new key over `message()`: whoever enrols a key holds it."""
    old_proof: bytes = b""
    """For a rotation, signature of the old key over `message()`."""
    signature: bytes = b""
    """Signature of the authority over `message()`, P-256."""

    def message(self) -> bytes:
        """What is signed: every field but the signatures, in canonical JSON."""
        bare = msgspec.structs.replace(self, proof=b"", old_proof=b"", signature=b"")
        return b"headrace/key/1\x00" + msgspec.json.encode(bare, order="deterministic")

    def digest(self) -> bytes:
        """What the next event names."""
        return hashlib.sha256(self.message()).digest()


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """One key over the time in which it counts."""

    role: Role
    """What it signs."""
    public: bytes
    """The key."""
    from_s: int
    """From when it counts, epoch seconds."""
    until_s: int
    """Until when, epoch seconds; a reading belongs to the key that counted when its interval ended."""
    power_max_w: int
    """Rated power of the device; 0 if it was not said."""


class Registry(msgspec.Struct, frozen=True, kw_only=True):
    """Every identity of a site."""

    identities: dict[tuple[Role, str], tuple[Identity, ...]]
    """Keys of each name by role, oldest first."""
    length: int
    """Events of the chain."""
    tip: bytes
    """`digest()` of the last event; zeros for none."""

    def key_at(self, role: Role, name: str, at_s: int) -> Identity | None:
        """The key that counts for an interval ending at `at_s`; None if there is none."""
        keys = self.identities.get((role, name), ())
        return next((key for key in reversed(keys) if key.from_s < at_s <= key.until_s), None)

    def knows(self, role: Role, name: str) -> bool:
        """Was the name ever enrolled?"""
        return (role, name) in self.identities

    def devices_at(self, at_s: int) -> tuple[str, ...]:
        """Devices whose key counts for an interval ending at `at_s`, by name."""
        names = (name for role, name in self.identities if role is Role.DEVICE)
        return tuple(sorted(name for name in names if self.key_at(Role.DEVICE, name, at_s)))


def fingerprint(public: bytes) -> str:
    """A key's short name for people: the first 16 bytes of its SHA-256 in groups of four digits."""
    digits = hashlib.sha256(public).hexdigest()[:32]
    return " ".join(digits[i : i + 4] for i in range(0, 32, 4))


def registry_of(
    events: Sequence[KeyEvent], authority: bytes, check: SignatureCheck
) -> tuple[Registry, tuple[str, ...]]:
    """Follow the chain of identities.

    Parameters
    ----------
    events
        The chain from its first link.
    authority
        Public key of the site's authority.
    check
        Verifies signatures.

    Returns
    -------
    tuple of Registry and tuple of str
        The identities of every event that holds, and what is wrong with the others; a broken chain ends at the break.
    """
    registry = Registry(identities={}, length=0, tip=bytes(32))
    for position, event in enumerate(events):
        found = fault_of(event, registry, authority, check)
        if found:
            return registry, (f"key event {position} ({event.change} {event.name}): {found}",)
        registry = extended(registry, event)
    return registry, ()


def extended(registry: Registry, event: KeyEvent) -> Registry:
    """The registry after an event that holds; it shares its memory with the one before, which is not used again."""
    registry.identities[event.role, event.name] = _changed(registry.identities.get((event.role, event.name), ()), event)
    return Registry(identities=registry.identities, length=registry.length + 1, tip=event.digest())


def fault_of(event: KeyEvent, registry: Registry, authority: bytes, check: SignatureCheck) -> str:
    """What is wrong with an event that follows those of a registry; empty if it holds."""
    message = event.message()
    keys = registry.identities.get((event.role, event.name), ())
    is_known, is_live = bool(keys), bool(keys) and keys[-1].until_s == FOREVER_S
    brings_key = event.change is not Change.REVOKE
    found = ""
    if event.sequence != registry.length or event.previous != registry.tip:
        found = "it does not continue the chain"
    elif not check.p256(authority, message, event.signature):
        found = "not signed by the authority"
    elif event.change is Change.ENROL and is_known:
        found = "the name is enrolled already: rotate its key"
    elif event.change is not Change.ENROL and not is_live:
        found = "there is no valid key to change"
    elif event.change is Change.ROTATE and event.at_s <= keys[-1].from_s:
        found = "it would count before the key it replaces"
    elif not brings_key and (event.public or event.proof):
        found = "a revocation carries no key"
    elif brings_key and not _signed(check, event.role, event.public, message, event.proof):
        found = "the new key did not sign it"
    elif event.change is Change.ROTATE and not _signed(check, event.role, keys[-1].public, message, event.old_proof):
        found = "the old key did not sign it"
    return found


def _signed(check: SignatureCheck, role: Role, public: bytes, message: bytes, signature: bytes) -> bool:
    verify = check.ed25519 if role is Role.DEVICE else check.p256
    return verify(public, message, signature)


def _changed(keys: tuple[Identity, ...], event: KeyEvent) -> tuple[Identity, ...]:
    """A name's keys after an event."""
    if event.change is Change.REVOKE:
        # A key of after the theft never counted at all.
        kept = [key for key in keys if key.from_s < event.at_s]
        return tuple(msgspec.structs.replace(key, until_s=min(key.until_s, event.at_s)) for key in kept) or (
            msgspec.structs.replace(keys[0], until_s=keys[0].from_s),
        )
    ended = tuple(msgspec.structs.replace(key, until_s=min(key.until_s, event.at_s)) for key in keys)
    fresh = Identity(
        role=event.role,
        public=event.public,
        from_s=event.at_s,
        until_s=FOREVER_S,
        power_max_w=event.power_max_w or (keys[-1].power_max_w if keys else 0),
    )
    return (*ended, fresh)
