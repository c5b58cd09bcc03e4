"""Exports as people's programs save them, read alike; and the one line that a bad one gets."""

# ruff: noqa: E501 - exports have long lines

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from gaelp_sim.calibrate.account import Account
from gaelp_sim.calibrate.account_formats import ACCOUNT_FORMATS
from gaelp_sim.calibrate.account_reader import read_account
from gaelp_sim.errors import UsageError

GOOGLE = """\
Campaign report
"September 1, 2025 - September 3, 2025"
Day,Campaign,Campaign type,Device,Currency code,Impr.,Clicks,Cost,Conversions,Search impr. share
2025-09-01,Brand,Search,Mobile phones,USD,"1,234",56,"1,234.50",3.5,45.20%
2025-09-02,Brand,Search,Computers,USD,"2,000",50,12.00,--,< 10%
2025-09-03,Banner,Display,Tablets,USD,900,3,1.25,0, --
Total: Campaigns,,,,USD,"4,134",109,"1,247.75",3.5,20.00%
"""
GERMAN = """\
Kampagnenbericht\t\t\t\t\t\t\t\t\t
1. September 2025 - 3. September 2025\t\t\t\t\t\t\t\t\t
Tag\tKampagne\tKampagnentyp\tGerät\tWährungscode\tImpr.\tKlicks\tKosten\tConversions\tAnteil an möglichen Impressionen im Suchnetzwerk
01.09.2025\tBrand\tSearch\tMobile phones\tUSD\t1.234\t56\t1.234,50\t3,5\t45,20 %
02.09.2025\tBrand\tSearch\tComputers\tUSD\t2.000\t50\t12,00\t--\t< 10 %
03.09.2025\tBanner\tDisplay\tTablets\tUSD\t900\t3\t1,25\t0\t --
Gesamt: Kampagnen\t\t\t\tUSD\t4.134\t109\t1.247,75\t3,5\t20,00 %
"""
META = """\
Reporting starts,Reporting ends,Campaign name,Platform,Impression device,Impressions,Link clicks,Amount spent (EUR),Results
2025-09-01,2025-09-30,,,,"2,500",25,30.5,4
2025-09-01,2025-09-01,Prospecting,instagram,iphone,"1,500",15,20.25,3
2025-09-02,2025-09-02,Prospecting,facebook,desktop,"1,000",10,10.25,1
"""
GA4 = """\
# ----------------------------------------
# Traffic acquisition
# Start date: 20250901
# End date: 20250902
# ----------------------------------------

Date,Session default channel group,Device category,Sessions,Key events
20250901,Paid Search,mobile,120,4
20250901,Direct,desktop,300,9
20250902,Paid Social,mobile,80,1
,,,500,14
Grand total,,,500,14
"""


def read(tmp_path: Path, text: str | bytes, form: str = "google_ads", **channels: str) -> Account:
    path = tmp_path / "export.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_account(path, ACCOUNT_FORMATS[form], channels)


def refusal(tmp_path: Path, text: str | bytes, form: str = "google_ads") -> str:
    with pytest.raises(UsageError) as refused:
        read(tmp_path, text, form)
    line = str(refused.value)
    assert "\n" not in line
    return line.replace(str(tmp_path), "")


def same(one: Account, two: Account) -> bool:
    columns = [
        [account.day, account.hour, *account.metrics.values(), *account.share] for account in (one, two)
    ]
    words = [[account.channel, account.campaign, account.device, account.currency] for account in (one, two)]
    return words[0] == words[1] and all(np.array_equal(a, b, equal_nan=True) for a, b in zip(*columns, strict=True))


def test_google_ads(tmp_path: Path) -> None:
    account = read(tmp_path, GOOGLE)
    assert (account.first_day, account.days, account.currency) == (date(2025, 9, 1), 3, "USD")
    assert account.channel == ["search", "search", "display"] and account.device == ["mobile", "desktop", "tablet"]
    assert account.metrics["impressions"].tolist() == [1234, 2000, 900]
    assert account.metrics["cost"].tolist() == [1234.5, 12.0, 1.25]
    assert account.metrics["conversions"].tolist() == [3.5, 0, 0]
    assert account.share[0].tolist()[:2] == [0.452, 0.0] and account.share[1].tolist()[:2] == [0.452, 0.1]
    assert np.isnan(account.share[0][2]) and account.left_out == {"totals": 1}
    assert account.by_day("clicks").tolist() == [[0, 0, 3], [56, 50, 0]], "channels by name, days without rows are 0"


def test_the_same_export_in_another_locale(tmp_path: Path) -> None:
    assert same(read(tmp_path, GERMAN), read(tmp_path, GOOGLE))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    assert same(read(tmp_path, GERMAN.encode(encoding)), read(tmp_path, GOOGLE))


@pytest.mark.parametrize("change", [
    (",", ";"), ("2025-09-0", "9/"), ("2025-09-0", "Sep 0"), ("\n", "\r\n"), ("USD,", "usd,"), ("1,234.50", "$1,234.50"),
    ("1,234.50", "USD 1 234.50"), ("2,000", "2 000"), ("--", "—"), ("45.20%", "45.2 %"),
])
def test_other_ways_to_write_it(tmp_path: Path, change: tuple[str, str]) -> None:
    old, new = change
    text = GOOGLE.replace('"1,234"', "1234").replace('"2,000"', "2000").replace('"1,234.50"', "1234.50")
    if new == "9/":
        for day in (1, 2, 3):
            text = text.replace(f"2025-09-0{day}", f"9/{day}/2025")
    elif new == "Sep 0":
        for day in (1, 2, 3):
            text = text.replace(f"2025-09-0{day}", f'"Sep {day}, 2025"')
    elif old in ("1,234.50", "2,000"):
        text = GOOGLE.replace(f'"{old}"', f'"{new}"')
    else:
        text = text.replace(old, new) if old != "," else text.replace('"September 1, 2025', '"September 1 2025').replace(",", ";")
    assert same(read(tmp_path, text), read(tmp_path, GOOGLE))


def test_meta(tmp_path: Path) -> None:
    account = read(tmp_path, META, "meta")
    assert account.currency == "EUR" and account.channel == ["social", "social"] and account.device == ["mobile", "desktop"]
    assert account.metrics["clicks"].tolist() == [15, 10] and account.left_out == {"totals": 1}


def test_ga4(tmp_path: Path) -> None:
    account = read(tmp_path, GA4, "ga4")
    assert account.channel == ["search", "social"] and "impressions" not in account.metrics and "cost" not in account.metrics
    assert account.metrics["clicks"].tolist() == [120, 80]
    assert account.left_out == {"totals": 2, "rows of channels without ads": 1}
    nth = GA4.replace("Date,", "Nth day,").replace("20250901,", "0000,").replace("20250902,", "0001,")
    assert same(read(tmp_path, nth, "ga4"), account)


def test_hours(tmp_path: Path) -> None:
    text = GOOGLE.replace("Day,", "Day,Hour of the day,").replace("-01,B", "-01,13,B").replace("-02,B", "-02,1 PM,B")
    text = text.replace("-03,B", "-03,00:00,B").replace("Total: Campaigns,", "Total: Campaigns,,")
    assert read(tmp_path, text).hour.tolist() == [13, 13, 0]
    both = GA4.replace("Date,", "Date + hour (YYYYMMDDHH),").replace("0901,", "090107,")
    account = read(tmp_path, both.replace("0902,", "090223,"), "ga4")
    assert account.hour.tolist() == [7, 23] and account.days == 2


def test_channels_can_be_named(tmp_path: Path) -> None:
    account = read(tmp_path, GOOGLE, **{"Brand": "brand", "Display": "banners"})
    assert account.channel == ["brand", "brand", "banners"], "a campaign's name goes first"


BAD = [
    ("", "export.csv:1: file: it is empty"),
    (b"\x1f\x8b\x08rest", "export.csv:1: file: it is a gzip file; unpack it first"),
    (b"PK\x03\x04rest", "save it as CSV first"),
    (b"\xff\xfeD", "export.csv:1: text: bytes are not valid utf-16"),
    (GOOGLE.replace("Brand", "Br\x00nd", 1), "export.csv:4: text: it holds bytes that are no text"),
    (GOOGLE.replace("Brand", "B" * 70_000, 1), "export.csv:4: line: it has 70,"),
    (GOOGLE.replace("Brand", '"Brand', 1), "export.csv:4: quotes: "),
    (GOOGLE.replace("Day,", "When,"), "names 'day', as a Google Ads export does"),
    (GOOGLE.replace(",", ":"), "names 'day'"),
    (GOOGLE.split("2025-09-01")[0], "export.csv:3: rows: no row of figures follows the header"),
    (GOOGLE.replace("USD,900,3", "USD,900"), "export.csv:6: columns: 9 cells, the header in line 3 has 10"),
    (GOOGLE.replace(",56,", ",nan,"), "export.csv:4: Clicks: 'nan' is not a number"),
    (GOOGLE.replace(",56,", ",inf,"), "export.csv:4: Clicks: 'inf' is not a number"),
    (GOOGLE.replace(",56,", ",-56,"), "export.csv:4: Clicks: '-56' is not between 0 and"),
    (GOOGLE.replace(",56,", ",56.5,"), "export.csv:4: Clicks: '56.5' is not a whole number"),
    (GOOGLE.replace("12.00", '"1.234,00"'), "has other decimals than line 4"),
    (GOOGLE.replace('"1,234"', '"12,34"').replace('"1,234.50"', "1.5"), "has other decimals than line 4"),
    (GOOGLE.replace("2025-09-02", "2025-02-30"), "export.csv:5: Day: '2025-02-30' is not a day; write it as YYYY-MM-DD"),
    (GOOGLE.replace("2025-09-02", "1925-09-02"), "export.csv:5: day: days lie over 3660 days apart"),
    (GOOGLE.replace("USD,900", "EUR,900"), "export.csv:6: Currency code: EUR here, USD in line 4; export one currency a file"),
    (GOOGLE.replace("1.25", "€1.25"), "export.csv:6: Cost: EUR here, USD in line 4"),
    (GOOGLE.replace("Display", "Billboards"), "'Billboards' is no channel we know; say --channel 'Billboards=NAME'"),
    (GOOGLE.replace("45.20%", "145.20%"), "export.csv:4: Search impr. share: '145.20%' is not between 0 and 100 %"),
    (GOOGLE.replace("45.20%", "much"), "export.csv:4: Search impr. share: 'much' is not a share"),
    (GOOGLE + GOOGLE.splitlines()[4], "export.csv:8: row: it is line 5 once more"),
]


@pytest.mark.parametrize("text,told", BAD)
def test_a_bad_file_is_one_line(tmp_path: Path, text: str | bytes, told: str) -> None:
    assert told in refusal(tmp_path, text)


@pytest.mark.parametrize("text,told,form", [
    (META.replace("2025-09-02,2025-09-02", "2025-09-02,2025-09-08"), "Reporting ends: the row covers several days", "meta"),
    (META.replace("10.25", "$10.25"), "Amount spent (EUR): USD here, EUR in the header", "meta"),
    (GA4.replace(",Sessions", ",Users").replace(",Key events", ",Views"), "names 'sessions' or 'key events'", "ga4"),
    (GA4.replace("Paid S", "Organic S"), "channel: no row is of a paid channel", "ga4"),
    (GA4.replace("Date,", "Nth day,").replace("# Start", "# Began"), "Nth day: no comment", "ga4"),
])
def test_a_bad_file_of_another_platform(tmp_path: Path, text: str, told: str, form: str) -> None:
    assert told in refusal(tmp_path, text, form)


def test_days_that_may_be_two_months_are_refused(tmp_path: Path) -> None:
    """9/8 and 8/9: without a part above 12, and with gaps alike, nothing tells the month."""
    lines = GOOGLE.splitlines()
    text = "\n".join([*lines[:3], lines[3].replace("2025-09-01", "9/8/2025")])
    assert "may be a day of two months; export days as YYYY-MM-DD" in refusal(tmp_path, text)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_account(tmp_path / "none.csv", ACCOUNT_FORMATS["meta"])


def test_cut_keeps_the_first_days(tmp_path: Path) -> None:
    account = read(tmp_path, GOOGLE).cut(2)
    assert account.days == 2 and account.channel == ["search", "search"] and account.metrics["clicks"].tolist() == [56, 50]
