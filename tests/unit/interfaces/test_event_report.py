"""The report of an event says what the meter shows, what is estimated, and whose word it is."""

import msgspec

from headrace.control.orders import OrderKind
from headrace.interfaces.event_report import EventReport, Proof, event_html, event_json
from headrace.settlement.baselines import DaySample, TenInTenRules, meter_before, ten_in_ten
from headrace.settlement.performance import Instruction, TracePoint, perform

S, MW = 1_000_000, 1_000_000
START = 1_782_900_000 * S


def report_of(power_mw=40.0, proof=None, silent_s=()):
    instruction = Instruction(
        id="adr3.evt-7",
        kind=OrderKind.LIMIT,
        power_w=45 * MW,
        received_us=START - 60 * S,
        starts_us=START,
        ends_us=START + 600 * S,
        within_us=10 * S,
        issued_by="<grid> operator",
        reason="frequency",
    )
    trace = [
        TracePoint(at_us=START + at * S, power_w=round((60.0 if at < 4 else power_mw) * MW))
        for at in range(-120, 601, 2)
        if at not in silent_s
    ]
    sample = DaySample(day="2026-06-30", event_wh=(5 * MW, 5 * MW), before_wh=(5 * MW,))
    history = [sample, msgspec.structs.replace(sample, day="2026-06-29", left_out="event"), *[sample] * 9]
    baselines = [*ten_in_ten(history, [5 * MW], TenInTenRules()), meter_before(60 * MW, [300 * S, 300 * S])]
    performance = perform(
        instruction, trace, baselines, starts_us=[START, START + 300 * S], gap_us=10 * S, before_us=60 * S
    )
    return EventReport(site="Rockdale", time_zone="America/Chicago", meter="pcc", performance=performance, proof=proof)


def test_the_page_tells_time_to_band_and_energy():
    page = event_html(report_of())
    assert "The draw came into the band after 4 s, in time, and was in the band for 100.0 % of what was due." in page
    assert "draw at most 45 MW" in page
    assert "meter before, meter after" in page
    assert "2026-06-29" in page


def test_words_of_others_are_escaped():
    page = event_html(report_of())
    assert "<grid>" not in page
    assert "&lt;grid&gt; operator" in page


def test_gaps_and_missing_signatures_stand_beside_the_figures():
    page = event_html(report_of(silent_s=range(100, 140)))
    assert "42 s of the event lie in gaps of the meter" in page
    assert "The trace is not signed" in page


def test_a_limit_that_was_never_kept_is_said_so():
    assert "never came into the band" in event_html(report_of(power_mw=58.0))


def test_the_proof_is_named_with_its_digest():
    page = event_html(report_of(proof=Proof(bundle="evt-7.bundle", digest="ab" * 32, gateway="cd" * 8)))
    assert "headrace verify evt-7.bundle" in page
    assert "ab" * 32 in page
    assert "not signed" not in page


def test_the_data_are_the_same_report_with_every_reading():
    report = report_of()
    data = event_json(report)
    assert data == event_json(report)
    assert msgspec.json.decode(data, type=EventReport) == report
