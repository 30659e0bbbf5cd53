"""Install a lock file with pip, saying how far it is (`make` uses it): install.py REQUIREMENTS

pip's own output is long or, with --quiet, nothing for minutes; what it says of errors is passed on.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

EVERY_S = 2.0


def main(lock: Path) -> int:
    total = len(
        re.findall(r"^[A-Za-z0-9._-]+(?:\[[^\]]*\])?==", lock.read_text(encoding="utf-8"), re.MULTILINE)
    )
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-input",
        "--progress-bar",
        "off",
        "--require-hashes",
    ]
    process = subprocess.Popen([*command, "-r", str(lock)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    seen, told = 0, time.monotonic()
    for line in process.stdout:
        if line.startswith(("Collecting ", "Processing ", "Ignoring ", "Requirement already")):
            seen += 1
        elif line.startswith("Installing collected"):
            print(f"    {seen} of {total} fetched; unpacking", flush=True)
        elif line.startswith("ERROR"):
            print(line, end="", flush=True)
        if seen and time.monotonic() - told >= EVERY_S:
            told = time.monotonic()
            print(f"    {seen} of {total}", flush=True)
    return process.wait()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: install.py REQUIREMENTS")
    sys.exit(main(Path(sys.argv[1])))
