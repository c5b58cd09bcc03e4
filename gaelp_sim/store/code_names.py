"""Names of the fixed codes, as the views print them; kept apart from `events` so that a query needn't load numpy."""

from __future__ import annotations

# A test holds each tuple equal to the enum of the same meaning in `gaelp_sim.events`: position i names code i.
STAGES = ("UNAWARE", "AWARE", "CONSIDERING", "INTENT", "CONVERTED")
JOURNEY_STATUSES = ("NONE", "ACTIVE", "CONVERTED", "LOST")
TOUCH_KINDS = ("IMPRESSION", "EMAIL", "VISIT")
DECISION_STATUSES = ("NOT_ENTERED", "LOST", "WON", "DROPPED_BUDGET")
CONVERSION_VIAS = ("HAZARD", "CLICK")
TRIGGER_KINDS = ("CRISIS_PERSON", "CRISIS_WORLD", "SEGMENT_DRIFT")
DEVICE_KINDS = ("MOBILE", "DESKTOP", "TABLET")
STRATEGIES = ("LOGNORMAL", "RULE", "RANDOM", "Q_LEARNING", "POLICY_GRADIENT", "VALUE", "OUTSIDE")
IDENTITY_METHODS = ("LOGIN", "LINK", "SPLIT")
PRICE_METHODS = ("KAPLAN_MEIER", "LOGNORMAL")
VERDICTS = ("ACCEPTED", "LATE", "EARLY", "DUPLICATE", "FOREIGN", "ABSURD")
"""What became of a row that an agent from outside wrote."""

US = 0
"""Code of our own advertiser."""
WON = DECISION_STATUSES.index("WON")
IMPRESSION, EMAIL, VISIT = range(len(TOUCH_KINDS))
