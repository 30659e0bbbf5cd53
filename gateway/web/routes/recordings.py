"""Hearing calls again: recordings with Range, their outline, clips. Every listening is in the audit."""

import time
from collections import OrderedDict
from pathlib import Path
from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, Query, Response
from starlette.responses import FileResponse

from agents.accounts.identity import Identity, Permission
from domain.calls import Call
from domain.recordings import StoredRecording
from gateway.web.access import Access
from gateway.web.answers import Refused, found, json
from gateway.web.auditing import Note
from gateway.web.contract import answers
from recordings.playback import Clip, Peaks

MAX_CLIP_S = 60.0
CLIP_END = {"X-Clip-End": "the second of call time at which it ends"}
AGAIN_S = 600.0
"""Players ask for one recording many times, piece by piece: one listening, for so long."""


class Recordings(Protocol):
    """Port: recordings and what can be cut from a call."""

    async def get_recording(self, recording_id: str) -> StoredRecording | None: ...

    async def file_of(self, recording: StoredRecording) -> Path | None:
        """Its WAV file; `None`: it is gone."""
        ...

    async def peaks(self, recording: StoredRecording, points: int) -> Peaks | None:
        """`None`: its file is gone."""
        ...

    async def clip(self, call: Call, start: float, end: float) -> Clip | None:
        """`None`: there is no audio of that time."""
        ...


def router(access: Access, recordings: Recordings, note: Note) -> APIRouter:
    """`/recordings` and `/calls/{id}/clip`."""
    routes = APIRouter(prefix="/api/v1", tags=["recordings"])
    who_is = Depends(access.signed_in)
    heard = Lately()

    async def heard_call(call_id: str, who: Identity) -> Call:
        call = await access.own_call(call_id, who)
        if who.agent_id not in call.agents:
            access.need(who, Permission.LISTEN_RECORDINGS)
        return call

    async def own_recording(recording_id: str, who: Identity) -> StoredRecording:
        recording = found(await recordings.get_recording(recording_id), "recording")
        await heard_call(recording.call_id, who)
        return recording

    @routes.get("/recordings/{recording_id:path}/audio", response_class=FileResponse)
    @routes.head("/recordings/{recording_id:path}/audio", include_in_schema=False)
    @answers(media=("audio/wav",), refuses={404: ("recording_gone",)}, also=(206,))
    async def audio(recording_id: str, who: Identity = who_is) -> Response:
        """The recording as WAV, 16-bit stereo at 8 kHz: caller left, agent right. `Range` is honoured."""
        recording = await own_recording(recording_id, who)
        path = await recordings.file_of(recording)
        if path is None:
            raise Refused(404, "recording_gone")
        if heard.first((who.token_hash, recording.id)):
            await note(who, "recording.listen", {"recording": recording.id, "call": recording.call_id})
        return FileResponse(path, media_type="audio/wav")

    @routes.get("/recordings/{recording_id:path}/peaks")
    @answers(Peaks, example=Peaks(88.0, [0.1, 0.4], [0.3, 0.0]), refuses={404: ("recording_gone",)})
    async def peaks(
        recording_id: str, who: Identity = who_is, points: Annotated[int, Query(ge=1, le=4000)] = 800
    ) -> Response:
        """The waveform's outline: `{duration, caller: number[], agent: number[]}`, loudest sample 0..1."""
        recording = await own_recording(recording_id, who)
        outline = await recordings.peaks(recording, points)
        if outline is None:
            raise Refused(404, "recording_gone")
        return json(outline)

    @routes.get("/calls/{call_id}/clip", response_class=Response)
    @answers(media=("audio/wav",), refuses={404: ("clip_none",), 422: ("clip_span",)}, headers=CLIP_END)
    async def clip(
        call_id: str,
        start: Annotated[float, Query(alias="from", ge=0, le=1e6, description="seconds of call time")],
        end: Annotated[float, Query(alias="to", ge=0, le=1e6, description="at most 60 s after `from`")],
        who: Identity = who_is,
    ) -> Response:
        """A piece of the call as WAV, beginning at `from` exactly; shorter where the audio ends before `to`.

        During the call it is cut from what the PBX has written so far, afterwards from the archive. 404: the
        gateway has no audio of that time (nothing recorded, or the PBX's files are not to be seen from here).
        """
        if not 0 < end - start <= MAX_CLIP_S:
            raise Refused(422, "clip_span", most=round(MAX_CLIP_S))
        call = await heard_call(call_id, who)
        piece = await recordings.clip(call, start, end)
        if piece is None:
            raise Refused(404, "clip_none")
        await note(who, "recording.clip", {"call": call.id, "from": start, "to": end})
        return Response(piece.wav, media_type="audio/wav", headers={"X-Clip-End": f"{piece.end:.3f}"})

    return routes


class Lately:
    """Who began to listen to what, lately."""

    def __init__(self, most: int = 10_000) -> None:
        self._since: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._most = most

    def first(self, key: tuple[str, str]) -> bool:
        """Whether this is the first time within `AGAIN_S`."""
        now = time.monotonic()
        since = self._since.get(key)
        if since is not None and now - since < AGAIN_S:
            return False
        self._since[key] = now
        self._since.move_to_end(key)
        while len(self._since) > self._most:
            self._since.popitem(last=False)
        return True
