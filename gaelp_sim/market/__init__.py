"""Opportunities meet bids: auction mechanisms, budgets, the bidder protocol, rivals and our default rule."""
