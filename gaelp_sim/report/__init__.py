"""One page to look at per run or comparison: a single HTML file that needs no network and no script."""
