"""LuxOS from the device's side: one session at a time, curtailment that survives a restart."""

from typing import Final

from headrace.sim.miners import cgminer
from headrace.sim.miners.model import MinerModel
from headrace.sim.miners.twin import Asked, Request

__all__ = ["LuxOsTwin"]

FIRMWARE: Final = "LUXminer 2025.3.1.120000-2d8448bf"
MODEL: Final = "Antminer S19j Pro"
SESSION_LASTS_S: Final = 60.0

_REFUSAL = cgminer.failure("Internal error", code=399, description=FIRMWARE)
_NO_SESSION = cgminer.failure("Invalid session ID", code=402, description=FIRMWARE)
_TAKEN = cgminer.failure("Another session is active", code=401, description=FIRMWARE)
_NO_COMMAND = cgminer.failure("Invalid command", code=14, description=FIRMWARE)
_ASLEEP = cgminer.answer("Curtailment command sent", {"CURTAIL": [{"Action": "sleep mode"}]}, code=335)
_AWAKE = cgminer.answer("Curtailment command sent", {"CURTAIL": [{"Action": "wake up"}]}, code=335)
_SLEEP = Request(asked=Asked.SLEEP, answer=_ASLEEP, refusal=_REFUSAL)
_WAKE = Request(asked=Asked.WAKE, answer=_AWAKE, refusal=_REFUSAL)


class LuxOsTwin:
    """One machine under LuxOS."""

    __slots__ = ("_count", "_session", "_used_s")
    survives_restart = True

    def __init__(self) -> None:
        self._count = 0
        self._session = ""
        self._used_s = 0.0

    def take(self, data: bytes, model: MinerModel, now_s: float) -> tuple[Request, int] | None:
        """Read one request."""
        asked = cgminer.request_of(data)
        if asked is None:
            return None
        parameters = [part.strip() for part in str(asked.get("parameter", "")).split(",")]
        return self._request(str(asked.get("command", "")), parameters, now_s), len(data)

    def answer(self, request: Request, model: MinerModel, now_s: float) -> bytes:
        """Answer a question about the machine; several joined with `+` are answered under their names."""
        commands = request.words.split("+")
        sections = [_section(command, model, now_s) for command in commands]
        if any(not section for section in sections):
            return _NO_COMMAND
        if len(sections) == 1:
            return cgminer.answer(commands[0].capitalize(), sections[0], code=11, description=FIRMWARE)
        status = {"STATUS": "S", "When": 0, "Code": 11, "Msg": "", "Description": FIRMWARE}
        return cgminer.joined(
            {name: [{"STATUS": [status], **section}] for name, section in zip(commands, sections, strict=True)}
        )

    def expire(self) -> None:
        """End the session, as a minute without use does."""
        self._session = ""

    def _request(self, command: str, parameters: list[str], now_s: float) -> Request:
        if self._session and now_s - self._used_s > SESSION_LASTS_S:
            self.expire()
        match command:
            case "logon":
                return _else(_TAKEN if self._session else self._opened(now_s))
            case "session":
                return _else(
                    cgminer.answer("Session information", {"SESSION": [{"SessionID": self._session}]}, code=319)
                )
            case "logoff" | "curtail" | "profileset" if not self._session or parameters[0] != self._session:
                return _else(_NO_SESSION)
            case "logoff":
                self.expire()
                return _else(cgminer.answer("Session terminated", {}, code=317))
            case "curtail" | "profileset":
                self._used_s = now_s
                return _moving(command, parameters[1] if len(parameters) > 1 else "")
            case _:
                return _else(b"", words=command)

    def _opened(self, now_s: float) -> bytes:
        self._count += 1
        self._session = f"yJN2n{self._count:03d}"
        self._used_s = now_s
        return cgminer.answer("Session created", {"SESSION": [{"SessionID": self._session}]}, code=316)


def _moving(command: str, what: str) -> Request:
    match command, what:
        case "curtail", "sleep":
            return _SLEEP
        case "curtail", "wakeup":
            return _WAKE
        case "profileset", _ if what.endswith("W") and what[:-1].isdigit():
            done = cgminer.answer("Profile Set", {"PROFILE": [{"Board": 0, "Profile": what}]}, code=321)
            return Request(asked=Asked.LIMIT, answer=done, refusal=_REFUSAL, limit_w=float(what[:-1]))
        case _:
            return _else(cgminer.failure("Invalid parameter", code=400, description=FIRMWARE))


def _else(answer: bytes, words: str = "") -> Request:
    return Request(asked=Asked.ELSE, answer=answer, refusal=b"", words=words)


def _section(command: str, model: MinerModel, now_s: float) -> dict[str, object]:
    ghs = model.hashrate_ths(now_s) * 1e3
    match command:
        case "summary":
            return {"SUMMARY": [{"Elapsed": round(now_s), "GHS 5s": ghs, "GHS av": ghs}]}
        case "version":
            number = FIRMWARE.removeprefix("LUXminer ")
            return {"VERSION": [{"API": "3.7", "LUXminer": number, "Miner": number, "Type": MODEL}]}
        case "power":
            return {"POWER": [{"PSU": True, "Watts": round(model.power_w(now_s))}]}
        case "temps":
            temp_c = 30.0 + 40.0 * model.hashrate_ths(now_s) / model.hashrate_full_ths
            return {
                "TEMPS": [{"ID": board, "TEMP": board, "Board": temp_c - 15.0, "Chip": temp_c} for board in range(3)]
            }
        case _:
            return {}
