"""What the classifier learns from, by digest; needs no scikit-learn.

`python -m scripts.classifier_inputs` fails where the classifier's card tells of other data than there is now.
"""

import hashlib
import json
import sys
from pathlib import Path

from workorders.directories.reference import Reference, load_reference
from workorders.extraction.classifier import MODEL, Classifier, ClassifierError

DATA = Path(__file__).resolve().parents[1] / "workorders" / "data" / "training"


def inputs(reference: Reference) -> dict[str, str]:
    """Part → SHA-256 of it: the training files, and what of the reference data is learnt as tiny texts."""
    found = {path.name: path.read_bytes() for path in sorted(DATA.iterdir()) if path.is_file()}
    functions = [(one.id, sorted(one.names), sorted(one.words)) for one in reference.functions]
    found["functions"] = json.dumps(sorted(functions), ensure_ascii=False).encode()
    found["taxonomy"] = json.dumps(sorted(reference.taxonomy), ensure_ascii=False).encode()
    return {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}


def version(learnt_from: dict[str, str]) -> str:
    """A short name of one state of the data."""
    return hashlib.sha256(json.dumps(learnt_from, sort_keys=True).encode()).hexdigest()[:12]


def main() -> int:
    """0: the classifier is made of the data there is."""
    now = inputs(load_reference())
    try:
        known = Classifier(MODEL).card["data"]
    except ClassifierError as error:
        print(f"==> {error}")
        return 1
    changed = sorted(name for name in now.keys() | known.keys() if now.get(name) != known.get(name))
    if changed:
        print(f"==> the classifier was trained on other data than there is now: {', '.join(changed)}")
        return 1
    print(f"==> classifier {version(now)} is up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
