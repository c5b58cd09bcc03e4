"""Touches to credit, credit to reward."""
