"""What ships, in one line each; and the commented file that a new scenario starts from."""

from __future__ import annotations

from gaelp_sim.errors import ScenarioError
from gaelp_sim.scenario.loading import load_scenario, parse_scenario
from gaelp_sim.scenario.scalars import shown
from gaelp_sim.scenario.shipped import shipped_names

_PLACE = "NAME_OF_SCENARIO"
_TEMPLATE = f"""\
# yaml-language-server: $schema=scenario.schema.json
# (write that file once with `gaelp scenarios schema > scenario.schema.json`: editors then complete and check this one)
#
# Check it: gaelp scenarios validate {_PLACE}.yaml      All defaults: gaelp scenarios show {_PLACE}.yaml
# Run it:   gaelp run {_PLACE}.yaml --set population.people=2000
name: {_PLACE}
description: What this market is about, in one line.
start: 2025-09-01   # decides weekday and season
days: 14
seed: 1             # same seed, same world

economics: {{ltv_usd: 180.0, cac_target_usd: 100.0}}

population:
  people: 1000
  segments:         # shares sum to 1
    - name: eager
      share: 0.3
      start: {{unaware: 0.50, aware: 0.30, considering: 0.15, intent: 0.05}}   # where they stand on day 1; sums to 1
      up_per_day: {{unaware: 0.03, aware: 0.08, considering: 0.15}}            # moves up without any ad, per day
      purchase_per_day: 0.25      # in intent: decides to buy, from us or from a rival
      purchase_per_click: 0.10    # in intent: buys at once on a click
    - name: casual
      share: 0.7
      start: {{unaware: 0.90, aware: 0.08, considering: 0.02, intent: 0}}
      up_per_day: {{unaware: 0.01, aware: 0.02, considering: 0.05}}
      purchase_per_day: 0.15
      purchase_per_click: 0.05

curves:
  hour: [0.30, 0.19, 0.16, 0.16, 0.19, 0.30, 0.52, 0.80, 1.02, 1.20, 1.30, 1.36,
         1.38, 1.40, 1.36, 1.36, 1.36, 1.36, 1.42, 1.52, 1.62, 1.60, 1.25, 0.80]

channels:
  - name: search
    mechanism: second_price       # first_price, second_price, gsp, vcg
    charge: cpc                   # cpc: a click; cpm: a thousand impressions
    opportunities_per_day: {{unaware: 0.02, aware: 0.08, considering: 0.30, intent: 0.70}}   # per person
    click_rate: {{unaware: 0.010, aware: 0.024, considering: 0.052, intent: 0.085}}
    examined: 0.85                # probability that a shown ad is looked at
    click_moves_up: {{unaware: 0.60, aware: 0.35, considering: 0.25}}
    view_moves_up: {{unaware: 0.03, aware: 0.015, considering: 0.012}}
    view_adds_goodwill: 0.016
    signals:                      # what bidders see; at each stage the shares sum to 1
      - name: generic
        price_median_usd: 2.5     # the price to beat
        share: {{unaware: 0.85, aware: 0.60, considering: 0.30, intent: 0.10}}
      - name: category
        price_median_usd: 5.5
        share: {{unaware: 0.15, aware: 0.40, considering: 0.70, intent: 0.90}}

creatives:
  - name: teach
    family: teach
    match: {{unaware: 1.30, aware: 1.10, considering: 0.60, intent: 0.35}}
  - name: offer
    family: offer
    match: {{unaware: 0.35, aware: 0.60, considering: 1.10, intent: 1.30}}

us:
  name: Aura
  campaigns:
    - name: Search
      channel: search
      creatives: [teach, offer]
  budget: {{usd_day: 50.0}}

rivals:   # five seats at these levels keep the greatest of their bids at the channel's median price
  - {{name: Qustodio, strategy: lognormal, level: 1.25}}
  - {{name: Bark, strategy: lognormal, level: 1.05, budget_usd_month: 5000.0}}
  - {{name: Circle, strategy: rule, level: 0.90}}
  - {{name: Norton, strategy: random, level: 1.10}}
  - {{name: Net Nanny, strategy: lognormal, level: 1.05}}

conversion:
  purchase_lag:   # from deciding to paying
    - {{weight: 1.0, median_hours: 6.0, sigma: 1.2}}
"""


def list_scenarios() -> list[tuple[str, str]]:
    """(name, one-line description) of every shipped scenario, by name."""
    return [(name, load_scenario(name).description) for name in shipped_names()]


def new_scenario_text(name: str) -> str:
    """A small commented scenario of that name, valid as it stands, with the line that tells editors its schema.

    Raises ScenarioError when the name is not one a scenario can have.
    """
    text = _TEMPLATE.replace(_PLACE, name)
    try:
        scenario = parse_scenario(text, "NAME")
    except ScenarioError:
        scenario = None
    if scenario is None or scenario.name != name:
        rule = "a letter first, then up to 39 letters, digits, '_', '.', '-'"
        raise ScenarioError(f"NAME: {shown(name)} is no name for a scenario; {rule}")
    return text
