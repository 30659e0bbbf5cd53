"""The pure vocabulary every room shares: immutable data, no clock, socket, database or logger.

Instants are POSIX seconds (UTC) as float; durations are seconds. Telephone numbers are strings as the
network gave them. Everything here is msgspec: cheap to make, encodable to JSON as it is.
"""
