"""The running process: PBX link, call and queue state, storage, HTTP API, stream, command line."""

__version__ = "0.2.0"
