"""Reserve behind a relay: what readings show, what they leave open, and whose word a trip is."""

from headrace.control.arming import ArmedPower, Arming, ArmingState, RelayTrip, proven

S, MW = 1_000_000, 1_000_000
SOLD = Arming(
    product="RRS-UFR", relay="UFR-3", feeder="F3", sold_w=20 * MW, trips_at_hz=59.7, starts_us=0, ends_us=100 * S
)


def readings(*spans):
    return [ArmedPower(at_us=at * S, power_w=mw * MW, is_in_service=on) for at, mw, on in spans]


def prove(found, trips=(), gap_s=30):
    return proven(SOLD, found, trips, gap_us=gap_s * S, now_us=200 * S)


def test_power_that_was_there_all_the_time_is_armed():
    report = prove(readings(*((at, 25, True) for at in range(0, 100, 10))))
    assert report.armed_us == 100 * S
    assert report.shortfalls == ()


def test_less_power_or_a_relay_out_of_service_is_short():
    report = prove(readings((0, 25, True), (20, 12, True), (40, 25, False), (60, 25, True), (80, 25, True)))
    assert report.armed_us == 60 * S
    assert [(each.start_us, each.end_us, each.short_w, each.state) for each in report.shortfalls] == [
        (20 * S, 60 * S, 20 * MW, ArmingState.SHORT)
    ]


def test_silence_is_not_claimed():
    report = prove(readings((0, 25, True), (90, 25, True)))
    assert report.armed_us == 40 * S
    assert [each.state for each in report.shortfalls] == [ArmingState.UNKNOWN]
    assert "not claimed" in " ".join(report.sentences)


def test_a_trip_is_the_relays_word_and_no_shortfall():
    trip = RelayTrip(tripped_us=50 * S, delay_us=None, frequency_hz=59.68, restored_us=80 * S, permitted_by="ERCOT")
    report = prove(readings((0, 25, True), (25, 25, True), (50, 0, True), (70, 0, True), (80, 25, True)), [trip])
    assert report.shortfalls == ()
    assert report.armed_us == 70 * S
    text = " ".join(report.sentences)
    assert "tripped by itself and keeps no record of how fast; software had no part in it" in text
    assert "permitted by ERCOT" in text
