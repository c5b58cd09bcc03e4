"""Stores for runs on a cluster."""

from __future__ import annotations

from tests.crash.conftest import postgres_urls, sqlite_urls

__all__ = ["postgres_urls", "sqlite_urls"]
