"""Whose fault a failed write is: the database's, which may be well again soon, or the value's."""

import asyncpg
import msgspec
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError

DATA_FAULTS = ("22", "23", "54")
"""SQLSTATE classes: data exception, integrity violation, program limit exceeded (too long to index)."""
SQLITE_DATA_FAULTS = ("DataError", "IntegrityError", "InterfaceError", "ProgrammingError", "OverflowError")


def is_of_the_value(error: BaseException) -> bool:
    """Whether the value itself cannot be stored, so that trying again is of no use.

    Anything else (no connection, locked, disk full, a missing table) is the database's, and is tried again.
    """
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return False
        state = getattr(error.orig, "sqlstate", None)
        if state is not None:
            return str(state).startswith(DATA_FAULTS)
        return type(error.orig).__name__ in SQLITE_DATA_FAULTS
    if isinstance(error, StatementError):
        return isinstance(error.orig, ValueError | TypeError | OverflowError)
    if isinstance(error, SQLAlchemyError | OSError | TimeoutError):
        return False
    return isinstance(error, ValueError | TypeError | OverflowError | RecursionError | msgspec.MsgspecError)


def is_of_the_database(error: BaseException) -> bool:
    """Whether the database cannot be used just now (locked, away, full): the same may succeed later."""
    if isinstance(error, SQLAlchemyError):
        return not is_of_the_value(error)
    # What the driver says while it connects is not wrapped.
    return isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError | ConnectionError | TimeoutError)
