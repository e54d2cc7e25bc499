"""Reading operators' replies: every format, both daylight-saving days, and whatever comes instead of data."""

import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from headrace.adapters.feeds.live.feed import rows_of
from headrace.adapters.feeds.live.sources import SOURCES, source_of
from headrace.adapters.feeds.live.wall import midnight_s
from headrace.core import BadInput, Interval, epoch_s
from live_replies import recorded, zipped

NOW_S = epoch_s(datetime(2026, 1, 10, tzinfo=UTC))
ERCOT_AUTUMN = ("ercot.real_time.hb_south", date(2024, 11, 3))
ENTSOE_AUTUMN = ("entsoe.day_ahead.fr", date(2024, 10, 27))
CAISO_AUTUMN = ("caiso.day_ahead.np15", date(2024, 11, 3))
NYISO_AUTUMN = ("nyiso.real_time.west", date(2024, 11, 3))


class Says:
    """An operator that says one thing."""

    def __init__(self, body):
        self.body = body

    def fetch(self, request):
        return self.body


def read(name, day, body, *, days=1, now_s=NOW_S):
    """Rows of the first request for these local days, answered with `body`."""
    source, series = source_of(name)
    window = Interval.from_epoch(midnight_s(day, source.zone), midnight_s(day + timedelta(days=days), source.zone))
    request = source.requests(series, window, now_s)[0]
    return rows_of(source, series, request, Says(body))


def refused(name, day, body, *words):
    with pytest.raises(BadInput) as caught:
        read(name, day, body)
    for word in words:
        assert word in str(caught.value)


def nyiso(file):
    """The month's zip that holds this day's file."""
    return zipped(**{file.removeprefix("nyiso_").replace(".", "__"): recorded(file)})


def caiso(file):
    return zipped(oasis__csv=recorded(file)) if file.endswith(".csv") else zipped(oasis__xml=recorded(file))


@pytest.mark.parametrize(
    ("name", "day", "body", "hours", "step_s"),
    [
        ("ercot.real_time.hb_south", date(2024, 3, 10), recorded("ercot_spp_2024-03-10.json"), 23, 900),
        ("ercot.real_time.hb_south", date(2024, 11, 3), recorded("ercot_spp_2024-11-03.json"), 25, 900),
        ("ercot.day_ahead.hb_south", date(2024, 11, 3), recorded("ercot_dam_2024-11-03.json"), 25, 3600),
        ("nyiso.real_time.west", date(2024, 3, 10), nyiso("nyiso_20240310realtime_zone.csv"), 23, 300),
        ("nyiso.real_time.west", date(2024, 11, 3), nyiso("nyiso_20241103realtime_zone.csv"), 25, 300),
        ("nyiso.day_ahead.west", date(2024, 11, 3), nyiso("nyiso_20241103damlbmp_zone.csv"), 25, 3600),
        ("caiso.day_ahead.np15", date(2024, 3, 10), caiso("caiso_dam_2024-03-10.csv"), 23, 3600),
        ("caiso.day_ahead.np15", date(2024, 11, 3), caiso("caiso_dam_2024-11-03.csv"), 25, 3600),
        ("caiso.real_time.np15", date(2024, 7, 1), caiso("caiso_rtm_2024-07-01.csv"), 2, 300),
    ],
)
def test_prices_come_in_the_order_of_time_without_a_hole(name, day, body, hours, step_s):
    found = read(name, day, body)
    begins_s = midnight_s(day, source_of(name)[0].zone)
    count = hours * 3600 // step_s
    assert found.times_s.tolist() == [begins_s + i * step_s for i in range(count)]
    assert found.values.tolist() == [i + 1.0 for i in range(count)]


def test_load_is_the_sum_of_the_weather_zones():
    found = read("ercot.system_load", date(2024, 7, 1), recorded("ercot_load_2024-07-01.json"))
    assert len(found.times_s) == 24
    assert found.values[0] == 8 * 1010.0 + 28.0


def test_a_point_left_out_repeats_the_one_before_it_in_a_filled_curve():
    found = read(*ENTSOE_AUTUMN, recorded("entsoe_fr_2024-10-27.xml"))
    hours = [6.0 if hour in {7, 8} else float(hour) for hour in range(1, 26)]
    assert found.values.tolist() == np.repeat(hours, 4).tolist()


def test_a_point_left_out_is_missing_in_a_plain_curve():
    found = read("entsoe.day_ahead.fr", date(2024, 3, 31), recorded("entsoe_fr_2024-03-31.xml"))
    assert len(found.values) == 92
    assert np.flatnonzero(np.isnan(found.values)).tolist() == [16, 17, 18, 19]


def test_the_auctions_own_unit_is_read_on_both_sides_of_its_change():
    found = read("entsoe.day_ahead.de_lu", date(2025, 9, 30), recorded("entsoe_de_lu_2025-09-30.xml"), days=2)
    assert found.values[:96].tolist() == np.repeat(np.arange(1.0, 25.0), 4).tolist()
    assert found.values[96:].tolist() == np.arange(101.0, 197.0).tolist()


def test_what_a_reply_holds_beyond_the_request_is_left_out():
    found = read("entsoe.day_ahead.de_lu", date(2025, 9, 30), recorded("entsoe_de_lu_2025-09-30.xml"))
    assert len(found.values) == 96


def test_a_corrective_run_between_the_marks_counts_by_its_time():
    rows = [("00:05:00", 10.0), ("00:07:30", 20.0), ("00:10:00", 40.0), ("00:15:00", 50.0)]
    lines = ['"Time Stamp","Name","PTID","LBMP ($/MWHr)"', *(f'"07/01/2024 {t}","WEST",61752,{v}' for t, v in rows)]
    body = zipped(**{"20240701realtime_zone__csv": "\n".join(lines).encode()})
    found = read("nyiso.real_time.west", date(2024, 7, 1), body)
    assert found.values.tolist() == [10.0, 30.0, 50.0]


def test_an_interval_partly_without_a_print_is_missing():
    rows = [("00:05:00", 10.0), ("00:10:00", 20.0), ("00:22:30", 30.0), ("00:25:00", 40.0)]
    lines = ['"Time Stamp","Name","PTID","LBMP ($/MWHr)"', *(f'"07/01/2024 {t}","WEST",61752,{v}' for t, v in rows)]
    body = zipped(**{"20240701realtime_zone__csv": "\n".join(lines).encode()})
    found = read("nyiso.real_time.west", date(2024, 7, 1), body)
    begins_s = midnight_s(date(2024, 7, 1), SOURCES["nyiso"].zone)
    assert ((found.times_s - begins_s) // 300).tolist() == [0, 1, 4]
    assert found.values.tolist() == [10.0, 20.0, 35.0]


@pytest.mark.parametrize(("lost", "count"), [(range(14, 24), 290), (range(4, 24), 269), (range(12, 30), 276)])
def test_showings_that_cannot_be_told_apart_are_missing_not_guessed(lost, count):
    header, *lines = recorded("nyiso_20241103realtime_zone.csv").decode().splitlines()
    kept = [line for i, line in enumerate(lines) if i // 2 not in lost]
    found = read(*NYISO_AUTUMN, zipped(day__csv="\n".join([header, *kept]).encode()))
    begins_s = midnight_s(date(2024, 11, 3), SOURCES["nyiso"].zone)
    assert ((found.times_s - begins_s) // 300 + 1.0).tolist() == found.values.tolist()
    assert len(found.values) == count


def test_an_empty_cell_is_missing_not_zero():
    reply = json.loads(recorded("ercot_spp_2024-11-03.json"))
    reply["data"][0][5] = None
    assert np.isnan(read(*ERCOT_AUTUMN, json.dumps(reply).encode()).values[-1])


@pytest.mark.parametrize(
    ("name", "day", "body"),
    [
        (*CAISO_AUTUMN, caiso("caiso_no_data.xml")),
        (*ENTSOE_AUTUMN, recorded("entsoe_no_data.xml")),
    ],
)
def test_an_operator_that_has_nothing_gives_no_row(name, day, body):
    assert not len(read(name, day, body).times_s)


PAGE = b"<html><head><title>Too many requests</title></head><body>slow down</body></html>"


@pytest.mark.parametrize("case", [ERCOT_AUTUMN, CAISO_AUTUMN, NYISO_AUTUMN])
def test_a_page_instead_of_data_is_named(case):
    refused(*case, PAGE, "a page instead of", "Too many requests", "Ask again later")


def test_a_page_instead_of_a_document_is_named():
    refused(*ENTSOE_AUTUMN, PAGE, "a document 'html', not prices")


@pytest.mark.parametrize("case", [CAISO_AUTUMN, NYISO_AUTUMN])
def test_a_zip_cut_short_is_refused(case):
    body = caiso("caiso_dam_2024-11-03.csv")
    for length in (len(body) // 2, len(body) - 30, 10, 0):
        refused(*case, body[:length], "no whole zip")


def test_a_damaged_zip_is_refused():
    body = bytearray(caiso("caiso_dam_2024-11-03.csv"))
    body[200] ^= 0xFF
    refused(*CAISO_AUTUMN, bytes(body), "no whole zip")


def test_a_zip_that_would_fill_the_disk_is_refused_unread():
    body = bytearray(zipped(bomb__csv=b"0" * 10_000))
    claimed = (2**32 - 2).to_bytes(4, "little")
    directory = body.index(b"PK\x01\x02")
    body[directory + 24 : directory + 28] = claimed  # the size that the zip's directory claims
    refused(*CAISO_AUTUMN, bytes(body), "unpacks to more than 400,000,000 bytes")


@pytest.mark.parametrize(
    ("case", "file", "wrap"),
    [
        (ERCOT_AUTUMN, "ercot_spp_2024-11-03.json", bytes),
        (ENTSOE_AUTUMN, "entsoe_fr_2024-10-27.xml", bytes),
        (CAISO_AUTUMN, "caiso_dam_2024-11-03.csv", lambda body: zipped(oasis__csv=body)),
        (NYISO_AUTUMN, "nyiso_20241103realtime_zone.csv", lambda body: zipped(day__csv=body)),
    ],
)
def test_a_reply_cut_short_is_refused(case, file, wrap):
    body = recorded(file)
    refused(*case, wrap(body[: len(body) // 2 + 7]), "cut short")


@pytest.mark.parametrize(
    ("case", "body", "words"),
    [
        (("ercot.real_time.hb_north", date(2024, 11, 3)), recorded("ercot_spp_2024-11-03.json"), ["rows of HB_SOUTH"]),
        (("nyiso.real_time.north", date(2024, 11, 3)), nyiso("nyiso_20241103realtime_zone.csv"), ["N.Y.C., WEST"]),
        (("caiso.day_ahead.sp15", date(2024, 11, 3)), caiso("caiso_dam_2024-11-03.csv"), ["TH_NP15_GEN-APND"]),
        (("entsoe.day_ahead.nl", date(2024, 10, 27)), recorded("entsoe_fr_2024-10-27.xml"), ["in_Domain", "10YNL"]),
    ],
)
def test_a_reply_about_another_point_is_refused(case, body, words):
    refused(*case, body, *words)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (b"EUR", b"PLN", "currency_Unit.name is 'PLN'"),
        (b">MWH<", b">KWH<", "price_Measure_Unit.name is 'KWH'"),
        (b"PT60M", b"PT15M", "only prices by PT15M"),
        (b"<position>25<", b"<position>26<", "position '26' of 25"),
        (b"<position>24<", b"<position>25<", "position 25 twice"),
        (b">24.00<", b">1e999<", "not a finite number"),
    ],
)
def test_a_document_in_another_unit_or_form_is_refused(before, after, words):
    body = recorded("entsoe_fr_2024-10-27.xml")
    assert before in body
    refused(*ENTSOE_AUTUMN, body.replace(before, after), words)


def test_an_entity_is_refused_before_it_unfolds():
    bomb = '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]><a>&y;</a>'
    refused(*ENTSOE_AUTUMN, bomb.encode(), "a document type or entity")
    refused(*ENTSOE_AUTUMN, bomb.encode("utf-16"), "no UTF-8")


def test_an_operators_own_error_is_told_in_its_words():
    refused(*CAISO_AUTUMN, caiso("caiso_invalid_request.xml"), "error 1004", "Date range exceeds the limit")
    error = {"timestamp": "2024-11-03", "code": 400, "status": "BAD_REQUEST", "message": "Invalid parameter"}
    refused(*ERCOT_AUTUMN, json.dumps(error).encode(), "Invalid parameter")
    refused(*ERCOT_AUTUMN, b'{"error_key": "throttled", "error_message": "Too Many Requests"}', "Too Many Requests")


def test_two_values_for_one_interval_are_refused_with_its_time():
    reply = json.loads(recorded("ercot_spp_2024-11-03.json"))
    reply["data"].append([*reply["data"][0][:5], 99.0, False])
    refused(*ERCOT_AUTUMN, json.dumps(reply).encode(), "two values for one interval, 100 and 99")


def test_the_same_row_twice_is_one_value():
    reply = json.loads(recorded("ercot_spp_2024-11-03.json"))
    reply["data"].append(reply["data"][0])
    assert len(read(*ERCOT_AUTUMN, json.dumps(reply).encode()).values) == 100


def test_more_pages_than_one_are_not_taken_for_the_whole():
    reply = json.loads(recorded("ercot_spp_2024-11-03.json"))
    reply["_meta"]["totalPages"] = 3
    refused(*ERCOT_AUTUMN, json.dumps(reply).encode(), "a reply in 3 pages")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda row: row.__setitem__(6, True), "is marked as repeated"),
        (lambda row: row.__setitem__(1, 25), "no such interval"),
        (lambda row: row.__setitem__(5, "n/a"), "'n/a' is not a finite number"),
    ],
)
def test_a_row_that_cannot_be_is_refused(change, words):
    reply = json.loads(recorded("ercot_spp_2024-11-03.json"))
    change(reply["data"][0])
    refused(*ERCOT_AUTUMN, json.dumps(reply).encode(), words)


def test_a_row_in_the_hour_that_spring_skips_is_refused():
    reply = json.loads(recorded("ercot_spp_2024-03-10.json"))
    reply["data"][0][1] = 3
    refused("ercot.real_time.hb_south", date(2024, 3, 10), json.dumps(reply).encode(), "is skipped by the clock")


def test_a_column_that_changed_its_name_is_told_with_those_there():
    body = recorded("nyiso_20241103realtime_zone.csv").replace(b"LBMP ($/MWHr)", b"LBMP ($/kWh)")
    refused(*NYISO_AUTUMN, zipped(day__csv=body), "no column 'LBMP ($/MWHr)'", "LBMP ($/kWh)")
