"""The best that could be done: plans by backward recursion over a person's states, and bidders that follow them."""
