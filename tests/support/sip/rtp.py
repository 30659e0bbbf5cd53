"""A telephone's voice: sends A-law over RTP in real time when told to, keeps what it hears, presses keys.

Signalling is SIPp's; only the media is here, so that a test decides the moment at which somebody speaks. The
sound itself is a process of its own, which keeps time however busy the test and the machine are.
"""

import json
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

from tests.support.punctual import punctual
from tests.support.sip import rtp_process as process


def alaw_of_wav(path: Path) -> bytes:
    """The A-law samples of an 8 kHz mono A-law WAV file."""
    data = path.read_bytes()
    assert data[:4] == b"RIFF" and data[20:22] == b"\x06\x00", f"{path} is not A-law"
    position = 12
    while data[position : position + 4] != b"data":
        position += 8 + struct.unpack_from("<I", data, position + 4)[0]
    size = struct.unpack_from("<I", data, position + 4)[0]
    return data[position + 8 : position + 8 + size]


class RtpVoice:
    """One end of a call's audio: silence until `say()`."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 0))
        self.address = address
        self.port: int = self._socket.getsockname()[1]
        self.heard = bytearray()
        """A-law as received, in order of arrival."""
        self.said = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._before: list[bytes] = []
        self.fresh = True
        """Neither started nor closed yet."""

    def start(self, peer: tuple[str, int] | None = None) -> None:
        """Begin to listen, and to send to `peer` (else to whoever sends first)."""
        self.fresh = False
        command = [*punctual(), sys.executable, "-S", "-E", process.__file__, str(self._socket.fileno())]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[self._socket.fileno()]
        )
        self._listener = threading.Thread(target=self._listen, args=(self._process,), daemon=True)
        self._listener.start()
        if peer is not None:
            self._tell(process.PEER, json.dumps(peer).encode())
        for message in self._before:
            self._write(message)

    def say(self, alaw: bytes, *, repeat: bool = False) -> None:
        """Speak from now on, once or again and again."""
        self.said.clear()
        self._tell(process.REPEAT if repeat else process.SAY, alaw)

    def press(self, keys: str) -> None:
        """Send DTMF (RFC 4733)."""
        self._tell(process.PRESS, keys.encode())

    def close(self) -> None:
        """Fall silent and free the port; what was heard is kept."""
        self.fresh = False
        if (voice := self._process) is not None:
            self._process = None
            voice.kill()
            voice.wait()
            self._listener.join()
            for pipe in (voice.stdin, voice.stdout):
                if pipe is not None:
                    pipe.close()
        self._socket.close()

    def _tell(self, kind: bytes, data: bytes) -> None:
        message = process.message(kind, data)
        if self._process is None:
            self._before.append(message)
        else:
            self._write(message)

    def _write(self, message: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(message)
        self._process.stdin.flush()

    def _listen(self, voice: "subprocess.Popen[bytes]") -> None:
        assert voice.stdout is not None
        while (got := process.read_message(voice.stdout)) is not None:
            kind, data = got
            if kind == process.HEARD:
                self.heard += data
            else:
                self.said.set()
