"""Every error a user can meet, each with the exit code the command line ends with."""

from __future__ import annotations


class GaelpError(Exception):
    """A problem told in one line: place, value, rule and next step; `exit_code` is what the process returns."""

    exit_code = 70


class ScenarioError(GaelpError):
    """The scenario (or an option that changes it) breaks a rule; nothing was written."""

    exit_code = 2


class UsageError(GaelpError):
    """The command was called in a way it cannot obey."""

    exit_code = 2


class BidderError(GaelpError):
    """A bidder broke the protocol: wrong shapes, non-finite or negative bids, or an exception of its own."""

    exit_code = 2


class UserModelError(GaelpError):
    """An outside user model broke the protocol: no such interface, a state that is not plain, an exception of its own."""

    exit_code = 2


class RunNotFoundError(GaelpError):
    """No stored run answers to that name."""

    exit_code = 66


class StoreWriteError(GaelpError):
    """The store can't be written: read-only file, missing folder, missing right."""

    exit_code = 73


class StoreIOError(GaelpError):
    """The disk failed or is full; what was committed before is whole."""

    exit_code = 74


class StoreBusyError(GaelpError):
    """The store is locked or the database is away; the same command may work later."""

    exit_code = 75


class CorruptStoreError(GaelpError):
    """Stored rows no longer agree with their hash chain, or the file is damaged."""

    exit_code = 76


class SchemaVersionError(GaelpError):
    """The store's schema is older or newer than this program."""

    exit_code = 78


class InterruptedRunError(GaelpError):
    """The user stopped the run at a commit point; it can be resumed."""

    exit_code = 130
