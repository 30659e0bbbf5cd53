"""`hotline watch`: a live board in the terminal."""

import asyncio
import os
import sys
import time
from typing import Annotated

import msgspec
import typer

from gateway.cli.main import app, err


@app.command()
def watch(
    url: Annotated[str, typer.Option(help="The gateway's address.")] = "http://127.0.0.1:8600",
    user: Annotated[str, typer.Option(help="Username to sign in with.")] = "",
    once: Annotated[bool, typer.Option("--once", help="Print the current board and exit.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per frame and line.")] = False,
) -> None:
    """Show queues, agents and calls live, as far as the account may see them. Stop with Ctrl-C.

    The password is prompted for, or taken from HOTLINE_PASSWORD; never from the command line.
    """
    from gateway.client import SignedOut, SignInError

    name = user or typer.prompt("user", err=True)
    password = os.environ.get("HOTLINE_PASSWORD") or typer.prompt("password", hide_input=True, err=True)
    try:
        asyncio.run(_watch(url, name, password, once, as_json))
    except (SignInError, SignedOut, ValueError) as error:
        err.print(str(error))
        raise typer.Exit(1) from None
    except BrokenPipeError:
        # Whoever read our output (`head`, say) has gone.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


async def _watch(url: str, user: str, password: str, once: bool, as_json: bool) -> None:
    from rich.console import Console
    from rich.live import Live

    from domain.frames import Snapshot
    from gateway.cli.board import board
    from gateway.client import StreamClient, sign_in

    console = Console()
    if not (once or as_json or console.is_terminal):
        raise ValueError("not a terminal: use --once to print the board once, or --json for every change")
    topics = ("calls", "queues", "agents", "pbx")
    async with (
        sign_in(url, user, password) as session,
        StreamClient(session.stream_url, session.cookie, topics=topics) as stream,
    ):
        if as_json:
            async for frame in stream:
                if isinstance(frame, Snapshot) or not once:
                    sys.stdout.buffer.write(msgspec.json.encode(frame) + b"\n")
                    sys.stdout.buffer.flush()
                if isinstance(frame, Snapshot) and once:
                    return
        if once:
            async for frame in stream:
                if isinstance(frame, Snapshot):
                    console.print(board(stream.view, time.time(), connected=True))
                    return
        with Live(console=console, screen=True, auto_refresh=False) as live:

            async def draw() -> None:
                while True:
                    live.update(
                        board(stream.view, time.time(), connected=stream.connected.is_set()), refresh=True
                    )
                    await asyncio.sleep(0.5)

            drawing = asyncio.create_task(draw())
            try:
                async for _ in stream:
                    pass
            finally:
                drawing.cancel()
