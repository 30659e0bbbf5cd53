"""Programs that keep time however busy the machine is, where the machine lets us say so."""

import functools
import shutil
import subprocess


@functools.cache
def punctual() -> tuple[str, ...]:
    """What to put in front of a command that sends or takes sound: real-time scheduling, or a high priority.

    Empty where neither is permitted: then sound suffers on a busy machine.
    """
    for prefix in (("chrt", "--rr", "1"), ("nice", "-n", "-15")):
        if (
            shutil.which(prefix[0])
            and subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
        ):
            return prefix
    return ()
