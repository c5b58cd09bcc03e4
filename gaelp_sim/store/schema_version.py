"""Which schema a store has: the stamp of a fresh one, and Alembic for all that follows."""

from __future__ import annotations

HEAD = "0003"
"""The newest migration; a test holds it equal to the head of the migration scripts."""
