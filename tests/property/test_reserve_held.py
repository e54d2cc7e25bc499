"""What is sold as reserve is there, whatever the policy asks, the price does and the connection loses."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.dispatch.plan import Clash, Infeasible
from headrace.dispatch.policies import Memory, Proposal
from headrace.dispatch.reserve import BATTERY, Award, ReserveBook
from headrace.dispatch.reserve_offers import battery_most_mw, block_most_mw
from headrace.engine.cycle import State, step
from headrace.settlement import rates_of
from reserve_cases import HOUR_S, START_S, STEP_S, campus_of, make_inputs, make_reserve, make_sight, reserve_site

HOURS = 6
STEPS = HOURS * HOUR_S // STEP_S
INFEASIBLE = Infeasible(clash=Clash(step=0, need_mw=1.0, have_mw=0.0, limits=("import limit",)), relaxations=())


class Random:
    """A policy that asks for anything, within its memory's awards or not."""

    name = "random"

    def __init__(self, asked, book):
        self.asked, self.book = asked, book

    def propose(self, model, sight):
        first = sight.now_s == START_S
        answer = self.asked[(sight.now_s - START_S) // STEP_S % len(self.asked)]
        if answer is None and not first:
            return INFEASIBLE
        limits, charge_mw, discharge_mw = answer or ((None,) * 3, 0.0, 0.0)
        return Proposal(
            use_limit_mw=limits,
            use_worth_ccy_per_mwh=(90.0, 500.0, 60.0),
            may_fill=(True, False, True),
            source_limit_mw=(None,),
            charge_mw=charge_mw,
            discharge_mw=discharge_mw,
            import_limit_mw=100.0,
            price_seen_ccy_per_mwh=50.0,
            bid_ccy_per_mwh=None,
            ask_ccy_per_mwh=None,
            problem_id="",
            memory=Memory(reserve=self.book) if first else None,
        )


class Outage:
    """Devices behind a connection that loses part of its power."""

    def __init__(self, campus, import_max_mw):
        self.campus, self.import_max_mw = campus, import_max_mw

    def apply(self, setpoints, at_s):
        most_mw = self.import_max_mw[(at_s - START_S) // STEP_S]
        if most_mw is not None:
            setpoints = msgspec.structs.replace(
                setpoints, import_max_mw=most_mw, import_limit_mw=min(setpoints.import_limit_mw, most_mw)
            )
        return self.campus.apply(setpoints, at_s)


def run(site, *, asked, book, stored_mwh, temp_c, outages):
    """Every record of six hours."""
    model, campus, _ = campus_of(site, steps=STEPS, stored_mwh=stored_mwh, temp_c=temp_c)
    devices, state, rates = Outage(campus, outages), State(stored_mwh=stored_mwh), rates_of(site)
    inputs = make_inputs(site, hours=HOURS)
    for t in range(STEPS):
        now_s = START_S + t * STEP_S
        sight = make_sight(inputs, now_s=now_s, stored_mwh=state.stored_mwh, memory=state.memory)
        record = step(
            model, rates, Random(asked, book), sight, state, devices, month_count=1, prices=None, month_s=2_505_600
        )
        state.absorb(record, 1)
        yield record


LIMIT = st.none() | st.floats(0.0, 12.0)
ASKED = st.none() | st.tuples(st.tuples(LIMIT, LIMIT, LIMIT), st.floats(0.0, 12.0), st.floats(0.0, 12.0))


@st.composite
def worlds(draw):
    """Reserve sold from the second hour on, within what each carrier surely has."""
    site = reserve_site(make_reserve(), make_reserve("ERCOT ECRS"))
    model = campus_of(site, steps=1)[0]
    most = {0: block_most_mw(model, 0), 2: block_most_mw(model, 2)}
    awards = []
    for hour in range(2, HOURS):
        for carrier, most_mw in most.items():
            shares = draw(st.tuples(st.floats(0.0, 0.5), st.floats(0.0, 0.5)))
            awards += [(hour, r, carrier, most_mw * share) for r, share in enumerate(shares)]
        # 10 MW and 20 MWh, at 1 and 2 hours: a third of each product's own most leaves both their energy.
        for r, reserve in enumerate(site.reserves):
            share = draw(st.floats(0.0, 1.0 / 3.0))
            awards.append((hour, r, BATTERY, battery_most_mw(model, reserve.products[0]) * share))
    book = ReserveBook(
        awards=tuple(
            Award(start_s=START_S + h * HOUR_S, reserve=r, carrier=c, mw=mw, price_ccy_per_mw_h=5.0)
            for h, r, c, mw in awards
            if mw > 0.0
        )
    )
    return {
        "site": site,
        "asked": draw(st.lists(ASKED, min_size=1, max_size=12)),
        "book": book,
        "stored_mwh": draw(st.floats(0.0, 20.0)),
        "temp_c": draw(st.floats(-10.0, 40.0)),
    }


@pytest.mark.inv("C2")
@settings(max_examples=60, deadline=None)
@given(worlds())
def test_a_reserve_sold_is_always_physically_there(world):
    for record in run(**world, outages=[None] * STEPS):
        assert all(line.short_wh == 0 for line in record.reserve), record.at_s
        assert all(line.held_wh >= line.sold_wh - 10 for line in record.reserve)


@pytest.mark.inv("C2")
@settings(max_examples=60, deadline=None)
@given(worlds(), st.lists(st.none() | st.floats(0.0, 60.0), min_size=STEPS, max_size=STEPS))
def test_reserve_is_given_up_only_after_everything_below_it(world, outages):
    was_out = False
    for t, record in enumerate(run(**world, outages=outages)):
        used_wh, kept_wh = record.reading.use_wh, _kept_wh(world["book"], record.at_s)
        if any(used < kept - 2 for used, kept in zip(used_wh, kept_wh, strict=True)):
            assert all(used <= kept + 2 for used, kept in zip(used_wh, kept_wh, strict=True)), record.at_s
            assert sum(line.short_wh for line in record.reserve) > 0
        if record.reading.shed_wh:
            assert max(used_wh) <= 2
        # What an outage took from the store is caught up after it, and charged till then.
        was_out = was_out or outages[t] is not None
        assert was_out or all(line.short_wh == 0 for line in record.reserve)


def _kept_wh(book, now_s):
    kept = [0.0, 0.0, 0.0]
    for award in book.at(now_s):
        if award.carrier != BATTERY:
            kept[award.carrier] += award.mw * STEP_S / 3600.0 * 1e6
    return [round(wh) for wh in kept]
