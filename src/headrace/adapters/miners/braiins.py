"""Braiins OS: cgminer's API on TCP 4028, with `pause` and `resume`.

Every command is one frame on a connection of its own and needs no log-in. The power target is not part of this API
(`braiins_rest` has it), so this dialect stops and runs a miner and does not cap it.
Source: Braiins OS documentation, "BOSminer API" (pause, resume, tunerstatus, temps), and its public clients.
"""

from headrace.adapters.miners.cgminer import (
    JsonConversation,
    JsonReply,
    acknowledged,
    number,
    refusal,
    request,
    text,
    under,
)
from headrace.adapters.miners.codec import Credentials, Facts, MinerStatus, Move, Refused, Session
from headrace.control.commands import Action
from headrace.core import BadInput

__all__ = ["Braiins"]

STATUS_COMMANDS = "summary+version+devdetails+temps+tunerstatus"

_FRAMES = {Action.STOP: request("pause"), Action.RUN: request("resume")}
_STATUS_FRAME = request(STATUS_COMMANDS)


class Braiins:
    """Codec of Braiins OS on 4028."""

    dialect = "braiins"
    port = 4028
    keeps_idle_connections = True

    def sign_in(self, credentials: Credentials, facts: Facts) -> None:
        """None: this API has no log-in."""

    def command(self, action: Action, power_w: int | None, session: Session | None, facts: Facts) -> JsonConversation:
        """Pause or resume."""
        frame = _FRAMES.get(action)
        if frame is None:
            raise BadInput(
                f"braiins miner, {action}",
                "its API on 4028 has pause and resume only",
                'Leave `least_mw` out for it, or name the dialect "braiins-rest".',
            )
        return JsonConversation(frame, acknowledged)

    def status(self, session: Session | None, facts: Facts) -> JsonConversation:
        """Ask for hash rate, power, temperatures and versions in one frame."""
        return JsonConversation(_STATUS_FRAME, _read_status)


def _read_status(reply: JsonReply) -> Move:
    summaries = under(reply, "summary", "SUMMARY")
    if not summaries:
        return refusal(reply) or Refused(reason="no SUMMARY in its answer", is_garbled=True)
    mhs = number(summaries[0], "MHS 5s", "MHS 1m", "MHS av")
    tuner = under(reply, "tunerstatus", "TUNERSTATUS")
    power_w = number(tuner[0], "ApproximateMinerPowerConsumption") if tuner else None
    chips_c = [number(board, "Chip", "Board") for board in under(reply, "temps", "TEMPS")]
    hottest_c = max((temp_c for temp_c in chips_c if temp_c is not None), default=None)
    versions = under(reply, "version", "VERSION")
    details = under(reply, "devdetails", "DEVDETAILS")
    return MinerStatus(
        model=text(details[0], "Model") if details else "",
        firmware=text(versions[0], "BOSer", "BOSminer+", "BOSminer") if versions else "",
        is_mining=None if mhs is None else mhs > 0.0,
        hashrate_ths=None if mhs is None else mhs * 1e-6,
        power_w=None if power_w is None else round(power_w),
        temp_c=hottest_c,
    )
