"""A telephone whose every key a test can press: register, dial, answer, hold, transfer, hang up.

SIPp plays a fixed scenario; transfers need a person at the phone who decides. This is the least of RFC 3261,
3515 and 3891 over UDP on loopback, against a PBX that keeps to them; it sends silence as RTP until it is
given something to say.
"""

import asyncio
import contextlib
import hashlib
import itertools
import re
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, Self

from tests.support.sip.rtp import RtpVoice

Headers = dict[str, list[str]]
SHORT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length"}


def parse(packet: bytes) -> tuple[str, Headers, str]:
    """(start line, headers by lower-case name, body) of one SIP message."""
    head, _, body = packet.decode(errors="replace").partition("\r\n\r\n")
    start, *lines = head.split("\r\n")
    headers: Headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        name = name.strip().lower()
        headers.setdefault(SHORT.get(name, name), []).append(value.strip())
    return start, headers, body


def tag(line: str) -> str:
    """The tag of a From or To."""
    found = re.search(r";tag=([^;>\s]+)", line)
    return found[1] if found else ""


class Dialog:
    """One call of a phone. `answered` and `ended` are events to wait for."""

    def __init__(self, phone: "Softphone", call_id: str, local: str, remote: str, target: str) -> None:
        self.phone, self.call_id = phone, call_id
        self.local, self.remote, self.target = local, remote, target
        self.cseq = itertools.count(1)
        self.invite: Headers = {}
        self.branch = ""
        self.answered, self.ended, self.transferred = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.ringing = asyncio.Event()
        self.final = 0
        """The status that refused the call, if one did."""
        self.acknowledge: Callable[[], None] | None = None

    async def hang_up(self) -> None:
        """BYE, CANCEL or 487, as the call's state asks."""
        if self.ended.is_set():
            return
        if self.answered.is_set():
            await self.phone.request(self, "BYE")
            self.end()
        elif self.invite:
            self.phone.reply("486 Busy Here", self.invite, self)
            self.end()
        else:
            self.phone.cancel(self)
            await asyncio.wait_for(self.ended.wait(), 5)

    def end(self) -> None:
        self.ended.set()
        self.phone.dialogs.pop(self.call_id, None)
        self.phone.listen(self, None)

    async def answer(self) -> None:
        """Lift the receiver."""
        self.phone.reply("200 OK", self.invite, self, self.phone.sdp(self))
        await asyncio.wait_for(self.answered.wait(), 5)

    async def hold(self, held: bool = True) -> None:
        """Hold or resume, by a re-INVITE."""
        body = self.phone.sdp(self, "sendonly" if held else "sendrecv")
        status = await self.phone.request(self, "INVITE", body=body)
        while status == 491:
            # The PBX asks something itself at this moment: again a little later (RFC 3261, 14.1).
            await asyncio.sleep(0.2)
            status = await self.phone.request(self, "INVITE", body=body)
        assert status == 200, f"re-INVITE was answered {status}"

    async def transfer(self, to: str) -> None:
        """Blind transfer; the PBX hangs this call up when it has taken over."""
        await self._refer(f"<sip:{to}@127.0.0.1:{self.phone.pbx_port}>")

    async def transfer_to(self, other: "Dialog") -> None:
        """Attended transfer: connect this call's party with `other`'s (which may still ring: blonde)."""

        uri = re.sub(r"[<>]", "", other.remote.split(";tag=")[0].split(">")[0]).split("sip:")[-1]
        replaces = f"{other.call_id}%3Bto-tag%3D{tag(other.remote)}%3Bfrom-tag%3D{tag(other.local)}"
        await self._refer(f"<sip:{uri}?Replaces={replaces}>")

    async def _refer(self, target: str) -> None:
        status = await self.phone.request(
            self, "REFER", more=[f"Refer-To: {target}", f"Referred-By: {self.phone.me}"]
        )
        assert status == 202, f"REFER was answered {status}"


class Softphone:
    """A phone at `address`; with a password it registers, without one it is the trunk's other end."""

    def __init__(
        self,
        pbx_port: int,
        user: str,
        password: str = "",
        *,
        address: str = "127.0.0.1",
        ring_s: float | None = 0.2,
        refuse: str = "",
        forward: str = "",
    ) -> None:
        """It answers after `ring_s` (None: when told to); or refuses (`486 Busy Here`), or forwards (302)."""
        self.pbx_port, self.user, self.address = pbx_port, user, address
        self.ring_s, self.refuse, self.forward = ring_s, refuse, forward
        self._password = password
        self.dialogs: dict[str, Dialog] = {}
        self.calls: list[Dialog] = []
        self._waiting: dict[tuple[str, int], asyncio.Future[tuple[int, Headers, str]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._voices: dict[str, RtpVoice] = {}
        """By Call-ID; those of calls that are over keep what they heard."""
        self._lost: set[str] = set()
        self._nonce = itertools.count(1)

    # -- life ----------------------------------------------------------------------------------------------
    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Receiver(self._received), local_addr=(self.address, 0)
        )
        self.port: int = self._transport.get_extra_info("sockname")[1]
        self.me = f"<sip:{self.user}@{self.address}:{self.port}>"
        await self._register(600)
        return self

    async def __aexit__(self, *_: object) -> None:
        for dialog in list(self.dialogs.values()):
            with contextlib.suppress(TimeoutError):
                await dialog.hang_up()
        await self._register(0)
        for task in self._tasks:
            task.cancel()
        for voice in self._voices.values():
            voice.close()
        self._transport.close()

    async def _register(self, seconds: int) -> None:
        if not self._password:
            return
        line = f"<sip:{self.user}@127.0.0.1:{self.pbx_port}>"
        origin = f"{line};tag={uuid.uuid4().hex[:8]}"
        dialog = Dialog(self, uuid.uuid4().hex, origin, line, f"sip:127.0.0.1:{self.pbx_port}")
        status = await self.request(dialog, "REGISTER", more=[f"Expires: {seconds}"])
        assert status == 200, f"{self.user} could not register: {status}"

    async def dial(self, number: str, caller: str = "", name: str = "", *, replaces: str = "") -> Dialog:
        """Call a number; returns when the PBX has taken the call up. `replaces`: as in RFC 3891."""
        self._open_media(call_id := uuid.uuid4().hex)
        origin = f'"{name}" ' if name else ""
        dialog = Dialog(
            self,
            call_id,
            f"{origin}<sip:{caller or self.user}@{self.address}:{self.port}>;tag={uuid.uuid4().hex[:8]}",
            f"<sip:{number}@127.0.0.1:{self.pbx_port}>",
            f"sip:{number}@127.0.0.1:{self.pbx_port}",
        )
        self.dialogs[dialog.call_id] = dialog
        self.calls.append(dialog)
        begun = asyncio.Event()
        self._spawn(self._call(dialog, begun, [f"Replaces: {replaces}"] if replaces else []))
        await asyncio.wait_for(begun.wait(), 5)
        return dialog

    async def _call(self, dialog: Dialog, begun: asyncio.Event, more: list[str]) -> None:
        status = await self.request(dialog, "INVITE", body=self.sdp(dialog), more=more, progress=begun.set)
        begun.set()
        if status == 200:
            dialog.answered.set()
        else:
            dialog.final = status
            dialog.end()

    async def incoming(self, count: int = 1) -> Dialog:
        """The phone's `count`-th call so far; waits for it."""

        async def wait() -> Dialog:
            while len(self.calls) < count:  # noqa: ASYNC110 - calls come in by themselves
                await asyncio.sleep(0.02)
            return self.calls[count - 1]

        return await asyncio.wait_for(wait(), 20)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def forget(self, dialog: Dialog) -> None:
        """As a page that is reloaded: the call is gone here without a word, and what comes for it is lost."""
        self._lost.add(dialog.call_id)
        dialog.end()

    async def take_back(self, lost: Dialog) -> Dialog:
        """Call again in place of a call that was forgotten (RFC 3891)."""
        ids = f"{lost.call_id};to-tag={tag(lost.remote)};from-tag={tag(lost.local)}"
        return await self.dial("take-back", replaces=ids)

    # -- requests ------------------------------------------------------------------------------------------
    async def request(
        self,
        dialog: Dialog,
        method: str,
        *,
        body: str = "",
        more: list[str] | None = None,
        progress: Callable[[], None] | None = None,
    ) -> int:
        """Send a request within `dialog`, with the password where it is asked for; the final status."""
        authorization: list[str] = []
        for _ in range(2):
            cseq = next(dialog.cseq)
            dialog.branch = f"z9hG4bK{uuid.uuid4().hex[:12]}"
            future: asyncio.Future[tuple[int, Headers, str]] = asyncio.get_running_loop().create_future()
            self._waiting[dialog.call_id, cseq] = future
            future.progress = progress  # type: ignore[attr-defined]
            self._send(dialog, method, cseq, dialog.branch, [*(more or []), *authorization], body)
            status, headers, _ = await asyncio.wait_for(future, 90)
            if method == "INVITE":
                if status == 200:
                    dialog.remote = headers["to"][0]
                    if contact := headers.get("contact"):
                        dialog.target = contact[0].strip("<>").split(">")[0]
                branch = dialog.branch if status != 200 else f"z9hG4bK{uuid.uuid4().hex[:12]}"
                remote, number = headers["to"][0], cseq

                def acknowledge(branch: str = branch, remote: str = remote, number: int = number) -> None:
                    self._send(dialog, "ACK", number, branch, [], "", remote)

                acknowledge()
                dialog.acknowledge = acknowledge
            if status not in (401, 407) or not self._password:
                return status
            authorization = [self._authorize(method, dialog.target, headers)]
        return status

    def _send(
        self,
        dialog: Dialog,
        method: str,
        cseq: int,
        branch: str,
        more: list[str],
        body: str,
        remote: str = "",
    ) -> None:
        lines = [
            f"{method} {dialog.target} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.address}:{self.port};branch={branch}",
            f"From: {dialog.local}",
            f"To: {remote or dialog.remote}",
            f"Call-ID: {dialog.call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: {self.me}",
            "Max-Forwards: 70",
            "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, NOTIFY, REFER",
            *more,
        ]
        self._emit(lines, body)

    def cancel(self, dialog: Dialog) -> None:
        """Give up a call that was not answered yet."""
        (cseq,) = [number for (call_id, number) in self._waiting if call_id == dialog.call_id][-1:]
        self._send(dialog, "CANCEL", cseq, dialog.branch, [], "", re.sub(r";tag=.*", "", dialog.remote))

    def _authorize(self, method: str, uri: str, headers: Headers) -> str:
        challenge = dict(re.findall(r'(\w+)="?([^",]+)"?', headers["www-authenticate"][0]))

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        first = md5(f"{self.user}:{challenge['realm']}:{self._password}")
        count, own = f"{next(self._nonce):08x}", uuid.uuid4().hex[:8]
        answer = md5(f"{first}:{challenge['nonce']}:{count}:{own}:auth:{md5(f'{method}:{uri}')}")
        return (
            f'Authorization: Digest username="{self.user}", realm="{challenge["realm"]}", '
            f'nonce="{challenge["nonce"]}", uri="{uri}", response="{answer}", algorithm=MD5, qop=auth, '
            f'nc={count}, cnonce="{own}"' + (f', opaque="{o}"' if (o := challenge.get("opaque")) else "")
        )

    # -- what comes in -------------------------------------------------------------------------------------
    def _received(self, packet: bytes) -> None:
        start, headers, body = parse(packet)
        if "call-id" not in headers:
            return
        call_id = headers["call-id"][0]
        if call_id in self._lost:
            return
        dialog = self.dialogs.get(call_id)
        if start.startswith("SIP/2.0"):
            self._response(int(start.split(" ")[1]), headers, body, dialog)
            return
        method = start.split(" ", 1)[0]
        if method == "INVITE" and dialog is None:
            self._spawn(self._invited(headers, body))
        elif method == "INVITE" and dialog is not None:
            if not dialog.answered.is_set() and dialog.invite:
                return  # a retransmission
            self.reply("200 OK", headers, dialog, self.sdp(dialog))
        elif method == "ACK":
            if dialog is not None and dialog.invite:
                dialog.answered.set()
        elif method == "CANCEL" and dialog is not None:
            self.reply("200 OK", headers, dialog)
            self.reply("487 Request Terminated", dialog.invite, dialog)
            dialog.end()
        else:
            self.reply("200 OK", headers, dialog)
            if method == "NOTIFY" and dialog is not None and " 200 " in body.split("\r\n")[0]:
                dialog.transferred.set()
            if method == "BYE" and dialog is not None:
                dialog.end()

    def _response(self, status: int, headers: Headers, body: str, dialog: Dialog | None) -> None:
        cseq = int(headers["cseq"][0].split(" ")[0])
        future = self._waiting.get((headers["call-id"][0], cseq))
        if future is None:
            if dialog is not None and dialog.acknowledge and "INVITE" in headers["cseq"][0]:
                dialog.acknowledge()
            return
        if "CANCEL" in headers["cseq"][0]:
            return
        if status < 200:
            if dialog is not None and ";tag=" in headers["to"][0]:
                dialog.remote = headers["to"][0]
                if status >= 180:
                    dialog.ringing.set()
            if future.progress:  # type: ignore[attr-defined]
                future.progress()  # type: ignore[attr-defined]
            return
        del self._waiting[headers["call-id"][0], cseq]
        if dialog is not None:
            self._hear_of(dialog, body)
        if not future.done():
            future.set_result((status, headers, body))

    async def _invited(self, headers: Headers, body: str) -> None:
        call_id = headers["call-id"][0]
        contact = headers["contact"][0].strip("<>").split(">")[0]
        local = f"{headers['to'][0]};tag={uuid.uuid4().hex[:8]}"
        dialog = Dialog(self, call_id, local, headers["from"][0], contact)
        dialog.invite = headers
        self.dialogs[call_id] = dialog
        if self.refuse or self.forward:
            more = [f"Contact: <sip:{self.forward}@127.0.0.1:{self.pbx_port}>"] if self.forward else []
            self.reply(self.refuse or "302 Moved Temporarily", headers, dialog, more=more)
            dialog.end()
            return
        self._open_media(call_id)
        self._hear_of(dialog, body)
        self.reply("180 Ringing", headers, dialog)
        self.calls.append(dialog)
        if self.ring_s is not None:
            await asyncio.sleep(self.ring_s)
            if not dialog.ended.is_set():
                self.reply("200 OK", headers, dialog, self.sdp(dialog))

    def reply(
        self,
        status: str,
        headers: Headers,
        dialog: Dialog | None,
        body: str = "",
        more: list[str] | None = None,
    ) -> None:
        """Answer a request."""
        to = headers["to"][0]
        if dialog is not None and ";tag=" not in to:
            to = dialog.local
        lines = [
            f"SIP/2.0 {status}",
            *(f"Via: {via}" for via in headers["via"]),
            f"From: {headers['from'][0]}",
            f"To: {to}",
            f"Call-ID: {headers['call-id'][0]}",
            f"CSeq: {headers['cseq'][0]}",
            *(more or [f"Contact: {self.me}"]),
        ]
        self._emit(lines, body)

    def _emit(self, lines: list[str], body: str) -> None:
        if body:
            lines = [*lines, "Content-Type: application/sdp"]
        text = "\r\n".join([*lines, f"Content-Length: {len(body)}"]) + "\r\n\r\n" + body
        self._transport.sendto(text.encode(), ("127.0.0.1", self.pbx_port))

    # -- media: silence or speech, so that frames flow and Local channels can be optimised away -------------
    def say(self, dialog: Dialog, alaw: bytes) -> None:
        """Speak in that call from now on."""
        self._voices[dialog.call_id].say(alaw)

    def heard(self, dialog: Dialog) -> bytes:
        """What was heard in that call so far, A-law."""
        return bytes(self._voices[dialog.call_id].heard)

    def _open_media(self, call_id: str) -> None:
        self._voices[call_id] = RtpVoice(self.address)

    def sdp(self, dialog: Dialog, direction: str = "sendrecv") -> str:
        """This phone's offer or answer."""
        port = self._voices[dialog.call_id].port
        lines = [
            "v=0", f"o=- 1 {uuid.uuid4().int % 10**9} IN IP4 {self.address}", "s=-",
            f"c=IN IP4 {self.address}", "t=0 0", f"m=audio {port} RTP/AVP 8",
            "a=rtpmap:8 PCMA/8000", "a=ptime:20", f"a={direction}",
        ]  # fmt: skip
        return "\r\n".join(lines) + "\r\n"

    def _hear_of(self, dialog: Dialog, sdp: str) -> None:
        address, port = re.search(r"c=IN IP4 (\S+)", sdp), re.search(r"m=audio (\d+)", sdp)
        if address and port:
            self.listen(dialog, (address[1], int(port[1])))

    def listen(self, dialog: Dialog, peer: tuple[str, int] | None) -> None:
        """Send silence to the other side; None: the call is over."""
        voice = self._voices.get(dialog.call_id)
        if voice is None:
            return
        if peer is None:
            voice.close()
        elif voice.fresh:
            voice.start(peer)


class _Receiver(asyncio.DatagramProtocol):
    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._take(data)


async def reload(agent: Softphone, line: Dialog) -> Dialog:
    """The page is gone, comes back, and is put in the place of its old leg."""
    agent.forget(line)
    await asyncio.sleep(0.3)
    new = await agent.take_back(line)
    await asyncio.wait_for(new.answered.wait(), 5)
    return new
