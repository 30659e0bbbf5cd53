"""Private Asterisks for tests, and a way to look into one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from gateway.asterisk.private import PrivateAsterisk
from gateway.settings import Settings
from ivr import prompts
from tests.support.ami_client import PlainAmi
from tests.support.machine import needed_asterisk
from tests.support.punctual import punctual
from tests.support.scenario import ScenarioAsterisk
from tests.support.sip.phones import SipAgent, SipCaller

NUMBER = "051386110010"
"""Of a caller."""
NOWHERE = "127.0.0.1:9"
"""Where nobody listens: the gateway is away."""
DTMF_SOUNDS = ("pbx-transfer", "beep", "beeperr")
MAILBOX_SOUNDS = (
    "vm-theperson", "vm-isunavail", "vm-isonphone", "vm-intro", "vm-goodbye", "vm-nobodyavail", "vm-review",
    *(f"digits/{digit}" for digit in range(10)), "auth-thankyou",
)  # fmt: skip
SomeAsterisk = TypeVar("SomeAsterisk", bound=PrivateAsterisk)


def our_prompts(sounds: Path) -> None:
    """Put the gateway's own prompts there."""
    prompts.install(sounds)


def scenario_sounds(sounds: Path) -> None:
    """Our prompts, and silence for those of Asterisk's own that a transfer by DTMF or a mailbox will not go
    without."""
    prompts.install(sounds)
    (sounds / "digits").mkdir(exist_ok=True)
    for name in (*DTMF_SOUNDS, *MAILBOX_SOUNDS):
        (sounds / f"{name}.alaw").write_bytes(b"\xd5" * 800)


def private(
    kind: type[SomeAsterisk],
    settings: Settings,
    directory: Path,
    *,
    agi: str = NOWHERE,
    audiosocket: str = NOWHERE,
    mediasocket: str = "",
    agi_peers: tuple[str, ...] = (),
    provide: Callable[[Path], None] | None = None,
) -> SomeAsterisk:
    """An Asterisk of the test's own, on this machine's; skips or fails where there is none."""
    root = needed_asterisk()
    return kind(
        settings,
        directory,
        agi=agi,
        audiosocket=audiosocket,
        mediasocket=mediasocket,
        agi_peers=agi_peers,
        root=root if root != Path("/") else None,
        prefix=punctual(),
        provide=provide,
    )


def scenario_asterisk_for(settings: Settings, directory: Path) -> ScenarioAsterisk:
    """An Asterisk for scenarios; nobody answers its AGI: callers reach their queue at once."""
    return private(ScenarioAsterisk, settings, directory, provide=scenario_sounds)


def ami(asterisk: PrivateAsterisk) -> PlainAmi:
    """Its manager interface, by hand."""
    return PlainAmi(asterisk.options.ami_port, asterisk.pbx.username, asterisk.pbx.read_secret())


async def reachable(asterisk: PrivateAsterisk, endpoint: str) -> None:
    """Wait until the PBX knows that somebody is there: before, no call goes out to it.

    It asks when it starts, waits three seconds for the answer, and asks again half a minute later: too late
    for a test on a machine so busy that the answer was late.
    """
    async with asyncio.timeout(60):
        while True:
            for _ in range(40):
                contacts = (await asterisk.cli("pjsip show contacts")).splitlines()
                if any(f" {endpoint}/" in line and " Avail " in line for line in contacts):
                    return
                await asyncio.sleep(0.1)
            await asterisk.cli(f"pjsip qualify {endpoint}")


@asynccontextmanager
async def agent_of(asterisk: PrivateAsterisk, directory: Path, user: str) -> AsyncIterator[SipAgent]:
    """An agent's phone that the PBX has found to be there.

    It asks at the registration; is the phone not listening yet, the queue rings nobody for half a minute.
    """
    async with SipAgent(
        directory, asterisk.options.sip_port, user, asterisk.options.phone_passwords[user]
    ) as agent:
        await reachable(asterisk, user)
        yield agent


async def pressed(events: PlainAmi, caller: SipCaller, key: str) -> None:
    """Press the key once the greeting has begun."""
    await events.until("MixMonitorStart")
    await asyncio.sleep(2.0)
    caller.voice.press(key)
