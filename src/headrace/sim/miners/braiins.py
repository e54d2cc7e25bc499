"""Braiins OS as seen from the network: pause and resume on cgminer's API."""

from headrace.sim.miners import cgminer
from headrace.sim.miners.model import MinerModel
from headrace.sim.miners.twin import Asked, Request

__all__ = ["BraiinsTwin"]

FIRMWARE = "BOSer boser-openwrt 0.1.0-26ba61b9"
MODEL = "Antminer S19j Pro"

_REFUSAL = cgminer.failure("Cannot do that now", description=FIRMWARE)
_PAUSE = Request(
    asked=Asked.SLEEP, answer=cgminer.answer("Pause", {"PAUSE": [True]}, description=FIRMWARE), refusal=_REFUSAL
)
_RESUME = Request(
    asked=Asked.WAKE, answer=cgminer.answer("Resume", {"RESUME": [True]}, description=FIRMWARE), refusal=_REFUSAL
)
_KNOWN = {b'{"command":"pause"}': _PAUSE, b'{"command":"resume"}': _RESUME}
_BY_COMMAND = {"pause": _PAUSE, "resume": _RESUME}


class BraiinsTwin:
    """One machine under Braiins OS."""

    __slots__ = ()
    survives_restart = False

    def take(self, data: bytes, model: MinerModel, now_s: float) -> tuple[Request, int] | None:
        """Read one request."""
        known = _KNOWN.get(data)
        if known is not None:
            return known, len(data)
        asked = cgminer.request_of(data)
        if asked is None:
            return None
        command = str(asked.get("command", ""))
        request = _BY_COMMAND.get(command)
        if request is None:
            request = Request(asked=Asked.ELSE, answer=b"", refusal=_REFUSAL, words=command)
        return request, len(data)

    def answer(self, request: Request, model: MinerModel, now_s: float) -> bytes:
        """Answer a question about the machine; several joined with `+` are answered under their names."""
        commands = request.words.split("+")
        sections = [_section(command, model, now_s) for command in commands]
        if any(section is None for section in sections):
            return cgminer.failure("Invalid command", code=14, description=FIRMWARE)
        found = [section for section in sections if section is not None]
        if len(found) == 1:
            return cgminer.answer(commands[0].capitalize(), found[0], code=11, description=FIRMWARE)
        status = {"STATUS": "S", "When": 0, "Code": 11, "Msg": "", "Description": FIRMWARE}
        joined = {
            command: [{"STATUS": [status], **section, "id": 1}]
            for command, section in zip(commands, found, strict=True)
        }
        return cgminer.joined(joined)

    def expire(self) -> None:
        """Nothing: this firmware has no sessions."""


def _section(command: str, model: MinerModel, now_s: float) -> dict[str, object] | None:
    write = _SECTIONS.get(command)
    return None if write is None else {write.__name__.strip("_").upper(): write(model, now_s)}


def _summary(model: MinerModel, now_s: float) -> list[dict[str, object]]:
    mhs = model.hashrate_ths(now_s) * 1e6
    return [{"Elapsed": round(now_s), "MHS 5s": mhs, "MHS 1m": mhs, "MHS av": mhs}]


def _devs(model: MinerModel, now_s: float) -> list[dict[str, object]]:
    mhs = model.hashrate_ths(now_s) * 1e6
    return [{"ID": board, "Enabled": "Y", "Status": "Alive", "MHS 5s": mhs / 3} for board in range(3)]


def _devdetails(model: MinerModel, now_s: float) -> list[dict[str, object]]:
    return [{"ID": board, "Name": "", "Model": MODEL, "Chips": 126} for board in range(3)]


def _version(model: MinerModel, now_s: float) -> list[dict[str, object]]:
    return [{"API": "3.7", "BOSer": FIRMWARE.removeprefix("BOSer ")}]


def _temps(model: MinerModel, now_s: float) -> list[dict[str, object]]:
    chip_c = 30.0 + 40.0 * model.hashrate_ths(now_s) / model.hashrate_full_ths
    return [{"ID": board, "Board": chip_c - 15.0, "Chip": chip_c} for board in range(3)]


def _tunerstatus(model: MinerModel, now_s: float) -> list[dict[str, object]]:
    return [{"ApproximateMinerPowerConsumption": round(model.power_w(now_s)), "PowerLimit": round(model.full_w)}]


_SECTIONS = {
    "summary": _summary,
    "devs": _devs,
    "devdetails": _devdetails,
    "version": _version,
    "temps": _temps,
    "tunerstatus": _tunerstatus,
}
