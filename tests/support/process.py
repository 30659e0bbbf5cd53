"""The gateway as users run it: `hotline run` in a process of its own, from a configuration file."""

import asyncio
import json
import re
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import aiohttp

from gateway.asterisk.ports import spare_tcp
from gateway.asterisk.private import PrivateAsterisk
from tests.support.forked import ForkedHotline
from tests.support.machine import MODEL

CONFIG = """
data_dir = "{data}"
[http]
port = {web}
stream_port = {stream}
{http}
[[pbx]]
name = "main"
port = {ami}
username = "hotline"
secret_file = "{ami_secret}"
recordings_prefix = "{prefix}"
recordings_dir = "{recordings}"
{queue_log}
phones_file = "{phones}"
reconnect_max_s = 1
[pbx.softphone]
url = "{softphone}"
[agi]
port = {agi}
peers = {peers}
[audiosocket]
port = {audio}
{asr}
[[workorders]]
id = "main"
url = "{url}"
secret_file = "{secret}"
first_retry_s = 0.3
max_retry_s = 1
[log]
format = "json"
"""


def recogniser(*, live: bool, partials: bool) -> str:
    """Its section: the offline model; with partial texts a worker for each core, as shipped, else one."""
    asked = {"live": live, "partials": partials, "workers": 0 if partials else 1}
    return f'[asr]\nmodel = "{MODEL}"\n' + "".join(f"{key} = {json.dumps(it)}\n" for key, it in asked.items())


class GatewayProcess:
    """`hotline run --config …`; may be killed and started again on the same data."""

    def __init__(
        self,
        directory: Path,
        asterisk: PrivateAsterisk,
        agi: int,
        audio: int,
        url: str,
        secret: str,
        *,
        live: bool = True,
        partials: bool = False,
        softphones: bool = False,
        database: str | None = None,
        data: Path | None = None,
        agi_peers: Sequence[int] = (),
        asr: str = "",
        http: str = "",
        send_after_s: float = 0,
    ):
        """`partials`: show text while it is spoken, which takes whatever a machine has left.

        `softphones`: every agent's phone is a browser; the PBX's settings must say so too.
        `database`: the URL of one that is there already, in the newest schema. `data`: the data directory, if
        it is shared. `agi_peers`: the FastAGI ports of those that serve in turn. `asr`: another recogniser.
        `http`: more lines of that section. `send_after_s`: of each line.
        """
        self.directory = directory
        self.web, self.stream = spare_tcp(), spare_tcp()
        self.log = directory / "gateway.log"
        directory.mkdir(parents=True, exist_ok=True)
        secret_file = directory / "workorders.secret"
        secret_file.write_text(secret)
        example = Path(__file__).resolve().parents[2] / "gateway/settings/hotline.example.toml"
        shared = example.read_text(encoding="utf-8")
        # Lines and agents as shipped; everything else points at this test's parts.
        lines = shared[shared.index("# ---- lines") : shared.index("# ---- speech")]
        lines = re.sub(r"^send_after_s = .*\n", "", lines, flags=re.MULTILINE)
        lines = lines.replace("[[lines]]\n", f"[[lines]]\nsend_after_s = {send_after_s}\n")
        self.config = directory / "hotline.toml"
        text = CONFIG.format(
            data=data or directory / "data",
            web=self.web,
            stream=self.stream,
            http=http,
            ami=asterisk.options.ami_port,
            ami_secret=asterisk.pbx.secret_file,
            prefix=asterisk.pbx.recordings_prefix,
            recordings=asterisk.pbx.recordings_dir,
            queue_log=f'queue_log = "{asterisk.pbx.queue_log}"' if asterisk.pbx.queue_log else "",
            phones=asterisk.pbx.phones_file,
            softphone=asterisk.pbx.softphone.url,
            agi=agi,
            peers=[f"127.0.0.1:{port}" for port in agi_peers],
            audio=audio,
            asr=asr or recogniser(live=live, partials=partials),
            url=url,
            secret=secret_file,
        )
        if database is not None:
            text += f'[database]\nurl = "{database}"\n'
        if softphones:
            lines = lines.replace("softphone = false", "softphone = true")
            lines = lines.replace('phone = "PJSIP/1002"', 'phone = "PJSIP/1002"\nsoftphone = true')
            lines = lines.replace('phone = "PJSIP/1003"', 'phone = "PJSIP/1003"\nsoftphone = true')
        self.config.write_text(text + lines, encoding="utf-8")
        self._process: ForkedHotline | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), 20)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    async def start(self, *, ready: bool = True) -> None:
        """Start it and wait until it is ready; with `ready=False` only until it answers."""
        self._process = ForkedHotline(["run", "-c", str(self.config)], self.log)
        async with asyncio.timeout(90):
            while True:
                if self._process.returncode is not None:
                    raise AssertionError(f"the gateway ended: {self.log.read_text()[-3000:]}")
                status = await self.status()
                if status == 200 or (status is not None and not ready):
                    return
                await asyncio.sleep(0.2)

    async def stands_by(self) -> bool:
        """Whether it stands by for another process; one that is only not ready does not."""
        return (await self._asked())[1].get("role") == "standby"

    async def status(self) -> int | None:
        """The HTTP status of /readyz; `None`: no answer."""
        return (await self._asked())[0]

    async def _asked(self) -> tuple[int | None, dict[str, Any]]:
        timeout = aiohttp.ClientTimeout(total=2)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(f"http://127.0.0.1:{self.web}/readyz") as answer,
            ):
                return answer.status, await answer.json()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None, {}

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self, timeout: float = 30.0) -> None:
        """Wait until the process has ended."""
        assert self._process is not None
        await asyncio.wait_for(self._process.wait(), timeout)

    async def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The log lines of that event so far."""
        found = []
        for line in self.log.read_text(encoding="utf-8").splitlines():
            if line.startswith("{"):
                record = json.loads(line)
                if record.get("event") == event:
                    found.append(record)
        return found

    async def until(self, event: str, timeout: float = 60.0) -> dict[str, Any]:
        """Wait for the first log line of that event."""
        async with asyncio.timeout(timeout):
            while not (found := self.logged(event)):  # noqa: ASYNC110 - a file is watched
                await asyncio.sleep(0.1)
            return found[0]
