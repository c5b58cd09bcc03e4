"""Simulate a small world, ask it in SQL, and take its touches as columns."""

import gaelp_sim as gaelp

run = gaelp.run("quickstart", db="sqlite:///example.db", sets=["population.people=500"], days=7, seed=1)
print(run, "spent", run.summary["spend_usd"], "USD")

by_channel = """
    SELECT channel, SUM(clicks) AS clicks, SUM(spend_usd) AS spend_usd
    FROM channel_daily WHERE advertiser = 'Aura' GROUP BY channel ORDER BY channel
"""
channels = run.query(by_channel)
for channel, clicks, spend_usd in channels.rows():
    print(f"{channel:<8} {clicks:>4} clicks  {spend_usd:8.2f} USD")

touches = run.view("touchpoints")  # numpy columns; .to_pandas(), .to_polars() and .to_arrow() where these are installed
print(f"{len(touches):,} touches, {int(touches['clicked'].sum())} of them clicked")
