"""All benchmarks, one after another. Exit code 1 where a bar is not met."""

from benchmarks import events, fanout, latency, startup
from gateway.logs import configure


def main() -> int:
    """Run them."""
    configure("ERROR")
    met = [events.main([]), latency.main([]), fanout.main([]), startup.main([])]
    return 0 if all(met) else 1


if __name__ == "__main__":
    raise SystemExit(main())
