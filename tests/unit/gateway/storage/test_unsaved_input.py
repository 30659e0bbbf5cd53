"""What is typed but not valid, on both databases."""

from gateway.storage.database import Database
from gateway.storage.unsaved_input import DraftRepository

ORDER, OTHER = "0" * 36, "1" * 36


async def test_drafts_are_kept_field_by_field_and_let_go(database: Database) -> None:
    repository = DraftRepository(database)
    await repository.keep_drafts(ORDER, {"credit_code": "9132'; DROP", "title": "路"}, by="zhang")
    await repository.keep_drafts(OTHER, {"title": "别的"}, by="li")
    await repository.keep_drafts(ORDER, {"credit_code": "91320", "town": None}, by="li")
    assert await repository.drafts(ORDER) == {"credit_code": "91320", "title": "路"}
    await repository.keep_drafts(ORDER, {"credit_code": None, "wish": ""}, by="zhang")
    assert await repository.drafts(ORDER) == {"title": "路", "wish": ""}
    await repository.keep_drafts(ORDER, {}, by="zhang")
    assert await repository.drafts(OTHER) == {"title": "别的"}
