"""A typed client for the HTTP API's session and the stream: for tools, tests and other programs."""

from gateway.client.session import Session, SignInError, sign_in
from gateway.client.stream import SignedOut, StreamClient, View

__all__ = ["Session", "SignInError", "SignedOut", "StreamClient", "View", "sign_in"]
