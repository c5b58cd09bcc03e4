"""A run's large tables as Parquet files, read without this package: by DuckDB in SQL, and by Arrow into numpy columns."""

from pathlib import Path

import duckdb
import numpy as np
import pyarrow.compute as compute
import pyarrow.dataset as dataset

from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.world.simulate import RunRequest, run

summary = run(RunRequest(load_scenario("short"), "sqlite:///example.db", lake="lake", days=4))
print(f"run {summary.run_id}: {len(list(Path('lake').rglob('*.parquet')))} files")

# Columns are those of the tables: times in epoch seconds, money in whole micros, codes for names, -1 for none.
by_channel = """
    SELECT channel, COUNT(*) AS touches, SUM(price_micros) / 1e6 AS spent_usd
    FROM read_parquet('lake/touchpoint/**/*.parquet') WHERE advertiser = 0 GROUP BY channel ORDER BY channel
"""
for channel, touches, spent_usd in duckdb.sql(by_channel).fetchall():
    print(f"channel {channel}: {touches} touches of ours, {spent_usd:.2f} USD")

decisions = dataset.dataset("lake/decision", partitioning="hive").to_table(columns=["bid_micros", "propensity"])
bids = decisions.filter(compute.field("bid_micros") > 0)["bid_micros"].to_numpy()
print(f"{len(bids)} bids, the median {np.median(bids) / 1e6:.2f} USD")
