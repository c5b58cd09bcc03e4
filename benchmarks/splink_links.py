"""Splink on the same devices, in a process of its own: `python -m benchmarks.splink_links DEVICES.npz PAIRS.npz`.

Its comparisons are those that a device's record allows: the addresses seen (how many of them two devices share), the
commonest address and place with term frequencies, the busiest three hours of the day. It blocks on any shared address of at
most 80 devices, as ours does, and on the commonest address; it learns m by expectation-maximisation and u from random
pairs, as its documentation says to.
"""

from __future__ import annotations

import logging
import sys
import time
import warnings
from typing import Any

import numpy as np

PAIRS_MAX = 5_000_000
PROBABILITY_MIN = 0.001


def records(told: Any) -> Any:
    """A device a row, as an Arrow table."""
    import pyarrow as pa

    address, place = (pa.array(told[name], mask=told[name] < 0) for name in ("address", "place"))
    return pa.table({
        "unique_id": pa.array(told["device"]), "address": address, "place": place, "hours": pa.array(told["hours"]),
        "addresses": pa.ListArray.from_arrays(pa.array(told["first"].astype(np.int32)), pa.array(told["addresses"])),
    })


def linked(table: Any) -> tuple[Any, float]:
    """Pairs with probabilities as columns, and seconds from the table to there."""
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    began = time.perf_counter()
    settings = SettingsCreator(
        link_type="dedupe_only",
        blocking_rules_to_generate_predictions=[
            block_on("addresses", arrays_to_explode=["addresses"]), block_on("address"),
        ],
        comparisons=[
            cl.ExactMatch("address").configure(term_frequency_adjustments=True),
            cl.ArrayIntersectAtSizes("addresses", [3, 1]),
            cl.ExactMatch("place").configure(term_frequency_adjustments=True),
            cl.ExactMatch("hours").configure(term_frequency_adjustments=True),
        ],
        retain_intermediate_calculation_columns=False, retain_matching_columns=False,
    )
    linker = Linker(DuckDBAPI().register(table), settings, log_level=None)
    linker.training.estimate_probability_two_random_records_match(
        [block_on("address", "hours")], recall=0.4
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("place", "hours"))
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("address"))
    found = linker.inference.predict(threshold_match_probability=PROBABILITY_MIN)
    pairs = found.as_duckdbpyrelation().fetchnumpy()
    return pairs, time.perf_counter() - began


def main(source: str, target: str) -> None:
    """Read devices, link them, write pairs."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    with np.load(source) as told:
        table = records(told)
    pairs, seconds = linked(table)
    names = ("unique_id_l", "unique_id_r", "match_probability")
    one, other, probability = (np.asarray(pairs[name]) for name in names)
    np.savez(target, one=one, other=other, probability=probability, seconds=seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
