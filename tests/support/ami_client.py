"""A few lines of AMI by hand, independent of the gateway's own link."""

import asyncio
from typing import Self


class PlainAmi:
    """Logs in and sends actions; the text of everything received is kept."""

    def __init__(self, port: int, username: str, secret: str) -> None:
        self._port, self._username, self._secret = port, username, secret
        self.text = ""

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._task = asyncio.create_task(self._read())
        await self.send(Action="Login", Username=self._username, Secret=self._secret)
        await self.until("FullyBooted")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        self._writer.close()

    async def _read(self) -> None:
        while data := await self._reader.read(65536):
            self.text += data.decode(errors="replace")

    async def send(self, *variables: str, **headers: str) -> None:
        lines = [f"{key}: {value}" for key, value in headers.items()]
        lines += [f"Variable: {variable}" for variable in variables]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        await self._writer.drain()

    def messages(self, event: str) -> list[dict[str, str]]:
        """The events of that name so far."""
        found = []
        for block in self.text.split("\r\n\r\n"):
            headers = dict(line.split(": ", 1) for line in block.split("\r\n") if ": " in line)
            if headers.get("Event") == event:
                found.append(headers)
        return found

    async def until(self, event: str, timeout: float = 30.0, **headers: str) -> dict[str, str]:
        """Wait for the first event of that name, with these headers."""

        def found() -> list[dict[str, str]]:
            return [one for one in self.messages(event) if headers.items() <= one.items()]

        async def wait() -> dict[str, str]:
            while not (those := found()):  # noqa: ASYNC110 - text arrives by polling
                await asyncio.sleep(0.05)
            return those[0]

        return await asyncio.wait_for(wait(), timeout)
