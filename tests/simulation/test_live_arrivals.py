import asyncio

import msgspec

from headrace.dispatch.policies import Rolling
from headrace.engine.live.journal import read_live
from headrace.engine.live.records import Arrived, Decided
from headrace.engine.live.reproduce import reproduced
from headrace.engine.live.solver import InlineSolver
from headrace.engine.live.state import LiveState
from live_cases import Campus


class SlowSolver(InlineSolver):
    """Takes its sight, lets the world go on for two seconds, then answers; the feeds are asked meanwhile."""

    def __init__(self, policy, clock, meanwhile):
        super().__init__(policy)
        self.clock, self.meanwhile = clock, meanwhile

    async def solve(self, model, sight, until_s):
        asking = asyncio.ensure_future(self.meanwhile())
        await self.clock.sleep_until(self.clock.now_s() + 2.0)
        answer = await super().solve(model, sight, until_s)
        self.asking = asking
        return answer


def test_what_arrives_while_a_plan_is_made_is_written_after_it(tmp_path):
    campus = Campus(tmp_path / "live.jsonl")
    site, engine = campus.engine()
    intervals = site._intervals
    intervals._feeds.is_prompt = False  # as operators' servers are

    async def a_price_comes():
        book = engine.state.book.series("real_time")
        late = Arrived(
            at_us=campus.clock.now_us(),
            role="real_time",
            unit=book.unit,
            step_s=book.step_s,
            start_s=book.end_s,
            values=(4000.0,),
            known_s=(int(campus.clock.now_s()),),
            source="test",
        )
        news = intervals._feeds.news

        async def brought(*_):
            intervals._feeds.news = news
            return msgspec.structs.replace(await news(engine.state.book, 0, 0), arrived=(late,), failed={})

        intervals._feeds.news = brought
        await intervals.ask_feeds()

    intervals._solver = SlowSolver(Rolling(), campus.clock, a_price_comes)

    async def whole():
        moving = asyncio.ensure_future(campus.clock.run())
        await site.run(campus.clock.now_s() + 1000.0)
        moving.cancel()

    asyncio.run(whole())
    _, records = read_live(campus.path)
    came = [i for i, each in enumerate(records) if isinstance(each, Arrived) and each.source == "test"]
    assert came
    assert any(isinstance(records[i - 1], Decided) for i in came)
    state = LiveState(campus.model, campus.layout, campus.rules)
    assert list(reproduced(state, records, Rolling)) == list(records)
