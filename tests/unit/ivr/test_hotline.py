"""A caller's way through the greeting, over a real socket."""

import asyncio

from domain.lines import Line
from ivr import survey
from ivr.agi import FastAgiServer, quote
from ivr.hotline import HotlineIvr

LINES = (
    Line(id="12345", name="热线", numbers=("12345",), queue="q12345", digit="0"),
    Line(id="yiqilai", name="一企来", numbers=("12346",), queue="yiqilai", digit="1", form="enterprise"),
)


async def call(exten: str, digit: str, script: str = "hotline") -> list[str]:
    said: list[str] = []
    async with FastAgiServer("127.0.0.1", 0, HotlineIvr(LINES), also={survey.ROUTE: survey.ask}) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(f"agi_network_script: {script}\nagi_extension: {exten}\n\n".encode())
        while raw := await reader.readline():
            said.append(command := raw.decode().strip())
            code = ord(digit) if digit and command.startswith("WAIT") else 0
            writer.write(f"200 result={code}\n".encode())
        writer.close()
    return said


async def test_digit_chooses_the_line() -> None:
    said = await call("12345", "1")
    assert 'SET VARIABLE HOTLINE_QUEUE "yiqilai"' in said
    assert 'SET VARIABLE HOTLINE_IVR_MENU "1"' in said


async def test_silence_keeps_the_dialled_line() -> None:
    said = await call("12345", "")
    assert 'SET VARIABLE HOTLINE_QUEUE "q12345"' in said
    assert sum(command.startswith("WAIT") for command in said) == 3


async def test_dedicated_number_skips_the_menu() -> None:
    said = await call("12346", "")
    assert 'SET VARIABLE HOTLINE_LINE "yiqilai"' in said
    assert not any(command.startswith("WAIT") for command in said)


async def test_the_survey_asks_two_questions_and_notes_the_keys() -> None:
    said = await call("12345", "2", "survey")
    assert 'SET VARIABLE HOTLINE_IVR_SURVEY_SATISFIED "2"' in said
    assert 'SET VARIABLE HOTLINE_IVR_SURVEY_RESOLVED "2"' in said
    assert "survey-thanks" in said[-1]


async def test_who_presses_nothing_or_no_key_of_the_survey_is_let_go() -> None:
    for digit in ("", "7"):
        said = await call("12345", digit, "survey")
        assert sum(command.startswith("WAIT") for command in said) == 2
        assert not any(command.startswith("SET VARIABLE") for command in said)
        assert "survey-thanks" in said[-1]


async def test_a_script_that_is_none_of_ours_is_refused() -> None:
    assert await call("12345", "1", "other") == []


def test_argument_cannot_become_a_second_command() -> None:
    assert quote('a"\nHANGUP') == '"a\\" HANGUP"'
