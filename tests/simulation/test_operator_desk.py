import pytest

from headrace.app.operator_desk import ApiServer, SiteDesk
from headrace.control.orders import LockOut, OrderKind
from headrace.core import BadInput
from headrace.interfaces.operator.metrics import metrics_page
from live_cases import Campus, order


def test_an_operator_sees_what_an_order_would_do_then_it_does_that(tmp_path):
    campus = Campus(tmp_path / "live.jsonl")
    seen = {}

    async def operate(site):
        await campus.clock.sleep_until(campus.clock.now_s() + 700)
        desk = SiteDesk(site, campus.clock.now_us)
        asked = order(campus, OrderKind.SHED, 3.0)
        seen["preview"] = desk.preview(asked)
        seen["receipt"] = await desk.submit(asked)
        seen["again"] = await desk.submit(asked)
        more = order(campus, OrderKind.SHED, 6.0)
        seen["more"] = await desk.submit(more)
        seen["unknown"] = await desk.submit(order(campus, OrderKind.SHED, 3.0, name="op.2", feeder="hall 9"))
        seen["lock"] = await desk.lock(LockOut(asset="S21-hall.1", holder="op", since_us=desk.now_us(), reason="fan"))
        seen["no such"] = await desk.lock(LockOut(asset="x", holder="op", since_us=desk.now_us(), reason="fan"))
        seen["not his"] = await desk.release("S21-hall.1", by="ada")
        seen["page"] = metrics_page(desk.status)().decode()

    campus.run(1200, operate)
    preview, receipt = seen["preview"], seen["receipt"]
    assert preview.expected_mw >= 3.0
    assert sum(preview.mw_of_load.values()) == pytest.approx(preview.expected_mw)
    assert receipt.is_met
    assert receipt.metered_mw >= 0.99 * 3.0
    assert seen["again"].metered_mw == receipt.metered_mw
    assert (seen["more"].refused, seen["more"].is_met) == ("order.same_id_asks_otherwise", False)
    assert seen["unknown"].refused == "order.unknown_feeder"
    assert seen["lock"].refused == ""
    assert seen["no such"].refused == "lock.unknown_asset"
    assert seen["not his"].refused == "lock.not_held"
    lines = dict(line.rsplit(" ", 1) for line in seen["page"].splitlines() if not line.startswith("#"))
    assert float(lines["headrace_orders"]) == 1.0
    assert float(lines["headrace_locks"]) == 1.0
    assert float(lines['headrace_mode{mode="plan"}']) == 1.0
    assert float(lines['headrace_load_assets{load="S21 hall"}']) == 8.0
    assert float(lines["headrace_site_megawatts"]) > 0.0


def test_the_api_listens_to_this_machine_unless_told_otherwise(tmp_path):
    with pytest.raises(BadInput, match="others could reach it"):
        ApiServer(None, None, tmp_path / "audit.jsonl", host="0.0.0.0", port=0, allow_remote=False)
