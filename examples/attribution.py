"""Credit by three attribution models beside what each channel's ads truly caused, and what each model is off by."""

import gaelp_sim as gaelp

run = gaelp.run("short", db="sqlite:///example.db", sets=["population.people=2000"], worlds=4)
credit = run.attribute("last", "linear", "shapley")
caused = run.incrementality(by="channel")  # the same people with the same luck, a channel's ads withheld

for channel, sales, low, high in zip(*(caused[name] for name in ("channel", "sales_delta", "low", "high")), strict=True):
    print(f"{channel or 'all our ads'} caused {sales:.0f} sales ({low:.0f} to {high:.0f})")
    for model, name, credited in zip(*(credit[name] for name in ("model", "channel", "conversions")), strict=True):
        if name == channel and channel:
            print(f"  {model:<8} credits {credited:6.1f}")
errors = run.view("attribution_errors")
for model, mae in sorted(zip(errors["model"], errors["mae"], strict=True), key=lambda row: float(row[1])):
    print(f"{model:<8} is off by {mae:.1f} sales a channel")
