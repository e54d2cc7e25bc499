"""WhatsMiner's API 2 from the device's side: tokens that last half an hour, commands under AES-256-ECB.

The password is `admin`. Salts, times and what md5-crypt makes of them come from a table made with `openssl passwd -1`,
so that the twin shares no code with what it tests.
"""

import base64
import binascii
import functools
import hashlib
from typing import Final

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from headrace.sim.miners import cgminer
from headrace.sim.miners.model import MinerModel
from headrace.sim.miners.twin import Asked, Request

__all__ = ["PASSWORD", "WhatsMinerV2Twin"]

PASSWORD: Final = "admin"  # of a simulated machine
SALT: Final = "BQ5hoXV9"
KEY: Final = "RxmaDUO33TS7O26yeMHZ81"
"""`openssl passwd -1 -salt BQ5hoXV9 admin`, its last part."""
TOKENS: Final = (("5626", "jbzkfQls", "w.BNbkCV6n1aNWgiBWLzT/"), ("9041", "kW2nRb8x", "PQnrI8nIdEw.qhsBfGVQQ0"))
"""Time, second salt, and `openssl passwd -1` of key and time under it."""
TOKEN_LASTS_S: Final = 1800.0
MODEL: Final = "M30S++_VH40"
FIRMWARE: Final = "20240722.07.51.REL"

_AES_KEY: Final = hashlib.sha256(KEY.encode()).digest()
_PERMISSION = 45
_DONE, _FAILED, _TOKEN_IS, _TOKEN_WRONG = 131, 132, 134, 135


class WhatsMinerV2Twin:
    """One WhatsMiner with API 2."""

    __slots__ = ("_is_issued", "_issued", "_issued_s")
    survives_restart = False

    def __init__(self) -> None:
        self._issued = 0
        self._issued_s = 0.0
        self._is_issued = False

    def take(self, data: bytes, model: MinerModel, now_s: float) -> tuple[Request, int] | None:
        """Read one request."""
        asked = cgminer.request_of(data)
        if asked is None:
            return None
        if asked.get("enc") == 1:
            return self._privileged(str(asked.get("data", "")), now_s), len(data)
        command = str(asked.get("cmd", asked.get("command", "")))
        if command == "get_token":
            return Request(asked=Asked.ELSE, answer=self._token(now_s), refusal=b""), len(data)
        return Request(asked=Asked.ELSE, answer=b"", refusal=b"", words=command), len(data)

    def answer(self, request: Request, model: MinerModel, now_s: float) -> bytes:
        """Answer a question about the machine."""
        match request.words:
            case "summary":
                return cgminer.answer("Summary", {"SUMMARY": [_summary(model, now_s)]}, code=11, description="btminer")
            case "status":
                found = {"btmineroff": str(model.is_asleep).lower(), "Firmware Version": f"'{FIRMWARE}'"}
                return _said("S", _DONE, found)
            case "get_version" | "version":
                found = {"api_ver": "2.0.5", "fw_ver": FIRMWARE, "platform": "H6OS", "chip": "K88101"}
                return _said("S", _DONE, found)
            case "devdetails":
                row = {"DEVDETAILS": 0, "Name": "SM", "Model": MODEL}
                return cgminer.answer("Device Details", {"DEVDETAILS": [row]}, description="btminer")
            case _:
                return _said("E", 14, "invalid cmd")

    def expire(self) -> None:
        """End the token, as half an hour or a restart does."""
        self._issued = (self._issued + 1) % len(TOKENS)
        self._is_issued = False

    def _token(self, now_s: float) -> bytes:
        if self._is_issued and now_s - self._issued_s > TOKEN_LASTS_S:
            self.expire()
        if not self._is_issued:
            self._is_issued, self._issued_s = True, now_s
        time, newsalt, _ = TOKENS[self._issued]
        return _said("S", _TOKEN_IS, {"time": time, "salt": SALT, "newsalt": newsalt})

    def _privileged(self, data: str, now_s: float) -> Request:
        command = _opened(data)
        if command is None:
            return _denied(_PERMISSION, "Permission denied")
        is_current = self._is_issued and now_s - self._issued_s <= TOKEN_LASTS_S
        if not is_current or command.get("token") != TOKENS[self._issued][2]:
            return _denied(_TOKEN_WRONG, "check token error")
        limit = str(command.get("power_limit", ""))
        match command.get("cmd", command.get("command")):
            case "power_off":
                return _OFF
            case "power_on":
                return _ON
            case "adjust_power_limit" if limit.isdigit():
                return Request(asked=Asked.LIMIT, answer=_SEALED_DONE, refusal=_REFUSAL, limit_w=float(limit))
            case _:
                return _denied(14, "invalid cmd")


def _summary(model: MinerModel, now_s: float) -> dict[str, object]:
    mhs = model.hashrate_ths(now_s) * 1e6
    temp_c = round(35.0 + 50.0 * model.hashrate_ths(now_s) / model.hashrate_full_ths, 1)
    return {
        "Elapsed": round(now_s),
        "MHS av": mhs,
        "MHS 5s": mhs,
        "MHS 1m": mhs,
        "HS RT": mhs,
        "Power": round(model.power_w(now_s)),
        "Power Limit": round(model.limit_w),
        "Power Mode": "Normal",
        "Temperature": temp_c - 15.0,
        "Chip Temp Max": temp_c,
        "Firmware Version": f"'{FIRMWARE}'",
        "MAC": "C4:11:04:01:3C:75",
    }


def _said(letter: str, code: int, message: object) -> bytes:
    return msgspec.json.encode({"STATUS": letter, "When": 0, "Code": code, "Msg": message, "Description": "btminer"})


def _denied(code: int, words: str) -> Request:
    return Request(asked=Asked.ELSE, answer=_said("E", code, words), refusal=b"")


@functools.lru_cache(maxsize=64)
def _opened(data: str) -> dict[str, object] | None:
    """Command under the encryption; kept, since a fleet under one table sends the same bytes."""
    try:
        plain = _ecb(base64.b64decode(data, validate=True), seals=False).rstrip(b"\0")
        return msgspec.json.decode(plain, type=dict[str, object])
    except (binascii.Error, ValueError):
        return None


def _ecb(data: bytes, *, seals: bool) -> bytes:
    cipher = Cipher(algorithms.AES(_AES_KEY), modes.ECB())
    step = cipher.encryptor() if seals else cipher.decryptor()
    return step.update(data) + step.finalize()


def _sealed(plain: bytes) -> bytes:
    plain += b"\0" * (-len(plain) % 16)
    return msgspec.json.encode({"enc": base64.b64encode(_ecb(plain, seals=True)).decode()})


_SEALED_DONE = _sealed(_said("S", _DONE, "API command OK"))
_REFUSAL = _sealed(_said("E", _FAILED, "API command ERROR"))
_OFF = Request(asked=Asked.SLEEP, answer=_SEALED_DONE, refusal=_REFUSAL)
_ON = Request(asked=Asked.WAKE, answer=_SEALED_DONE, refusal=_REFUSAL)
