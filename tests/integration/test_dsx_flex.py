"""DSX Flex over a real broker: the controller against a factory written from the contract alone."""

import asyncio

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from flex_factory import SIGNER, campus, feed, wall_us
from headrace.adapters.dsx_flex import Target
from headrace.adapters.dsx_flex.envelope import Sealer
from headrace.adapters.dsx_flex.payloads import EventType, LoadTarget, LoadTargets, Span, power_of
from headrace.adapters.dsx_flex.signing import Signer
from headrace.control.commands import Action, Command, Result
from headrace.control.readings import MeterReading


def command(action: Action, mw: float | None = None, *, tag="main-a", expires_us=None) -> Command:
    now_us = wall_us()
    return Command(
        id=f"o1.{tag}.{action}",
        asset=f"ai.{tag}",
        action=action,
        power_mw=mw,
        commanded_us=now_us,
        expires_us=expires_us or now_us + 10_000_000,
        reason="test",
    )


async def until(claim, *, timeout_s=5.0):
    for _ in range(int(timeout_s / 0.01)):
        if claim():
            return
        await asyncio.sleep(0.01)
    pytest.fail("did not happen in time")


async def test_a_cap_is_acknowledged_when_a_signed_status_says_it_is_met(tmp_path):
    async with campus(tmp_path) as (controller, factory):
        (outcome,) = await controller.send([command(Action.CAP, 6.0)])
        assert (outcome.result, outcome.reason) == (Result.ACKNOWLEDGED, "")
        assert outcome.commanded_us <= outcome.sent_us
        assert outcome.acknowledged_us is not None
        assert factory.feeds["main-a"].load_mw == 6.0
        (reading,) = await controller.read()
        assert (reading.power_w, reading.is_running) == (6_000_000, True)


async def test_stop_goes_to_standby_and_run_takes_the_constraint_off(tmp_path):
    async with campus(tmp_path) as (controller, factory):
        assert (await controller.send([command(Action.STOP)]))[0].result is Result.ACKNOWLEDGED
        assert factory.feeds["main-a"].load_mw == 1.0
        assert (await controller.read())[0].is_running is False
        assert (await controller.send([command(Action.RUN)]))[0].result is Result.ACKNOWLEDGED
        assert factory.feeds["main-a"].load_mw == 10.0
        assert factory.feeds["main-a"].targets == []


async def test_hearing_a_command_twice_does_no_more_than_once(tmp_path):
    async with campus(tmp_path) as (controller, factory):
        for _ in range(2):
            assert (await controller.send([command(Action.CAP, 6.0)]))[0].result is Result.ACKNOWLEDGED
        assert len(factory.feeds["main-a"].targets) == 1


async def test_several_feeds_are_asked_in_one_message(tmp_path):
    async with campus(tmp_path, [feed("a"), feed("b")]) as (controller, factory):
        outcomes = await controller.send([command(Action.CAP, 4.0, tag="a"), command(Action.CAP, 3.0, tag="b")])
        assert [o.result for o in outcomes] == [Result.ACKNOWLEDGED] * 2
        assert (factory.feeds["a"].load_mw, factory.feeds["b"].load_mw) == (4.0, 3.0)


async def test_a_feed_that_does_not_follow_is_reported_as_refusing(tmp_path):
    async with campus(tmp_path, [feed(move=lambda _mw: 9.0)]) as (controller, _):
        (outcome,) = await controller.send([command(Action.CAP, 6.0)])
        assert (outcome.result, outcome.reason) == (Result.REFUSED, "stays at 9 MW")


async def test_a_target_with_an_end_lapses_by_itself(tmp_path):
    async with campus(tmp_path) as (controller, factory):
        now_us = wall_us()
        await controller.ask([Target(feed="main-a", power_mw=5.0, starts_us=now_us, ends_us=now_us + 150_000)])
        assert factory.feeds["main-a"].load_mw == 5.0
        await until(lambda: factory.feeds["main-a"].load_mw == 10.0)


async def test_expired_unknown_and_impossible_commands_are_not_sent(tmp_path):
    async with campus(tmp_path) as (controller, factory):
        outcomes = await controller.send(
            [
                command(Action.CAP, 5.0, expires_us=1),
                command(Action.CAP, 5.0, tag="elsewhere"),
                command(Action.DISCHARGE, 5.0),
            ]
        )
        assert [o.result for o in outcomes] == [Result.EXPIRED, Result.UNREACHABLE, Result.REFUSED]
        assert factory.feeds["main-a"].targets == []


async def test_a_status_signed_with_another_key_is_no_answer(tmp_path):
    wrong = ec.generate_private_key(ec.SECP256R1())
    async with campus(tmp_path, key=wrong) as (controller, factory):
        (outcome,) = await controller.send([command(Action.CAP, 6.0)])
        assert outcome.result is Result.MUTE
        assert "refused" in outcome.reason
        assert controller.inspector.refused["signature"] >= 1
        assert factory.feeds["main-a"].load_mw == 6.0  # it obeyed, and we do not know


async def test_a_breach_is_heard_through_its_life_and_seen_by_our_own_meter(tmp_path):
    async with campus(tmp_path) as (controller, factory):
        await controller.send([command(Action.CAP, 5.0)])
        for mw in (5.5, 7.0, 5.0):
            factory.measure("main-a", mw)
        await until(lambda: len(controller.alerts) == 3)
        alerts = list(controller.alerts)
        assert [a.status for a in alerts] == ["active", "escalated", "resolved"]
        assert [a.severity for a in alerts] == ["warning", "critical", "critical"]
        assert len({a.breach.breach_id for a in alerts}) == 1
        assert [h.priority for h in alerts[0].shed_hints] == [1, 2]
        meter = MeterReading(meter="m1", at_us=wall_us(), power_w=7_000_000)
        (own,) = controller.breaches([meter], meters={"m1": "main-a"})
        assert (own.severity, own.target_mw, own.claimed_mw) == ("critical", 5.0, 5.0)


async def test_the_factory_refuses_what_is_forged_replayed_or_malformed(tmp_path):
    async with campus(tmp_path) as (controller, factory):
        ask = LoadTargets(targets=(LoadTarget(interval=Span(), load_constraint=power_of(2.0)),))
        sealer = Sealer(role="isv", identifier="headrace", signer=SIGNER)
        topic, good = sealer.seal(EventType.LOAD_TARGET, ask, now_us=wall_us())
        other = Signer(key_id="site-1", key=ec.generate_private_key(ec.SECP256R1()))
        _, forged = Sealer(role="isv", identifier="headrace", signer=other).seal(
            EventType.LOAD_TARGET, ask, now_us=wall_us()
        )
        _, old = sealer.seal(EventType.LOAD_TARGET, ask, now_us=wall_us() - 120_000_000)
        for payload in (forged, old, b"x" * 300_000, b"[]", good.replace(b'"time":"2', b'"time":"3'), good, good):
            await controller._link.publish(topic, payload)
        await until(lambda: sum(factory.refused.values()) == 6)
        assert factory.refused == {
            "signature": 1,
            "expired": 1,
            "oversize": 1,
            "envelope": 1,
            "binding": 1,
            "replay": 1,
        }
        assert factory.feeds["main-a"].load_mw == 2.0


async def test_a_broker_that_is_away_is_said_at_once(tmp_path):
    async with campus(tmp_path) as (controller, _):
        await controller._link.close()
        (outcome,) = await controller.send([command(Action.STOP)])
        assert outcome.result is Result.UNREACHABLE
        assert outcome.sent_us is None
