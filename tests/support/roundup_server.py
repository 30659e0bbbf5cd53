"""Roundup's web application on a port: `python -m tests.support.roundup_server HOME PORT`."""

import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from roundup.cgi.wsgi_handler import RequestDispatcher


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def main(home: str, port: str) -> None:
    dispatcher = RequestDispatcher(home, feature_flags={"cache_tracker": ""})
    make_server("127.0.0.1", int(port), dispatcher, Server, Quiet).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
