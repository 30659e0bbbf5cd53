"""Real SIP telephones for the tests: SIPp speaks SIP, `RtpVoice` speaks and hears."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import uuid
from pathlib import Path
from typing import Self

from gateway.asterisk.ports import spare_udp
from tests.support.sip.rtp import RtpVoice
from tests.support.sip.rtp_process import OVER

SDP = """v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio {port} RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a=sendrecv"""

OK = """
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>"""
"""The rest of a message that answers the last request with 200."""

CALLER = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="caller">
<send retrans="500"><![CDATA[
INVITE sip:{did}@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: "{name}" <sip:{number}@[local_ip]:[local_port]>;tag=[call_number]c
To: <sip:{did}@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:{number}@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

{sdp}
]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="183" optional="true"/>
<recv response="200"/>
<send><![CDATA[
ACK sip:{did}@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: "{name}" <sip:{number}@[local_ip]:[local_port]>;tag=[call_number]c
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv request="INFO" optional="true" next="hang_up"/>
<recv request="BYE" timeout="600000">{over}</recv>
<send next="over"><![CDATA[{ok}
<label id="hang_up"/>
<send retrans="500"><![CDATA[
BYE sip:{did}@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: "{name}" <sip:{number}@[local_ip]:[local_port]>;tag=[call_number]c
To: <sip:{did}@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>
<label id="over"/>
</scenario>
"""

REGISTER = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="register">
<send retrans="500"><![CDATA[
REGISTER sip:[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:{user}@[remote_ip]>;tag=[call_number]r
To: <sip:{user}@[remote_ip]>
Call-ID: [call_id]
CSeq: 1 REGISTER
Contact: <sip:{user}@[local_ip]:[local_port]>
Expires: 3600
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="401" auth="true"/>
<send retrans="500"><![CDATA[
REGISTER sip:[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:{user}@[remote_ip]>;tag=[call_number]r
To: <sip:{user}@[remote_ip]>
Call-ID: [call_id]
CSeq: 2 REGISTER
Contact: <sip:{user}@[local_ip]:[local_port]>
[authentication username={user} password={password}]
Expires: 3600
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>
"""

# The INVITE's own headers are kept: another request may come in between before it is answered.
AGENT = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="agent">
<recv request="OPTIONS" optional="true" next="outside"/>
<recv request="INVITE">
<action>
<ereg regexp=".*" search_in="hdr" header="Via:" assign_to="via"/>
<ereg regexp=".*" search_in="hdr" header="From:" assign_to="from"/>
<ereg regexp=".*" search_in="hdr" header="To:" assign_to="to"/>
<ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="cseq"/>
</action>
</recv>
<send><![CDATA[
SIP/2.0 180 Ringing
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]a
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:{user}@[local_ip]:[local_port]>
Content-Length: 0

]]></send>
{ringing}
<send retrans="500"><![CDATA[
SIP/2.0 200 OK
Via:[$via]
From:[$from]
To:[$to];tag=[call_number]a
[last_Call-ID:]
CSeq:[$cseq]
Contact: <sip:{user}@[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

{sdp}
]]></send>
<recv request="ACK"/>
<label id="talking"/>
<recv request="NOTIFY" optional="true" next="noted"/>
<recv request="BYE" timeout="600000" next="outside">{over}</recv>
<label id="noted"/>
<send next="talking"><![CDATA[{ok}
<label id="outside"/>
<send><![CDATA[{ok}
</scenario>
"""

RINGS = '<pause milliseconds="{ring_ms}"/>'
# A desk phone that answers when the PBX says `Event: talk` on the ringing dialogue.
WAITS = """<recv request="NOTIFY" timeout="60000">
<action><ereg regexp="talk" search_in="hdr" header="Event:" check_it="true" assign_to="event"/></action>
</recv>
<Reference variables="event"/>
<send><![CDATA[{ok}"""


UNANSWERED = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="unanswered">
<recv request="OPTIONS" optional="true" next="options"/>
<recv request="INVITE"><action>
<ereg regexp="[0-9]+" search_in="hdr" header="CSeq:" assign_to="number"/>
<ereg regexp=".*" search_in="hdr" header="Via:" assign_to="via"/>
</action></recv>
<send><![CDATA[
SIP/2.0 180 Ringing
Via: [$via]
[last_From:]
[last_To:];tag=[call_number]u
[last_Call-ID:]
CSeq: [$number] INVITE
Contact: <sip:{user}@[local_ip]:[local_port]>
Content-Length: 0

]]></send>
<recv request="CANCEL" timeout="600000"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]u
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
<send retrans="500"><![CDATA[
SIP/2.0 487 Request Terminated
Via: [$via]
[last_From:]
[last_To:];tag=[call_number]u
[last_Call-ID:]
CSeq: [$number] INVITE
Content-Length: 0

]]></send>
<recv request="ACK" next="over"/>
<label id="options"/>
<send><![CDATA[{ok}
<label id="over"/>
</scenario>
"""


class _Sipp:
    """One SIPp process on an address of its own."""

    def __init__(self, directory: Path, name: str, address: str, remote: int) -> None:
        self.directory = directory
        self.name = name
        self.address = address
        self.remote = remote
        self.port = spare_udp(address)
        self.process: asyncio.subprocess.Process | None = None

    async def run(self, scenario: str, *more: str) -> asyncio.subprocess.Process:
        self.directory.mkdir(parents=True, exist_ok=True)
        file = self.directory / f"{self.name}-{self.port}.xml"
        await asyncio.to_thread(file.write_text, scenario, encoding="utf-8")
        log = (self.directory / f"{self.name}-{self.port}.out").open("ab")
        try:
            self.process = await asyncio.create_subprocess_exec(
                shutil.which("sipp") or "sipp",
                f"127.0.0.1:{self.remote}",
                "-sf", str(file), "-i", self.address, "-p", str(self.port), "-nostdin", "-trace_err",
                "-error_file", str(self.directory / f"{self.name}-{self.port}.err"), *more,
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                env=os.environ | {"TERM": "dumb"},
            )  # fmt: skip
        finally:
            log.close()
        return self.process

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGKILL)
            await self.process.wait()


class SipCaller:
    """A member of the public: calls a number through the trunk and is hung up on, or hangs up."""

    def __init__(self, directory: Path, sip_port: int, did: str, number: str, name: str = "") -> None:
        self.voice = RtpVoice("127.0.0.2")
        self._sipp = _Sipp(directory, "caller", "127.0.0.2", sip_port)
        self._call_id = f"{uuid.uuid4().hex}@caller.test"
        self._scenario = CALLER.format(
            did=did,
            number=number,
            name=name,
            sdp=SDP.format(port=self.voice.port),
            ok=OK,
            over=_over(self.voice),
        )

    async def __aenter__(self) -> Self:
        self.voice.start()
        await self._sipp.run(self._scenario, "-m", "1", "-cid_str", self._call_id)
        return self

    async def __aexit__(self, *_: object) -> None:
        # A caller who only vanishes stays on the line until the PBX misses their sound: half a minute.
        if self.up:
            with contextlib.suppress(TimeoutError):
                await self.hang_up(2)
        await self._sipp.stop()
        self.voice.close()

    async def wait_for_hang_up(self, timeout: float) -> int:
        """Until the other side has hung up; SIPp's exit code (0: as it should be)."""
        assert self._sipp.process is not None
        code = await asyncio.wait_for(self._sipp.process.wait(), timeout)
        self.voice.close()
        return code

    @property
    def up(self) -> bool:
        """Whether the call still stands."""
        return self._sipp.process is not None and self._sipp.process.returncode is None

    async def hang_up(self, timeout: float = 10) -> None:
        """Put the receiver down: SIPp, told by a message on its own dialogue, sends BYE."""
        assert self._sipp.process is not None
        nudge = (
            f"INFO sip:x@{self._sipp.address} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKnudge\r\n"
            f"From: <sip:x@x>;tag=n\r\nTo: <sip:x@x>\r\nCall-ID: {self._call_id}\r\nCSeq: 9 INFO\r\n"
            "Content-Length: 0\r\n\r\n"
        )
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as messenger:
            messenger.sendto(nudge.encode(), (self._sipp.address, self._sipp.port))
        await self.wait_for_hang_up(timeout)


class SipAgent:
    """An agent's telephone: registers with its password and answers every call after `ring_s`.

    `ring_s=None`: it rings until the PBX tells it to answer (`Event: talk`). `answers=False`: it only rings.
    """

    def __init__(
        self,
        directory: Path,
        sip_port: int,
        user: str,
        password: str,
        *,
        ring_s: float | None = 1.0,
        answers: bool = True,
    ) -> None:
        self.voice = RtpVoice("127.0.0.1")
        self._sipp = _Sipp(directory, f"agent-{user}", "127.0.0.1", sip_port)
        self._user, self._password = user, password
        self._answer = (
            _answering(user, ring_s, self.voice) if answers else UNANSWERED.format(user=user, ok=OK)
        )

    async def __aenter__(self) -> Self:
        registration = await self._sipp.run(
            REGISTER.format(user=self._user, password=self._password), "-m", "1"
        )
        code = await asyncio.wait_for(registration.wait(), 10)
        if code != 0:
            self.voice.close()
            raise AssertionError(f"agent {self._user} could not register (SIPp exit code {code})")
        self.voice.start()
        await self._sipp.run(self._answer)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._sipp.stop()
        self.voice.close()


class SipOutside:
    """The carrier's side of the trunk: answers every call that goes out to it."""

    def __init__(self, directory: Path, sip_port: int, port: int) -> None:
        self.voice = RtpVoice("127.0.0.2")
        self._sipp = _Sipp(directory, "outside", "127.0.0.2", sip_port)
        self._sipp.port = port
        self._answer = _answering("outside", 0.3, self.voice)

    async def __aenter__(self) -> Self:
        self.voice.start()
        await self._sipp.run(self._answer, "-trace_msg", "-message_file", str(self.messages))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._sipp.stop()
        self.voice.close()

    @property
    def messages(self) -> Path:
        """What was said on the wire."""
        return self._sipp.directory / f"outside-{self._sipp.port}.messages"


def _answering(user: str, ring_s: float | None, voice: RtpVoice) -> str:
    ringing = WAITS.format(ok=OK) if ring_s is None else RINGS.format(ring_ms=int(ring_s * 1000))
    return AGENT.format(user=user, ringing=ringing, sdp=SDP.format(port=voice.port), ok=OK, over=_over(voice))


def _over(voice: RtpVoice) -> str:
    """What SIPp does at a BYE: tells the voice, lest it be heard in the next call on the PBX's port."""
    say = f"echo {OVER.decode().strip()} >/dev/udp/{voice.address}/{voice.port}"
    return f"""<action><exec command="bash -c '{say}'"/></action>"""
