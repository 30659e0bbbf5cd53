"""The shipped prompts (8 kHz A-law) and their installation into a PBX's sounds directory."""

import shutil
import tomllib
from pathlib import Path

HERE = Path(__file__).parent


def texts() -> dict[str, str]:
    """Prompt id -> what it says."""
    prompts: dict[str, str] = tomllib.loads((HERE / "prompts.toml").read_text(encoding="utf-8"))["prompts"]
    return prompts


def files() -> dict[str, Path]:
    """Prompt id -> rendered file. Every id of `texts` has one."""
    return {name: HERE / f"{name}.alaw" for name in texts()}


def install(directory: Path, *, language: str = "", replace: bool = False) -> list[Path]:
    """Copy the prompts to `<directory>[/<language>]/hotline/<id>.alaw`; returns what was written.

    A file that is there already (an own recording) stays unless `replace`; a recording in any other format
    of the same id stays the one Asterisk may choose, so the shipped file is not put beside it.

    Raises:
        OSError: the directory cannot be written.
    """
    target = directory / language / "hotline"
    target.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name, source in files().items():
        if not replace and any(target.glob(f"{name}.*")):
            continue
        written.append(Path(shutil.copyfile(source, target / source.name)))
    return written
