"""Dates of cells: ISO 8601 or the stated form, and nothing else."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from il2cyto.study.dates import DateFormat, Moment, read_iso

DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))
FORMS = ["%d.%m.%Y", "%m/%d/%Y", "%Y/%m/%d", "%Y%m%d", "%d%b%Y", "%d-%b-%y", "%Y年%m月%d日", "%d.%m.%y", "%b %d, %Y"]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2021-03-04", Moment(date(2021, 3, 4))),
        ("2020-02-29", Moment(date(2020, 2, 29))),
        ("2021-03-04T08:30", Moment(date(2021, 3, 4), time(8, 30))),
        ("2021-03-04 08:30:15", Moment(date(2021, 3, 4), time(8, 30, 15))),
        # a day stays that of the place where it was written
        ("2021-03-04T23:30:00.5Z", Moment(date(2021, 3, 4), time(23, 30), "Z")),
        ("2021-03-04T00:10+08:00", Moment(date(2021, 3, 4), time(0, 10), "+08:00")),
        ("2021", Moment(None, partial="2021-UN-UN")),
        ("2021-03", Moment(None, partial="2021-03-UN")),
        ("2021-03-UN", Moment(None, partial="2021-03-UN")),
        ("2021-UNK-UNK", Moment(None, partial="2021-UN-UN")),
        ("2021---04", Moment(None, partial="2021-UN-UN")),
        ("04.03.2021", None),
        ("03/04/2021", None),
        ("20210304", None),
        ("21-03-04", None),
        ("2021-3-4", None),
        ("2021-03-04T08", None),
        ("2021-03-04T08:30 PM", None),
        ("", None),
    ],
)
def test_iso(text, moment):
    assert read_iso(text) == moment


@pytest.mark.parametrize("text", ["2021-02-29", "2021-13", "2021-13-01", "2021-00-10", "2021-03-04T24:00"])
def test_what_no_calendar_has(text):
    with pytest.raises(ValueError, match=r"."):
        read_iso(text)


@given(day=DAYS, form=st.sampled_from(FORMS))
def test_a_stated_form_reads_what_strftime_writes(day, form):
    # strftime's %b is that of the C locale, which tests run in
    assert DateFormat.parse(form).read(day.strftime(form)) == Moment(day)


@given(day=DAYS)
def test_digits_may_be_left_out_where_a_sign_follows(day):
    assert DateFormat.parse("%d.%m.%Y").read(f"{day.day}.{day.month}.{day.year}") == Moment(day)


@pytest.mark.parametrize(
    ("form", "text", "moment"),
    [
        ("%d.%m.%Y %H:%M", "04.03.2021 8:05", Moment(date(2021, 3, 4), time(8, 5))),
        ("%d%b%Y", "04mar2021", Moment(date(2021, 3, 4))),
        ("%d%b%Y", "UNMAR2021", Moment(None, partial="2021-03-UN")),
        ("%d.%m.%Y", "UN.UNK.2021", Moment(None, partial="2021-UN-UN")),
        ("%d.%m.%Y", "04.03.21", None),
        ("%d.%m.%y", "04.03.2021", None),
        ("%d.%m.%y", "04.03.68", Moment(date(2068, 3, 4))),
        ("%d%b%Y", "04MRZ2021", None),
        ("%Y%m%d", "2021304", None),
        ("%d.%m.%Y", "04,03,2021", None),
    ],
)
def test_a_stated_form(form, text, moment):
    assert DateFormat.parse(form).read(text) == moment


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("%d.%m", "year, month and day once each"),
        ("%d.%m.%Y.%d", "once each"),
        ("%y %Y %m %d", "once each"),
        ("dd.mm.yyyy", "once each"),
        ("%x", "%x is not read; choose from %Y"),
        ("%d.%m.%Y %M", "a time needs its hour"),
        ("%Y-%d-%m", "ISO dates such as 2021-03-04 could be read in this form"),
    ],
)
def test_a_form_that_is_none(form, message):
    with pytest.raises(ValueError, match=message):
        DateFormat.parse(form)


@given(day=DAYS, shift=st.integers(-40, 40))
def test_two_days_never_read_alike(day, shift):
    form = DateFormat.parse("%Y%m%d")
    other = day + timedelta(days=shift)
    assert (form.read(f"{day:%Y%m%d}") == form.read(f"{other:%Y%m%d}")) == (shift == 0)
