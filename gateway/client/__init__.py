"""A typed client of the HTTP API's session and of the stream: for tools, tests and other programs."""

from gateway.client.session import Session, SignInError, sign_in
from gateway.client.stream import SignedOut, StreamClient, View

__all__ = ["Session", "SignInError", "SignedOut", "StreamClient", "View", "sign_in"]
