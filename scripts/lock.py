"""Resolve the ranges in pyproject.toml into the lock files (`make lock`).

The locks are plain pip requirement files with hashes: a fresh machine needs nothing but Python to
install exactly what was tested. uv does the resolving, for every supported Python at once.
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {
    "requirements.lock": ["--no-dev"],
    "requirements-dev.lock": ["--group", "dev"],
    "requirements-model.lock": ["--only-group", "model"],
    "requirements-node.lock": ["--only-group", "node"],
}


def main() -> int:
    with tempfile.TemporaryDirectory() as tmp:
        venv.create(tmp, with_pip=True)
        subprocess.run([f"{tmp}/bin/pip", "install", "--quiet", "uv"], check=True)
        for name, selection in LOCKS.items():
            subprocess.run(
                [
                    f"{tmp}/bin/uv", "export", "--quiet", "--format", "requirements-txt",
                    "--no-emit-project", "--no-annotate", "--no-header", *selection,
                    "--output-file", str(ROOT / name),
                ],
                cwd=ROOT,
                check=True,
            )  # fmt: skip
            print(f"wrote {name}")
        # uv's own lock names the registry it asked; the project keeps the plain files only.
        (ROOT / "uv.lock").unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
