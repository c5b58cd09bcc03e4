"""The exports of ad platforms: what their columns are called, and which channel of a scenario they speak of.

Google Ads: a report of campaigns segmented by day (and hour, device), as its page or an editor saves it; two title lines
may stand before the header and total lines after the rows. Meta: an Ads Reporting export broken down by day. GA4: an
exploration or report with a date, a channel group, sessions and key events; lines that begin with # are comments.
"""

from __future__ import annotations

from dataclasses import dataclass, field

METRICS = ("impressions", "clicks", "cost", "conversions")
"""What an export may count; one of them at least."""
UNPAID = ""
"""The channel of rows that nobody bids for."""


@dataclass(frozen=True)
class AccountFormat:
    """How one platform's export names its columns, channels and devices; names in lower case."""

    name: str
    title: str
    columns: dict[str, tuple[str, ...]]
    """Field -> the header names it answers to; a currency in brackets after a name is cut off first"""
    needed: tuple[tuple[str, ...], ...]
    """Of each group of fields, one must be there"""
    channels: dict[str, str]
    """What the export calls a channel -> the scenario's channel; UNPAID for what nobody bids for"""
    one_channel: str
    """The channel of all rows where the export has no such column"""
    sales_by_click: bool
    """Whether a sale is counted on the day of the click that led to it, or on its own day"""
    asks: str
    """What to export, for errors"""
    totals: tuple[str, ...] = ("total", "grand total", "gesamt", "totals")
    """How the first word of a line of totals begins"""
    comment: str = "#"
    blank_campaign_is_total: bool = False
    window_days: int = field(default=30)
    """Days after the click within which a sale is counted"""


_GOOGLE_ADS = AccountFormat(
    "google_ads", "Google Ads",
    {
        "day": ("day", "date", "tag", "datum", "jour", "día", "dia"),
        "hour": ("hour of the day", "hour of day", "hour", "tageszeit", "stunde"),
        "campaign": ("campaign", "campaign name", "kampagne", "campagne", "campaña"),
        "channel": ("campaign type", "advertising channel type", "advertising channel", "kampagnentyp", "network",
                    "network (with search partners)"),
        "device": ("device", "gerät", "appareil", "dispositivo"),
        "currency": ("currency code", "currency", "account currency code", "währungscode"),
        "impressions": ("impr.", "impressions", "impr", "impressionen"),
        "clicks": ("clicks", "klicks", "clics", "interactions"),
        "cost": ("cost", "kosten", "coût", "coste", "spend"),
        "conversions": ("conversions", "conv.", "conversions (by click time)"),
        "share": ("search impr. share", "search impression share", "impr. share", "display impr. share",
                  "search impr. share (exact)", "anteil an möglichen impressionen im suchnetzwerk"),
    },
    (("day",), ("impressions",), ("clicks", "cost", "conversions")),
    {
        "search": "search", "google search": "search", "search network": "search", "search partners": "search",
        "search only": "search", "shopping": "shopping", "display": "display", "display network": "display",
        "google display network": "display", "display only": "display", "video": "video", "youtube videos": "video",
        "youtube search": "video", "youtube": "video", "performance max": "performance_max",
        "cross-network": "performance_max",
        "demand gen": "demand_gen", "discovery": "demand_gen", "app": "app", "smart": "smart",
    },
    "search", True,
    "in Campaigns choose the segment Time > Day, the columns Impr., Clicks, Cost, Conversions, and download as .csv",
)

_META = AccountFormat(
    "meta", "Meta ads",
    {
        "day": ("day", "reporting starts", "date", "tag"),
        "day_end": ("reporting ends",),
        "hour": ("time of day (ad account time zone)", "hourly stats (advertiser time zone)"),
        "campaign": ("campaign name", "campaign", "ad set name", "kampagnenname"),
        "channel": ("platform", "publisher platform"),
        "device": ("impression device", "device platform", "impression_device"),
        "currency": ("currency",),
        "impressions": ("impressions", "impressionen"),
        "clicks": ("link clicks", "clicks (all)", "clicks", "outbound clicks"),
        "cost": ("amount spent", "spend", "ausgegebener betrag"),
        "conversions": ("results", "purchases", "website purchases", "conversions", "ergebnisse"),
    },
    (("day",), ("impressions",), ("clicks", "cost", "conversions")),
    {"facebook": "social", "instagram": "social", "messenger": "social", "threads": "social",
     "audience network": "display", "audience_network": "display", "whatsapp": "social", "unknown": "social"},
    "social", True,
    "in Ads Reporting choose the breakdown By time > Day, columns Impressions, Link clicks, Amount spent, Results, as .csv",
    blank_campaign_is_total=True,
    window_days=7,
)

_GA4 = AccountFormat(
    "ga4", "Google Analytics 4",
    {
        "day": ("date", "day"),
        "nth_day": ("nth day",),
        "date_hour": ("date + hour (yyyymmddhh)", "date hour", "date + hour", "datehour"),
        "hour": ("hour",),
        "campaign": ("session campaign", "campaign", "session google ads campaign", "first user campaign"),
        "channel": ("session default channel group", "session primary channel group (default channel group)",
                    "default channel group", "first user default channel group",
                    "first user primary channel group (default channel group)", "session default channel grouping"),
        "device": ("device category", "device"),
        "currency": ("currency",),
        "impressions": ("ads impressions", "google ads impressions"),
        "clicks": ("sessions", "ads clicks"),
        "cost": ("ads cost", "google ads cost"),
        "conversions": ("key events", "conversions", "transactions", "ecommerce purchases", "purchases"),
    },
    (("day", "nth_day", "date_hour"), ("clicks", "conversions")),
    {
        "paid search": "search", "paid shopping": "shopping", "paid social": "social", "display": "display",
        "paid video": "video", "paid other": "display", "cross-network": "performance_max", "email": UNPAID, "sms": UNPAID,
        "direct": UNPAID, "organic search": UNPAID, "organic social": UNPAID, "organic video": UNPAID,
        "organic shopping": UNPAID, "referral": UNPAID, "affiliates": UNPAID, "audio": UNPAID, "unassigned": UNPAID,
        "mobile push notifications": UNPAID, "(other)": UNPAID, "ai assistant": UNPAID,
    },
    "", False,
    "export a report with Date, Session default channel group, Sessions and Key events as .csv",
)

ACCOUNT_FORMATS: dict[str, AccountFormat] = {one.name: one for one in (_GOOGLE_ADS, _META, _GA4)}

DEVICES = {
    "mobile phones": "mobile", "mobile": "mobile", "mobile devices with full browsers": "mobile", "smartphone": "mobile",
    "iphone": "mobile", "android_smartphone": "mobile", "android smartphone": "mobile", "mobile app": "mobile",
    "mobile_app": "mobile", "mobile web": "mobile", "mobile_web": "mobile", "computers": "desktop", "desktop": "desktop",
    "computer": "desktop", "tablets": "tablet", "tablet": "tablet", "tablets with full browsers": "tablet",
    "ipad": "tablet", "android_tablet": "tablet", "android tablet": "tablet",
}
"""What exports call a device; every other word is `other`."""
