"""Whatever anybody locks, releases and commands: nothing reaches what is locked."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fleet_cases import NOW_US, S, asset, feeder, order, running, site
from headrace.control.allocate import allocate
from headrace.control.assets import AssetKind
from headrace.control.commands import Action, Command, CommandOutcome, Result
from headrace.control.escalate import escalate
from headrace.control.fleet import absorb, counted_by_feeder, note_commands
from headrace.control.locks import LockRefused, admit, lock, release
from headrace.control.orders import Authority, LockOut
from headrace.control.orders_in_force import Binding
from headrace.control.restore import next_wave
from headrace.control.shed import shed

FEEDERS = [
    feeder("f1", contactor="k1", cooling="pump"),
    feeder("f2", contactor="k2"),
    feeder("main", contactor="k0"),
]
LAYOUT = site(
    [asset(f"{f}.{k}", f, load=load) for f in ("f1", "f2") for k, load in enumerate(("s21", "train", "firm"))]
    + [asset(name, "main", load="", full_mw=0.0, kind=AssetKind.CONTACTOR) for name in ("k0", "k1", "k2")]
    + [asset("pump", "main", load="", full_mw=0.1, kind=AssetKind.COOLING)],
    FEEDERS,
)
NAMES = [each.name for each in LAYOUT.inventory.assets]
BEHIND = {"k1": "f1", "k2": "f2", "k0": "main"}
HUNG_ON_MAIN = {"f1", "f2", "main"}
WORTH = {"s21": 60.0, "train": 300.0, "firm": 2000.0}
PEOPLE = ("ann", "ben", "eve")


def covered(locks):
    """The rule in words, one asset at a time."""
    is_off = {each for each, _ in locks if each in {"f1", "f2", "main"}}
    is_off |= {BEHIND[each] for each, _ in locks if each in BEHIND}
    if "main" in is_off:
        is_off = HUNG_ON_MAIN
    out = {each for each, _ in locks if each in NAMES}
    out |= {each.name for each in LAYOUT.inventory.assets if each.feeder in is_off}
    for switch in ("k1", "k2", "k0"):  # a switch above anything that is locked
        if any(each.feeder == BEHIND[switch] and each.name in out for each in LAYOUT.inventory.assets):
            out.add(switch)
    return out


class LockOuts(RuleBasedStateMachine):
    """People lock and release while every authority commands."""

    def __init__(self):
        super().__init__()
        self.fleet = running(LAYOUT)
        self.locks = set()
        self.now_us = NOW_US
        self.sent = []

    def send(self, commands):
        admitted, refused = admit(LAYOUT, self.fleet, commands, now_us=self.now_us)
        out = covered(self.locks)
        assert not {command.asset for command in admitted} & out
        assert {each.asset for each in refused if each.result is Result.LOCKED_OUT} == {
            command.asset for command in commands
        } & out
        assert len(admitted) + len(refused) == len(commands)
        self.fleet = note_commands(LAYOUT, self.fleet, admitted)
        done = [
            CommandOutcome(
                command=each.id,
                asset=each.asset,
                result=Result.METERED,
                commanded_us=self.now_us,
                acknowledged_us=self.now_us,
            )
            for each in admitted
        ]
        self.fleet = absorb(LAYOUT, self.fleet, done)
        self.now_us += S

    @rule(name=st.sampled_from([*NAMES, "f1", "f2", "main"]), holder=st.sampled_from(PEOPLE))
    def somebody_locks(self, name, holder):
        found = lock(LAYOUT, self.fleet, LockOut(asset=name, holder=holder, since_us=self.now_us, reason="work"))
        assert not isinstance(found, LockRefused)
        self.fleet = found
        self.locks.add((name, holder))

    @precondition(lambda self: self.locks)
    @rule(data=st.data(), who=st.sampled_from(PEOPLE))
    def somebody_tries_to_release(self, data, who):
        name = data.draw(st.sampled_from(sorted({each for each, _ in self.locks})))
        found = release(LAYOUT, self.fleet, asset=name, holder=who)
        assert isinstance(found, LockRefused) == ((name, who) not in self.locks)
        if not isinstance(found, LockRefused):
            self.fleet = found
            self.locks.discard((name, who))

    @rule(name=st.sampled_from(NAMES), action=st.sampled_from((Action.STOP, Action.RUN, Action.OPEN, Action.CLOSE)))
    def a_command_comes(self, name, action):
        is_switch = action in (Action.OPEN, Action.CLOSE)
        if is_switch == (name in BEHIND):
            expires_us = self.now_us + S
            self.send(
                [Command(id=f"c{self.now_us}.0", asset=name, action=action, commanded_us=self.now_us,
                         expires_us=expires_us, reason="op")]
            )  # fmt: skip

    @rule(authority=st.sampled_from(Authority), mw=st.sampled_from((1.5, 4.0, float("inf"))))
    def power_is_shed(self, authority, mw):
        asked = order(authority=authority)
        found = shed(LAYOUT, self.fleet, WORTH, mw, order=asked, record=f"s{self.now_us}", now_us=self.now_us)
        assert not {each.asset for each in found.commands} & covered(self.locks)
        self.send(found.commands)

    @rule(authority=st.sampled_from((Authority.SAFETY, Authority.GRID, Authority.SITE)))
    def switches_are_opened(self, authority):
        commands = escalate(
            LAYOUT, self.fleet, WORTH, 3.0, order=order(authority=authority), feeder_mw=self.feeder_mw(),
            record=f"e{self.now_us}", now_us=self.now_us + 10 * S,
        )  # fmt: skip
        assert not {each.asset for each in commands} & covered(self.locks)
        self.send(commands)

    @rule(authority=st.sampled_from((Authority.SAFETY, Authority.MONEY)))
    def everything_is_restored(self, authority):
        found = next_wave(
            LAYOUT, self.fleet, NAMES, WORTH, is_permitted=True, binding=Binding(), site_mw=0.0,
            feeder_mw=self.feeder_mw(), since_wave_s=600.0, record=f"w{self.now_us}", now_us=self.now_us,
            authority=authority,
        )  # fmt: skip
        assert not {each.asset for each in found.commands} & covered(self.locks)
        self.send(found.commands)

    @rule(mw=st.sampled_from((0.0, 1.0, 2.0)))
    def price_moves(self, mw):
        found = allocate(
            LAYOUT, self.fleet, {"s21": mw, "train": mw}, WORTH, feeder_mw=self.feeder_mw(), since_move_s=600.0,
            record=f"p{self.now_us}", now_us=self.now_us,
        )  # fmt: skip
        assert not {each.asset for each in found.commands} & covered(self.locks)
        self.send(found.commands)

    def feeder_mw(self):
        return counted_by_feeder(LAYOUT, self.fleet, now_us=self.now_us, age_max_s=0.0)

    @invariant()
    def what_is_locked_is_what_the_rule_says(self):
        out = covered(self.locks)
        assert {name for name in NAMES if self.fleet.of(LAYOUT, name).is_locked} == out


LockOuts.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)


@pytest.mark.inv("L6")
class TestLockOuts(LockOuts.TestCase):
    """No command of any authority reaches what is locked."""
