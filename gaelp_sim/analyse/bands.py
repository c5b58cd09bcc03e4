"""What is known of such markets: bands from published or measured figures, and a few that we chose."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Band:
    """Between what a quantity should lie, by whose word, and on how many observations it can be judged."""

    quantity: str
    low: float
    high: float
    source: str
    least: int
    """Observations below which the quantity is left out."""
    note: str = ""


PRICE_NOTE = (
    "an all-industry mean of 4.2-5.3 is published (weak); with it, a CTR of 3-6 %, 3 impressions per sale and a CAC of 100 "
    "can't hold together, so the flagship keeps dearer clicks and more impressions; `published_prices` is the other choice"
)
CTR_NOTE = (
    "3-6 % is an all-industry mean (published, weak); whoever buys late queries meets people near a purchase "
    "(AMSS: up to 10 %)"
)
NOISE_NOTE = "a world's market noise (normal, 10 %) moves it: the band allows for two standard deviations"
LAG_NOTE = (
    "half of all lags are impulses, half are considered: the distribution is flat around its median, so luck moves it"
)

BANDS = (
    Band("CTR search", 0.03, 0.10, "published means 3-6 %; AMSS .5-10 % by activity", 500, CTR_NOTE),
    Band("CTR social", 0.005, 0.02, "published, weak: .5-2 %", 500),
    Band("CTR display", 0.0004, 0.0034, "measured in public bid logs", 500),
    Band("CTR video", 0.001, 0.005, "chosen: the scenario's own rates by stage", 500),
    Band(
        "CTR retarget", 0.004, 0.012, "published .7-1.0 % (weak); chosen down to .4, a little low in the model", 500
    ),
    Band("CTR e-mail", 0.02, 0.05, "published, weak: 2-5 %", 500),
    Band(
        "CPC search", 4.2, 11.0, "published, weak: a mean of 4.2-5.3; chosen: 6-11 as in the model", 100, PRICE_NOTE
    ),
    Band("CPM social", 9.9, 15.4, "published, weak: 11-14, market noise 10 %", 500, NOISE_NOTE),
    Band("CPM display", 2.5, 4.6, "chosen: measured 3.4-4.2 in the model, market noise 10 %", 500, NOISE_NOTE),
    Band("CPM video", 11.0, 21.0, "chosen: measured 14-19 in the model, market noise 10 %", 500, NOISE_NOTE),
    Band("CPM retarget", 9.0, 15.4, "chosen: measured 12-14 in the model, market noise 10 %", 500, NOISE_NOTE),
    Band("win rate", 0.10, 0.60, "chosen: .10-.45 measured for good policies; market noise .15", 500, NOISE_NOTE),
    Band("opportunities per person-day", 0.15, 0.60, "chosen: .46 measured in the model, without people who left", 500),
    Band("won impressions per converter, median", 4.0, 9.0, "chosen: 5-9 measured in the model", 30, PRICE_NOTE),
    Band("interactions per converter, 25 %", 1.0, 3.0, "measured 2 in public path files", 30),
    Band("interactions per converter, median", 2.0, 4.0, "measured 3 in public path files", 30),
    Band("interactions per converter, 75 %", 5.0, 7.0, "measured 6 in public path files", 30),
    Band("interactions per converter, 90 %", 7.0, 9.0, "measured 8 in public path files", 30),
    Band("interactions per converter, mean", 3.5, 5.3, "measured 4.4 in public path files", 30),
    Band("converters without an interaction", 0.0, 0.29, "chosen: .21-.29 in the model, which had no visits", 30),
    Band("first touch to sale, median days", 3.0, 14.0, "the product's own: people take 3-14 days", 30),
    Band("first touch to sale, 90 % days", 14.0, 35.0, "chosen: 33 measured over 60 days; a run ends earlier", 30),
    Band("first interaction to sale, median days", 0.3, 10.0, "chosen: .3-2.4 in the model, which had no visits", 30),
    Band("first interaction to sale, 90 % days", 10.0, 25.0, "chosen: 16-21 measured in the model", 30),
    Band("sales by crisis parents", 0.40, 0.60, "chosen: .45-.50 measured in the model", 30),
    Band("decided to paid, 25 % hours", 0.1, 0.4, "published: 11.8 minutes (Criteo search)", 200),
    Band("decided to paid, median hours", 0.5, 12.0, "published: 2.0 hours (Criteo search)", 200, LAG_NOTE),
    Band("decided to paid, 75 % hours", 100.0, 160.0, "published: 5.4 days (Criteo search)", 200),
    Band("decided to paid, mean hours", 80.0, 120.0, "published: 4.2 days (Criteo search)", 200),
    Band("paid within 24 hours", 0.45, 0.60, "published, second-hand: about 50 % (Criteo display)", 200),
    Band("paid within 14 days", 0.82, 0.95, "derived: .875 (Criteo display)", 200),
    Band("sales paid after the last day", 0.03, 0.25, "the product's own: some pay long after their last ad", 30),
    Band("report delay, median hours", 20.0, 28.0, "chosen: uniform over 0-48 hours", 200),
    Band("report delay, longest hours", 44.0, 48.0, "chosen: uniform over 0-48 hours", 200),
    Band("busiest hour over quietest", 9.0, 11.0, "measured in public ad logs", 100),
    Band("busiest weekday over quietest", 1.3, 1.65, "measured 1.47 (Avito)", 1_000),
)
