"""The auditor's own check of a bundle: P-256, Ed25519 and Merkle trees in plain integers, from docs/telemetry.md alone.

Curves by their published parameters (FIPS 186-4 D.1.2.3, RFC 8032 5.1); no library of signatures, nothing of Headrace.
"""

import base64
import hashlib
import json
import struct
from pathlib import Path
from typing import Any

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
A, B = P - 3, 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
Q = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, Q - 2, Q) % Q

UNITS = ("none", "gpu_s", "ph", "requests")


def add(p, q):
    """Two points of P-256; None is infinity."""
    if p is None or q is None:
        return q if p is None else p
    if p[0] == q[0]:
        if (p[1] + q[1]) % P == 0:
            return None
        slope = (3 * p[0] * p[0] + A) * pow(2 * p[1], -1, P)
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, P)
    x = (slope * slope - p[0] - q[0]) % P
    return x, (slope * (p[0] - x) - p[1]) % P


def times(k, p):
    """A point k times."""
    out = None
    while k:
        out = add(out, p) if k & 1 else out
        p, k = add(p, p), k >> 1
    return out


def p256(public: bytes, message: bytes, signature: bytes) -> bool:
    """ECDSA over SHA-256."""
    x, y = int.from_bytes(public[:32], "big"), int.from_bytes(public[32:], "big")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if len(signature) != 64 or not (0 < r < N and 0 < s < N) or (y * y - x**3 - A * x - B) % P:
        return False
    e, w = int.from_bytes(hashlib.sha256(message).digest(), "big"), pow(s, -1, N)
    found = add(times(e * w % N, G), times(r * w % N, (x, y)))
    return found is not None and found[0] % N == r


def unpack(raw: bytes):
    """A point of edwards25519."""
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    xx = (y * y - 1) * pow(D * y * y + 1, -1, Q) % Q
    x = pow(xx, (Q + 3) // 8, Q)
    if (x * x - xx) % Q:
        x = x * pow(2, (Q - 1) // 4, Q) % Q
    if (x * x - xx) % Q or y >= Q:
        return None
    return (x if x & 1 == sign else Q - x), y


def plus(p, q):
    """Two points of edwards25519."""
    t = D * p[0] * q[0] * p[1] * q[1] % Q
    return (
        (p[0] * q[1] + q[0] * p[1]) * pow(1 + t, -1, Q) % Q,
        (p[1] * q[1] + p[0] * q[0]) * pow(1 - t, -1, Q) % Q,
    )


def many(k, p):
    """A point k times."""
    out = (0, 1)
    while k:
        out = plus(out, p) if k & 1 else out
        p, k = plus(p, p), k >> 1
    return out


BASE = unpack((4 * pow(5, -1, Q) % Q).to_bytes(32, "little"))


def ed25519(public: bytes, message: bytes, signature: bytes) -> bool:
    """EdDSA, strict in s."""
    a, r, s = unpack(public), unpack(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L or len(signature) != 64:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    return many(s, BASE) == plus(r, many(h, a))


def reading_bytes(r: dict[str, Any]) -> bytes:
    """What a device signs."""
    name = r["device"].encode()
    fields = (r["sequence"], r["interval_start_s"], r["duration_s"], r["drawn_wh"], r["fed_wh"])
    tail = struct.pack(">QQIQQBQQ", *fields, UNITS.index(r.get("unit", "none")), r.get("work", 0), r["signed_at_us"])
    return b"headrace/reading/1\x00" + bytes([len(name)]) + name + tail


def interval_bytes(i: dict[str, Any]) -> bytes:
    """What a gateway signs."""
    return b"headrace/interval/1\x00" + (
        hashlib.sha256(i["site"].encode()).digest()
        + hashlib.sha256(i["gateway"].encode()).digest()
        + struct.pack(">QQI", i["sequence"], i["interval_start_s"], i["duration_s"])
        + raw(i["root"])
        + struct.pack(">IIII", i["count"], i["absent"], i["missing"], i["refused"])
        + struct.pack(">QQQQQ", *(i.get(k, 0) for k in ("drawn_wh", "fed_wh", "gpu_s", "work_ph", "requests")))
        + raw(i["previous"])
    )


def raw(text: str) -> bytes:
    """Bytes as JSON carries them."""
    return base64.b64decode(text)


def tree(leaves: list[bytes]) -> bytes:
    """Root as RFC 6962 2.1 defines it: split at the largest power of two below the count."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + tree(leaves[:k]) + tree(leaves[k:])).digest()


def wrong_in(bundle: Path) -> list[str]:
    """Everything that does not hold in a bundle of whole intervals."""
    header, *intervals = [json.loads(line) for line in bundle.read_text().splitlines()]
    wrong, keys = [], {}
    authority = raw(header["authority"])
    previous = bytes(32)
    for event in header["keys"]:
        bare = event | {"proof": "", "old_proof": "", "signature": ""}
        message = (
            b"headrace/key/1\x00"
            + json.dumps(bare, separators=(",", ":"), ensure_ascii=False, sort_keys=False).encode()
        )
        check = ed25519 if event["role"] == "device" else p256
        if raw(event["previous"]) != previous or not p256(authority, message, raw(event["signature"])):
            wrong.append(f"key event {event['sequence']}")
        if event["change"] != "revoke" and not check(raw(event["public"]), message, raw(event["proof"])):
            wrong.append(f"key event {event['sequence']}: its key did not sign it")
        previous = hashlib.sha256(message).digest()
        keys[event["role"], event["name"]] = raw(event["public"])
    before = None
    for each in intervals:
        i, readings = each["interval"], each["readings"]
        where = f"interval {i['sequence']}"
        if not p256(keys["gateway", i["gateway"]], interval_bytes(i), raw(i["signature"])):
            wrong.append(f"{where}: not signed by its gateway")
        if tree([reading_bytes(r) + raw(r["signature"]) for r in readings]) != raw(i["root"]):
            wrong.append(f"{where}: root")
        if before is not None and raw(i["previous"]) != hashlib.sha256(interval_bytes(before)).digest():
            wrong.append(f"{where}: does not name the one before")
        before = i
        for r in readings:
            if not ed25519(keys["device", r["device"]], reading_bytes(r), raw(r["signature"])):
                wrong.append(f"{where}: {r['device']} did not sign")
        for total in ("drawn_wh", "fed_wh"):
            if sum(r[total] for r in readings) != i.get(total, 0):
                wrong.append(f"{where}: {total}")
        for unit, total in (("gpu_s", "gpu_s"), ("ph", "work_ph"), ("requests", "requests")):
            if sum(r["work"] for r in readings if r["unit"] == unit) != i.get(total, 0):
                wrong.append(f"{where}: {total}")
        if len(readings) != i["count"] or [r["device"] for r in readings] != sorted(r["device"] for r in readings):
            wrong.append(f"{where}: count or order")
    return wrong
