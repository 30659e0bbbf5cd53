"""Files in the repository that scripts write from other files are as the scripts would write them now."""

from scripts.classifier_inputs import inputs
from scripts.stream_types import files
from workorders.directories.reference import load_reference
from workorders.extraction.classifier import load_classifier


def test_the_stream_document_the_typescript_types_and_the_apps_english_are_as_generated() -> None:
    for path, text in files().items():
        assert path.read_text(encoding="utf-8") == text, "run `make stream-types`"


def test_the_classifier_was_trained_on_the_data_there_is() -> None:
    # Where this fails, data it learns from was changed: `make model` trains it anew.
    assert load_classifier().card["data"] == inputs(load_reference())
