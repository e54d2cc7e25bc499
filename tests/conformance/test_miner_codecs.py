"""What every miner dialect owes its callers, shown against its simulated twin over TCP."""

import pytest

from headrace.adapters.miners.codec import Acknowledged, Credentials, MinerStatus, Refused, SignedIn
from headrace.adapters.miners.dialects import DIALECTS
from headrace.control.commands import Action
from headrace.core import BadInput
from headrace.sim.miners.faults import Manner
from miner_talks import CAPS, FACTS, PASSWORDS, SIGNS_IN, Rig

ASLEEP_W, FULL_W = 60.0, 3400.0
LATER_S = 60.0


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_stop_puts_the_machine_to_standby_and_a_run_wakes_it(dialect):
    async with Rig(dialect) as rig:
        assert isinstance(await rig.do(Action.STOP), Acknowledged)
        rig.clock.at_s += LATER_S
        assert rig.fleet.power_w() == ASLEEP_W
        assert isinstance(await rig.do(Action.RUN), Acknowledged)
        rig.clock.at_s += LATER_S
        assert rig.fleet.power_w() == FULL_W


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_command_heard_twice_takes_effect_once(dialect):
    async with Rig(dialect) as rig:
        session = await rig.session()
        for _ in range(2):
            command = rig.codec.command(Action.STOP, None, session, FACTS)
            assert isinstance(await rig.talk(command), Acknowledged)
        assert rig.device.model.effects == 1
        assert rig.fleet.receipts.requests[0] == 2


@pytest.mark.parametrize("dialect", CAPS)
async def test_a_cap_holds_and_a_run_with_a_power_lifts_it(dialect):
    async with Rig(dialect) as rig:
        assert isinstance(await rig.do(Action.CAP, 2000), Acknowledged)
        rig.clock.at_s += LATER_S
        assert rig.fleet.power_w() == 2000.0
        assert isinstance(await rig.do(Action.RUN, 3400), Acknowledged)
        rig.clock.at_s += LATER_S
        assert rig.fleet.power_w() == FULL_W


@pytest.mark.parametrize("dialect", [dialect for dialect in DIALECTS if dialect not in CAPS])
async def test_a_dialect_without_a_cap_says_so_before_anything_is_sent(dialect):
    async with Rig(dialect) as rig:
        session = await rig.session()
        with pytest.raises(BadInput, match="least_mw"):
            rig.codec.command(Action.CAP, 2000, session, FACTS)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_status_tells_what_the_machine_does(dialect):
    async with Rig(dialect) as rig:
        session = await rig.session()
        awake = await rig.talk(rig.codec.status(session, FACTS))
        await rig.do(Action.STOP)
        rig.clock.at_s += LATER_S
        asleep = await rig.talk(rig.codec.status(await rig.session(), FACTS))
        assert isinstance(awake, MinerStatus)
        assert isinstance(asleep, MinerStatus)
        assert (awake.is_mining, asleep.is_mining) == (True, False)
        assert awake.hashrate_ths == pytest.approx(110.0)
        assert asleep.hashrate_ths == pytest.approx(0.0)
        assert (awake.power_w, asleep.power_w) == ((None, None) if dialect == "antminer" else (3400, 60))
        assert awake.firmware


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_refusal_carries_the_machines_own_words(dialect):
    async with Rig(dialect, Manner.REFUSING) as rig:
        move = await rig.do(Action.STOP)
        assert isinstance(move, Refused)
        assert move.reason
        assert not move.is_garbled
        assert rig.device.model.effects == 0


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("manner", [Manner.GARBLED, Manner.DROPPING])
async def test_an_answer_that_cannot_be_read_is_said_to_be_garbled(dialect, manner):
    async with Rig(dialect, manner) as rig:
        move = await rig.do(Action.STOP)
        assert isinstance(move, Refused)
        assert move.is_garbled
        assert move.reason


@pytest.mark.parametrize("dialect", SIGNS_IN)
async def test_a_session_that_ended_asks_for_a_fresh_one_and_then_works(dialect):
    async with Rig(dialect) as rig:
        session = await rig.session()
        stale = rig.codec.command(Action.STOP, None, session, FACTS)
        rig.device.twin.expire()
        move = await rig.talk(stale)
        if dialect == "antminer":  # its server hands out a new challenge with the refusal, which is met at once
            assert isinstance(move, Acknowledged)
        else:
            assert isinstance(move, Refused)
            assert move.needs_sign_in
            assert rig.device.model.effects == 0
        assert isinstance(await rig.do(Action.STOP), Acknowledged)
        assert rig.device.model.effects == 1


@pytest.mark.parametrize("dialect", ["braiins-rest", "whatsminer-v2", "luxos"])
async def test_a_session_is_given_up_before_the_machine_ends_it(dialect):
    async with Rig(dialect) as rig:
        began_s = rig.clock.at_s
        session = await rig.session()
        rig.clock.at_s = began_s + session.expires_s - FACTS.now_s
        assert isinstance(await rig.talk(rig.codec.command(Action.STOP, None, session, FACTS)), Acknowledged)


@pytest.mark.parametrize("dialect", ["braiins-rest", "whatsminer-v2", "whatsminer-v3", "antminer"])
async def test_a_wrong_password_is_refused_and_never_shown(dialect):
    async with Rig(dialect) as rig:
        wrong = Credentials(user=PASSWORDS[dialect].user, password="nobody-knows-this")
        move = await rig.sign_in(wrong)
        if isinstance(move, SignedIn):  # a token and a salt are handed to anybody; what they sign is not taken
            assert "nobody" not in repr(move)
            move = await rig.talk(rig.codec.command(Action.STOP, None, move.session, FACTS))
        assert isinstance(move, Refused)
        assert "nobody" not in repr((move, wrong))
        assert rig.device.model.effects == 0


async def test_luxos_takes_over_a_session_that_somebody_else_holds():
    async with Rig("luxos") as rig:
        theirs, ours = await rig.session(), await rig.session()
        assert theirs.token != ours.token
        assert isinstance(await rig.talk(rig.codec.command(Action.STOP, None, ours, FACTS)), Acknowledged)


async def test_antminer_is_found_out_when_it_answers_ok_and_changes_nothing():
    async with Rig("antminer", Manner.LYING) as rig:
        move = await rig.do(Action.STOP)
        assert isinstance(move, Refused)
        assert "work mode is 0" in move.reason


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_first_frame_is_ready_before_it_is_fired(dialect):
    async with Rig(dialect) as rig:
        command = rig.codec.command(Action.STOP, None, await rig.session(), FACTS)
        assert command.begin() is command.begin()


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("action", [Action.CHARGE, Action.OPEN])
async def test_what_is_no_miners_command_is_refused_to_be_made(dialect, action):
    async with Rig(dialect) as rig:
        session = await rig.session()
        with pytest.raises(BadInput):
            rig.codec.command(action, None, session, FACTS)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_sleep_outlives_a_restart_where_the_firmware_keeps_it(dialect):
    async with Rig(dialect) as rig:
        await rig.do(Action.STOP)
        rig.clock.at_s += LATER_S
        rig.device.restart(rig.clock())
        rig.clock.at_s += LATER_S
        assert (rig.fleet.power_w() == ASLEEP_W) == (dialect in {"luxos", "antminer"})
