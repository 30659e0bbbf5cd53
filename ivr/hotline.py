"""The hotline's IVR: runs the greeting flow for one caller on a FastAGI session."""

import structlog

from domain.lines import Line
from ivr.agi import DIGITS, AgiError, AgiHangupError, AgiSession, AgiTimeoutError
from ivr.flow import (
    Collect,
    Digit,
    Event,
    Flow,
    GoTo,
    HandOver,
    Play,
    Played,
    SetVariable,
    advance,
    begin,
    greeting,
    line_of,
)

log = structlog.get_logger(__name__)

SOUNDS = "hotline"
"""Subdirectory of the PBX's sounds directory that has the prompts."""


class HotlineIvr:
    """A handler for `FastAgiServer`: greet, let the caller choose a line, return to the dialplan."""

    def __init__(self, lines: tuple[Line, ...], *, attempts: int = 3, timeout_s: float = 5.0) -> None:
        self._lines = lines
        self._attempts = attempts
        self._timeout_s = timeout_s

    async def __call__(self, session: AgiSession) -> None:
        called = session.environment.extension or session.environment.dnid
        given = await session.get_variable("HOTLINE_LINE") or ""
        line = line_of(self._lines, called, given)
        await session.answer()
        flow = greeting(self._lines, line, attempts=self._attempts, timeout_s=self._timeout_s)
        await run_flow(session, flow)


async def run_flow(session: AgiSession, flow: Flow) -> None:
    """Run `flow` to its hand-over. A prompt that the PBX cannot play is logged and skipped.

    Raises:
        AgiHangupError: the caller hung up.
        AgiTimeoutError: the PBX does not answer.
    """
    state, effects = begin(flow)
    while True:
        event: Event | None = None
        for effect in effects:
            match effect:
                case SetVariable(name=name, value=value):
                    await session.set_variable(name, value)
                case GoTo(step=step):
                    log.debug("ivr.step", uniqueid=session.environment.uniqueid, step=step)
                case Play(prompts=prompts):
                    await _play(session, prompts, "")
                    event = Played()
                case Collect(prompts=prompts, timeout_s=timeout_s):
                    digit = await _play(session, prompts, DIGITS)
                    event = Digit(digit or await session.wait_for_digit(timeout_s))
                case HandOver():
                    return
        if event is None:
            raise ValueError("the flow waits for nothing")
        state, effects = advance(flow, state, event)


async def _play(session: AgiSession, prompts: tuple[str, ...], escape: str) -> str:
    for prompt in prompts:
        try:
            if digit := await session.stream_file(f"{SOUNDS}/{prompt}", escape):
                return digit
        except (AgiHangupError, AgiTimeoutError):
            raise
        except AgiError as error:
            log.warning("ivr.prompt", prompt=prompt, error=str(error))
    return ""
