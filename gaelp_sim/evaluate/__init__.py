"""Grading of policies on worlds that nobody trained or tuned on."""
