"""Merkle tree over one interval's readings: one hash stands for all, and a short proof shows that one is among them.

    leaf = SHA-256(0x00 ‖ message)        node = SHA-256(0x01 ‖ left ‖ right)

The tree is that of RFC 6962, section 2.1: leaves and nodes are told apart, an odd node is carried up and never doubled,
so that no two lists of leaves share a root. SHA-256 is a precompiled contract of the EVM.
"""

import hashlib
from collections.abc import Sequence

import msgspec

__all__ = ["EMPTY_ROOT", "Proof", "leaf_of", "proof_of", "root_from", "root_of"]

EMPTY_ROOT = hashlib.sha256().digest()
"""Root of no leaves."""


class Proof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a leaf stands and what it is hashed with on the way up."""

    position: int
    """Of the leaf, from 0."""
    leaves: int
    """How many there are."""
    siblings: tuple[bytes, ...]
    """Hashes beside the way from the leaf to the root, leaf first."""


def leaf_of(message: bytes) -> bytes:
    """Hash of a leaf."""
    return hashlib.sha256(b"\x00" + message).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Root over leaf hashes, in their order."""
    level = list(leaves)
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        level = _above(level)
    return level[0]


def proof_of(leaves: Sequence[bytes], position: int) -> Proof:
    """Proof that the leaf at `position` is among `leaves`."""
    siblings, level, at = [], list(leaves), position
    while len(level) > 1:
        if at ^ 1 < len(level):
            siblings.append(level[at ^ 1])
        level, at = _above(level), at // 2
    return Proof(position=position, leaves=len(leaves), siblings=tuple(siblings))


def root_from(leaf: bytes, proof: Proof) -> bytes | None:
    """Root that a proof leads to; None if it is no proof for that many leaves."""
    if not 0 <= proof.position < proof.leaves:
        return None
    at, width, waiting = proof.position, proof.leaves, list(reversed(proof.siblings))
    reached = leaf
    while width > 1:
        if at ^ 1 < width:
            if not waiting:
                return None
            sibling = waiting.pop()
            reached = _node(sibling, reached) if at & 1 else _node(reached, sibling)
        at, width = at // 2, (width + 1) // 2
    return None if waiting else reached


def _above(level: list[bytes]) -> list[bytes]:
    pairs = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return pairs + level[-1:] if len(level) % 2 else pairs


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
