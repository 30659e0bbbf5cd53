"""A telephone's voice: sends A-law over RTP in real time when told to, keeps what it hears, presses keys.

Signalling is SIPp's; only the media is here, so that a test decides the moment at which somebody speaks.
"""

import socket
import struct
import threading
import time
from pathlib import Path

FRAME = 160
PCMA, EVENT = 8, 101
SILENCE = b"\xd5" * FRAME


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
    """One end of a call's audio: silence until `say()`. Threads drive it, a busy event loop does no harm."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 0))
        self._socket.settimeout(0.2)
        self.port: int = self._socket.getsockname()[1]
        self.heard = bytearray()
        """A-law as received, in order of arrival."""
        self.speaking = threading.Event()
        self.said = threading.Event()
        self._peer: tuple[str, int] | None = None
        self._fixed = False
        self._repeat = False
        self._audio = b""
        self._keys = ""
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._receive, daemon=True),
            threading.Thread(target=self._send, daemon=True),
        ]

    def start(self, peer: tuple[str, int] | None = None) -> None:
        """Begin to listen, and to send to `peer` (else to whoever sends first)."""
        self._peer, self._fixed = peer, peer is not None
        for thread in self._threads:
            thread.start()

    def say(self, alaw: bytes, *, repeat: bool = False) -> None:
        """Speak from now on, once or again and again."""
        self._audio, self._repeat = alaw, repeat
        self.said.clear()
        self.speaking.set()

    def press(self, keys: str) -> None:
        """Send DTMF (RFC 4733)."""
        self._keys += keys

    def close(self) -> None:
        """Fall silent and free the port."""
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self._socket.close()

    def _receive(self) -> None:
        while not self._stop.is_set():
            try:
                packet, sender = self._socket.recvfrom(2048)
            except TimeoutError:
                continue
            except OSError:
                return
            # The PBX speaks from another port in each call: answer where the newest sound comes from.
            if not self._fixed:
                self._peer = sender
            if len(packet) > 12 and packet[1] & 0x7F == PCMA:
                self.heard += packet[12:]

    def _send(self) -> None:
        sequence, stamp, position = 1, 0, 0
        due = time.monotonic()
        while not self._stop.is_set():
            if self._keys and self._peer:
                sequence, stamp = self._send_key(self._keys[0], sequence, stamp)
                self._keys = self._keys[1:]
                due = time.monotonic()
            frame = SILENCE
            if self.speaking.is_set():
                frame = self._audio[position : position + FRAME]
                position += FRAME
                if len(frame) < FRAME:
                    frame += SILENCE[len(frame) :]
                if position >= len(self._audio) and self._repeat:
                    position = 0
                elif position >= len(self._audio):
                    self.speaking.clear()
                    self.said.set()
                    position = 0
            if self._peer:
                header = struct.pack("!BBHII", 0x80, PCMA, sequence & 0xFFFF, stamp & 0xFFFFFFFF, 0x1234)
                self._socket.sendto(header + frame, self._peer)
            sequence, stamp, due = sequence + 1, stamp + FRAME, due + 0.02
            time.sleep(max(0.0, due - time.monotonic()))

    def _send_key(self, key: str, sequence: int, stamp: int) -> tuple[int, int]:
        assert self._peer is not None
        code = "0123456789*#ABCD".index(key)
        for step in range(1, 11):
            ended = 0x80 if step >= 8 else 0
            payload = struct.pack("!BBH", code, ended | 10, min(step, 8) * FRAME)
            marker = 0x80 if step == 1 else 0
            header = struct.pack(
                "!BBHII", 0x80, marker | EVENT, sequence & 0xFFFF, stamp & 0xFFFFFFFF, 0x1234
            )
            self._socket.sendto(header + payload, self._peer)
            sequence += 1
            time.sleep(0.02)
        return sequence, stamp + 10 * FRAME
