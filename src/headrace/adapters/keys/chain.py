"""The folder of a site's keys: the chain of identities, and the private keys that are kept on this machine.

authority.pem           signs the chain; take it off the machine when the chain is made
chain.jsonl             every enrolment, rotation and revocation, append-only
gateway/NAME.pem        a gateway's key
device/NAME.pem         a device's key, for devices that cannot keep their own
"""

import os
from pathlib import Path

import msgspec

from headrace.adapters.keys.signing import (
    DeviceKey,
    GatewayKey,
    Signatures,
    Signer,
    load_device_key,
    load_gateway_key,
)
from headrace.core import BadInput
from headrace.settlement.bundle import BundleHeader
from headrace.settlement.identities import Change, KeyEvent, Role, extended, fault_of, registry_of

__all__ = ["KeyFolder"]

CHAIN_MAX_BYTES = 64_000_000
"""Longest chain that is read."""


class KeyFolder:
    """A site's identities on disk.

    Parameters
    ----------
    folder
        Where they are; made by `create`.

    Raises
    ------
    headrace.core.BadInput
        If the folder holds no chain, or the chain is broken.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.site, self.authority, self.events = _read_chain(folder / "chain.jsonl")
        self.registry, broken = registry_of(self.events, self.authority, Signatures())
        self._bytes = _size(folder / "chain.jsonl")
        self._signers: dict[bytes, Signer] = {}
        if broken:
            raise BadInput(str(folder / "chain.jsonl"), "; ".join(broken), "Restore the chain from a copy")

    @classmethod
    def create(cls, folder: Path, site: str) -> "KeyFolder":
        """Make a site's authority and an empty chain.

        Raises
        ------
        headrace.core.BadInput
            If there is one already, or the folder can't be written.
        """
        key = GatewayKey.new()
        key.write(folder / "authority.pem")
        header = BundleHeader(site=site, authority=key.public, keys=())
        _append(folder / "chain.jsonl", msgspec.json.encode(header))
        return cls(folder)

    def refreshed(self) -> "KeyFolder":
        """The same folder as it is now, read again if the chain has grown."""
        return self if self._bytes == _size(self.folder / "chain.jsonl") else KeyFolder(self.folder)

    def header(self) -> BundleHeader:
        """First line of a bundle."""
        return BundleHeader(site=self.site, authority=self.authority, keys=tuple(self.events))

    def enrol(self, role: Role, name: str, *, at_s: int, power_max_w: int = 0, reason: str = "") -> KeyEvent:
        """Make a key for a new device or gateway and enrol it."""
        return self._add(Change.ENROL, role, name, at_s=at_s, power_max_w=power_max_w, reason=reason)

    def rotate(self, role: Role, name: str, *, at_s: int, reason: str) -> KeyEvent:
        """Replace a key; the old one stays beside it until every interval it signed is closed."""
        return self._add(Change.ROTATE, role, name, at_s=at_s, reason=reason)

    def revoke(self, role: Role, name: str, *, at_s: int, reason: str) -> KeyEvent:
        """Make a key count for nothing after `at_s`."""
        return self._add(Change.REVOKE, role, name, at_s=at_s, reason=reason)

    def signer(self, role: Role, name: str, at_s: int) -> Signer:
        """The private key that counts for an interval ending at `at_s`.

        Raises
        ------
        headrace.core.BadInput
            If there is none, or it is not on this machine.
        """
        identity = self.registry.key_at(role, name, at_s)
        if identity is not None and identity.public in self._signers:
            return self._signers[identity.public]
        if identity is None:
            raise BadInput(
                f"{role.value} {name!r}", "no key counts at that time", "Enrol it with `headrace keys enrol`"
            )
        for path in (self._path(role, name), self._path(role, f"{name}.old")):
            if path.exists():
                signer = _load(role, path)
                if signer.public == identity.public:
                    self._signers[identity.public] = signer
                    return signer
        raise BadInput(
            f"{role.value} {name!r}", "its private key is not in this folder", f"Put it at {self._path(role, name)}"
        )

    def _path(self, role: Role, name: str) -> Path:
        return self.folder / role.value / f"{name}.pem"

    def _add(
        self, change: Change, role: Role, name: str, *, at_s: int, power_max_w: int = 0, reason: str = ""
    ) -> KeyEvent:
        _check_name(name)
        path, old_path = self._path(role, name), self._path(role, f"{name}.old")
        authority = load_gateway_key(self.folder / "authority.pem")
        key: DeviceKey | GatewayKey | None = None
        old: Signer | None = None
        if change is not Change.REVOKE:
            key = DeviceKey.new() if role is Role.DEVICE else GatewayKey.new()
        if change is Change.ROTATE:
            old = _load(role, path)
        bare = KeyEvent(
            sequence=len(self.events),
            change=change,
            role=role,
            name=name,
            public=b"" if key is None else key.public,
            at_s=at_s,
            power_max_w=power_max_w,
            reason=reason,
            previous=self.registry.tip,
        )
        message = bare.message()
        event = msgspec.structs.replace(
            bare,
            proof=b"" if key is None else key.sign(message),
            old_proof=b"" if old is None else old.sign(message),
            signature=authority.sign(message),
        )
        fault = fault_of(event, self.registry, self.authority, Signatures())
        if fault:
            raise BadInput(f"{role.value} {name!r}", fault, "See `headrace keys show`")
        # The key is on disk before the chain names it: a crash between the two leaves a key that nobody knows.
        if key is not None:
            if old is not None:
                path.replace(old_path)
            path.unlink(missing_ok=True)
            key.write(path)
        _append(self.folder / "chain.jsonl", msgspec.json.encode(event))
        self._bytes = _size(self.folder / "chain.jsonl")
        self.events.append(event)
        self.registry = extended(self.registry, event)
        return event


def _load(role: Role, path: Path) -> Signer:
    return load_device_key(path) if role is Role.DEVICE else load_gateway_key(path)


def _check_name(name: str) -> None:
    if not name or len(name.encode()) > 60 or not all(c.isalnum() or c in "._-" for c in name) or name[0] == ".":
        raise BadInput(f"name {name!r}", "not a name of a device", "Use up to 60 letters, digits, dots, dashes")


def _read_chain(path: Path) -> tuple[str, bytes, list[KeyEvent]]:
    try:
        if path.stat().st_size > CHAIN_MAX_BYTES:
            raise BadInput(str(path), "longer than any chain of identities", "Name the right folder")
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise BadInput(
            str(path), f"can't be read: {error.strerror}", "Make a chain with `headrace keys init`"
        ) from error
    try:
        header = msgspec.json.decode(lines[0], type=BundleHeader)
        return header.site, header.authority, [msgspec.json.decode(line, type=KeyEvent) for line in lines[1:]]
    except (msgspec.MsgspecError, UnicodeDecodeError, IndexError) as error:
        raise BadInput(str(path), f"no chain of identities: {error}", "Restore it from a copy") from error


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _append(path: Path, line: bytes) -> None:
    try:
        with path.open("ab") as file:
            file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise BadInput(
            str(path), f"can't be written: {error.strerror}", "Free space or choose another folder"
        ) from error
