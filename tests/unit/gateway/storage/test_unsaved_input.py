"""What is typed but not valid, on both databases."""

from gateway.storage.database import Database
from gateway.storage.unsaved_input import UnsavedInputRepository

ORDER, OTHER = "0" * 36, "1" * 36


async def test_drafts_are_kept_field_by_field_and_let_go(database: Database) -> None:
    repository = UnsavedInputRepository(database)
    await repository.keep_unsaved(ORDER, {"credit_code": "9132'; DROP", "title": "路"}, by="zhang")
    await repository.keep_unsaved(OTHER, {"title": "别的"}, by="li")
    await repository.keep_unsaved(ORDER, {"credit_code": "91320", "town": None}, by="li")
    assert await repository.get_unsaved(ORDER) == {"credit_code": "91320", "title": "路"}
    await repository.keep_unsaved(ORDER, {"credit_code": None, "wish": ""}, by="zhang")
    assert await repository.get_unsaved(ORDER) == {"title": "路", "wish": ""}
    await repository.keep_unsaved(ORDER, {}, by="zhang")
    assert await repository.get_unsaved(OTHER) == {"title": "别的"}
