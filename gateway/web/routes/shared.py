"""What a work-order system fetches by the links in an order's document. Every fetch is in the audit."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import structlog
from fastapi import APIRouter, Response
from starlette.responses import FileResponse, PlainTextResponse

from agents.accounts.identity import SystemIdentity
from domain.messages import Message
from domain.recordings import StoredRecording
from domain.refusals import refusal
from domain.transcripts import Utterance
from gateway.export.transcripts import as_text, as_webvtt
from gateway.web.answers import Refused
from gateway.web.auditing import Note
from gateway.web.contract import answers
from gateway.web.patience import within
from gateway.web.routes.recordings import Lately
from workorders.delivery.links import (
    DocumentLinks,
    Grant,
    LinkExpiredError,
    LinkUnknownError,
    Shared,
)

log = structlog.get_logger(__name__)

MEDIA = ("audio/wav", "text/plain; charset=utf-8", "text/vtt; charset=utf-8")
PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}


class SharedRecordings(Protocol):
    """Port: recordings by id."""

    async def get_recording(self, recording_id: str) -> StoredRecording | None: ...

    async def file_of(self, recording: StoredRecording) -> Path | None:
        """Its WAV file; `None`: it is gone."""
        ...


class SharedTranscripts(Protocol):
    """Port: what was said."""

    async def list_utterances(self, call_id: str) -> Sequence[Utterance]:
        """Final ones, in order of start."""
        ...


def router(
    links: DocumentLinks | None, recordings: SharedRecordings, said: SharedTranscripts, note: Note
) -> APIRouter:
    """`/shared`: open to whoever has a link; without `links` there are none."""
    routes = APIRouter(prefix="/api/v1", tags=["recordings"])
    fetched = Lately()

    async def noted(token: str, grant: Grant, refused: Message | None = None) -> None:
        if fetched.first((token, refused.code if refused else "")):
            who = SystemIdentity(f"link/{grant.endpoint}", grant.endpoint, frozenset(), frozenset())
            args = {"order": grant.order_id, "what": grant.shared.value, "id": grant.id}
            await note(who, "shared.fetch", args, refused)

    async def recording_of(grant: Grant) -> StoredRecording:
        recording = await within(recordings.get_recording(grant.id))
        if recording is None:
            raise Refused(404, "recording_gone")
        return recording

    @routes.get("/shared/{token}/{name}", response_class=Response)
    @routes.head("/shared/{token}/{name}", include_in_schema=False)
    @answers(
        media=MEDIA, refuses={404: ("link_unknown", "recording_gone"), 410: ("link_expired",)}, also=(206,)
    )
    async def shared(token: str, name: str) -> Response:
        """A recording as WAV (`Range` is honoured), its subtitles as WebVTT, or a transcript as text.

        The link stands in the order's document and is all that is needed, until it expires. `name` is for
        people.
        """
        try:
            grant = _read(links, token)
        except LinkExpiredError as late:
            await noted(token, late.grant, refusal("link_expired"))
            raise Refused(410, "link_expired") from None
        if grant.shared is Shared.TRANSCRIPT:
            text = as_text(await within(said.list_utterances(grant.id)))
            await noted(token, grant)
            return PlainTextResponse(text, headers=PRIVATE)
        recording = await recording_of(grant)
        if grant.shared is Shared.WEBVTT:
            spoken = await within(said.list_utterances(recording.call_id))
            await noted(token, grant)
            cues = as_webvtt(spoken, recording.offset, recording.duration)
            return Response(cues, media_type=MEDIA[2], headers=PRIVATE)
        path = await recordings.file_of(recording)
        if path is None:
            raise Refused(404, "recording_gone")
        await noted(token, grant)
        return FileResponse(path, media_type=MEDIA[0], headers=PRIVATE)

    return routes


def _read(links: DocumentLinks | None, token: str) -> Grant:
    """Raises LinkExpiredError."""
    try:
        if links is None:
            raise LinkUnknownError
        return links.read(token, time.time())
    except LinkUnknownError:
        raise Refused(404, "link_unknown") from None
