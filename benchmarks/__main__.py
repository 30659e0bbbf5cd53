"""All benchmarks, one after another, or those named. Exit code 1 where a bar is not met."""

import argparse

from benchmarks import (
    deliveries,
    events,
    fanout,
    fold,
    growth,
    hangups,
    history,
    lasting_figures,
    latency,
    login_storm,
    shift_start,
    startup,
    takeover,
    web_wall,
    whole,
)
from gateway.logs import configure

PARTS = {
    "events": events.main,
    "fold": fold.main,
    "whole": whole.main,
    "latency": latency.main,
    "fanout": fanout.main,
    "shift_start": shift_start.main,
    "login_storm": login_storm.main,
    "startup": startup.main,
    "takeover": takeover.main,
    "hangups": hangups.main,
    "deliveries": deliveries.main,
    "growth": growth.main,
    "history": history.main,
    "lasting_figures": lasting_figures.main,
    "web_wall": web_wall.main,
}


def main() -> int:
    """`python -m benchmarks [PART …]`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parts = parser.parse_args().parts
    if unknown := set(parts) - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    configure("ERROR")
    met = [PARTS[part]([]) for part in parts or PARTS]
    return 0 if all(met) else 1


if __name__ == "__main__":
    raise SystemExit(main())
