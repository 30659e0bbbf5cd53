"""The doctor on a real Asterisk: everything in order, and what he says when live audio cannot arrive."""

import asyncio
from pathlib import Path

import pytest
from pydantic import AnyHttpUrl

from gateway.asterisk.ports import spare_tcp
from gateway.asterisk.private import PrivateAsterisk
from gateway.doctor import examine
from gateway.doctor.findings import Finding
from gateway.settings import Settings
from tests.support.machine import MODEL
from tests.support.pbx import private

pytestmark = pytest.mark.asterisk


async def findings(settings: Settings) -> dict[str, Finding]:
    return {finding.what.text: finding async for finding in examine(settings)}


async def test_all_is_well_and_a_tone_is_heard_also_beside_a_running_gateway(
    example: Settings, model: Path, tmp_path: Path
) -> None:
    port = spare_tcp()
    receiver = await asyncio.start_server(_answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{receiver.sockets[0].getsockname()[1]}/orders"
    secret = tmp_path / "workorders.secret"
    secret.write_text("a-secret-of-the-endpoint")
    async with (
        receiver,
        private(
            PrivateAsterisk,
            example,
            tmp_path / "asterisk",
            audiosocket=f"127.0.0.1:{port}",
        ) as asterisk,
    ):
        settings = example.model_copy(
            update={
                "data_dir": tmp_path / "data",
                "pbx": [asterisk.pbx],
                "audiosocket": example.audiosocket.model_copy(update={"port": port}),
                "asr": example.asr.model_copy(update={"model": str(MODEL)}),
                "workorders": [
                    example.workorders[0].model_copy(update={"url": AnyHttpUrl(url), "secret_file": secret})
                ],
            }
        )
        told = await findings(settings)
        assert [finding for finding in told.values() if not finding.ok] == []
        assert "tone" in told["PBX main: live audio"].detail.text

        async with await asyncio.start_server(lambda *_: None, "127.0.0.1", port):
            beside = (await findings(settings))["PBX main: live audio"]
        assert beside.ok
        assert f"gateway holds 127.0.0.1:{port}" in beside.detail.text

        # A gateway that brings its own PBX listens on any port.
        anywhere = settings.model_copy(
            update={"audiosocket": example.audiosocket.model_copy(update={"port": 0})}
        )
        assert (await findings(anywhere))["PBX main: live audio"].ok

        elsewhere = settings.model_copy(
            update={"audiosocket": example.audiosocket.model_copy(update={"port": spare_tcp()})}
        )
        lost = (await findings(elsewhere))["PBX main: live audio"]
        assert not lost.ok
        assert lost.fix is not None
        assert "audiosocket.advertise" in lost.fix.text


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()
