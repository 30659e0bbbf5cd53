"""The process behind `RtpVoice`: nothing but sound, so that nothing else keeps it from being in time.

Run with a bound UDP socket as its argument. It is told what to do on standard input, and says on standard
output what it hears: each message is a letter, a length (4 bytes, big-endian) and that many bytes.
"""

import json
import socket
import struct
import sys
import threading
import time
from typing import IO, BinaryIO

FRAME, FRAME_S = 160, 0.02
LATE_S = 0.06
"""Behind by more, it stays behind."""
PCMA, EVENT = 8, 101
SILENCE = b"\xd5" * FRAME
OVER = b"over\n"
"""A packet that says the call is over. The PBX may give its port to another call, and answers where sound
comes from: whoever went on sending there would hear that call."""
ECHO_S = 1.0
"""For so long after it something may still come of a call that is over."""
SSRC = 0x1234
HEARD, SAID = b"h", b"s"
SAY, REPEAT, PRESS, PEER = b"s", b"r", b"p", b"t"


def read_message(stream: IO[bytes]) -> tuple[bytes, bytes] | None:
    """The next message; `None`: there are no more."""
    head = stream.read(5)
    if len(head) < 5:
        return None
    return head[:1], stream.read(int.from_bytes(head[1:], "big"))


def message(kind: bytes, data: bytes = b"") -> bytes:
    """A message as it is sent."""
    return kind + len(data).to_bytes(4, "big") + data


class Voice:
    """Sends a frame every 20 ms: speech, keys or silence; tells what it hears."""

    def __init__(self, sock: socket.socket, told: BinaryIO, tell: BinaryIO) -> None:
        self._socket, self._told, self._tell = sock, told, tell
        self._lock = threading.Lock()
        self._peer: tuple[str, int] | None = None
        self._fixed = self._repeat = self._speaking = False
        self._audio, self._position, self._keys = b"", 0, ""
        self._sequence, self._stamp = 1, 0
        self._ended: tuple[tuple[str, int] | None, float] = (None, 0.0)

    def run(self) -> None:
        """Until standard input ends."""
        for work in (self._hear, self._send):
            threading.Thread(target=work, daemon=True).start()
        while (got := read_message(self._told)) is not None:
            kind, data = got
            if kind == PRESS:
                self._keys += data.decode()
            elif kind == PEER:
                host, port = json.loads(data)
                self._peer, self._fixed = (host, port), True
            else:
                with self._lock:
                    self._audio, self._position, self._repeat = data, 0, kind == REPEAT
                    self._speaking = True

    def _say(self, kind: bytes, data: bytes = b"") -> None:
        self._tell.write(message(kind, data))
        self._tell.flush()

    def _hear(self) -> None:
        while True:
            packet, sender = self._socket.recvfrom(2048)
            if packet == OVER:
                self._ended, self._peer = (self._peer, time.monotonic()), None
                continue
            # The PBX speaks from another port in each call: answer where the newest sound comes from.
            last, at = self._ended
            if not self._fixed and (sender != last or time.monotonic() - at > ECHO_S):
                self._peer = sender
            if len(packet) > 12 and packet[1] & 0x7F == PCMA:
                self._say(HEARD, packet[12:])

    def _send(self) -> None:
        due = time.monotonic()
        while True:
            if self._keys and self._peer:
                self._press(self._keys[0])
                self._keys = self._keys[1:]
                due = time.monotonic()
            frame = self._frame()
            self._packet(PCMA, frame, self._stamp)
            self._stamp += FRAME
            # Late, it goes on late: no telephone sends all at once what it missed, and a PBX that gets it so
            # stretches its recording.
            due = max(due + FRAME_S, time.monotonic() - LATE_S)
            time.sleep(max(0.0, due - time.monotonic()))

    def _frame(self) -> bytes:
        with self._lock:
            if not self._speaking:
                return SILENCE
            frame = self._audio[self._position : self._position + FRAME]
            self._position += FRAME
            over = self._position >= len(self._audio)
            if over:
                self._position = 0
                self._speaking = self._repeat
        if over and not self._repeat:
            self._say(SAID)
        return frame + SILENCE[len(frame) :]

    def _press(self, key: str) -> None:
        """One DTMF digit (RFC 4733)."""
        code = "0123456789*#ABCD".index(key)
        for step in range(1, 11):
            ended = 0x80 if step >= 8 else 0
            payload = struct.pack("!BBH", code, ended | 10, min(step, 8) * FRAME)
            self._packet(EVENT | (0x80 if step == 1 else 0), payload, self._stamp)
            time.sleep(0.02)
        self._stamp += 10 * FRAME

    def _packet(self, kind: int, payload: bytes, stamp: int) -> None:
        if self._peer is not None:
            header = struct.pack("!BBHII", 0x80, kind, self._sequence & 0xFFFF, stamp & 0xFFFFFFFF, SSRC)
            self._socket.sendto(header + payload, self._peer)
        self._sequence += 1


if __name__ == "__main__":
    Voice(socket.socket(fileno=int(sys.argv[1])), sys.stdin.buffer, sys.stdout.buffer).run()
