"""The garbage collector told what stays, and when to look.

Looking through everything stops the event loop for 0.1 s with all our libraries loaded, and for 0.5 s once
thousands of clients are connected. Python does it whenever what lives has grown by a quarter: several times
while a shift signs in. Nearly everything goes by its reference count alone. So only what is new is looked
through, a little at a time, and then left alone; everything once a night, or when it has doubled.
"""

import asyncio
import gc
import time

LOOK_S, EVERY_S = 1.0, 60.0
NEW = 10
"""Collections of the middle generation (7,000 objects more) after which what is new is looked through."""
NEVER = 1 << 30
NIGHT_HOUR = 4
"""The machine's local time."""
COUNT_S = 600.0
GROWN, SMALL = 2, 500_000
"""Everything is looked through when it has grown so many times since, and is more than so many objects."""


def settle() -> None:
    """What was loaded until now stays for good: the collector need not look through it again."""
    gc.collect()
    gc.freeze()


def unsettle() -> None:
    """Look through everything."""
    gc.unfreeze()
    settle()


async def keep_settled() -> None:
    """Collect what is new soon, everything rarely. Until cancelled; Python's own rule applies again then."""
    young, middle, old = gc.get_threshold()
    gc.set_threshold(young, middle, NEVER)
    try:
        await _collect()
    finally:
        gc.set_threshold(young, middle, old)


async def _collect() -> None:
    settle()
    looked = counted = time.monotonic()
    least, night = gc.get_freeze_count(), time.localtime()[:3]
    while True:
        await asyncio.sleep(LOOK_S)
        now, local = time.monotonic(), time.localtime()
        if gc.get_count()[2] >= NEW or now - looked >= EVERY_S:
            settle()
            looked = now
        grown = False
        if now - counted >= COUNT_S:
            counted, grown = now, gc.get_freeze_count() > max(SMALL, GROWN * least)
        if grown or (local.tm_hour == NIGHT_HOUR and local[:3] != night):
            unsettle()
            least, night = gc.get_freeze_count(), local[:3]
