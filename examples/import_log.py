"""A log of real ads (here: four lines written below) as a run, so that whatever asks runs can be asked of it."""

from pathlib import Path

import gaelp_sim as gaelp
from gaelp_sim.analyse.import_log import import_log
from gaelp_sim.calibrate.mapping import load_mapping
from gaelp_sim.store import Store

Path("ads.csv").write_text("""\
at,cookie,medium,clicked,cost,order,bought_at,paid
2025-03-01T09:00:00,ann,search,1,0.80,,,
2025-03-02T20:15:00,ann,social,1,0.20,o-1,2025-03-02T21:00:00,90
2025-03-03T08:30:00,ben,social,0,0.05,,,
2025-03-04T11:00:00,ben,search,1,1.10,o-2,2025-03-06T10:00:00,60
""")
Path("shop.yaml").write_text("""\
name: shop
time: iso
columns:
  {time: at, user: cookie, channel: medium, click: clicked, cost: cost, order: order, sale_time: bought_at, value: paid}
""")
with Store.open("sqlite:///example.db") as store:
    done = import_log(store, Path("ads.csv"), load_mapping("shop.yaml"), "shop", lambda rows: None)
print(f"{done.figures['rows']} rows of {done.figures['users']} users, {done.figures['conversions']} sales")

run = gaelp.open_run(done.run.run_id, db="sqlite:///example.db")
for row in run.attribute("linear").rows():
    print(f"{row[3]:<8} {row[4]:.1f} sales for {row[7]:.2f} USD")
