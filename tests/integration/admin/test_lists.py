"""Lists that Django makes: title, refresh, and links that stay within the permissions."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.integration.admin.sample_pages import one_of_each

LISTS = {
    "group": "Groups", "calendar": "Blackout calendars", "monitor": "Monitors", "outbox": "Outgoing messages",
}  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_a_list_has_the_name_of_its_model_and_refreshes_itself(admin: Client, name: str) -> None:
    one_of_each()
    address = f"/admin/chroniker/{name}/"
    html = admin.get(f"{address}?o=1").content.decode()
    assert f"<h1>{LISTS[name]}</h1>" in html
    assert f'data-live-url="{address}?o=1&amp;_live="' in html
    answer = admin.get(address, {"o": "1", "_live": ""}).json()
    assert 'id="result_list"' in answer["html"]["ops-list"]
    assert admin.get(address, {"o": "1", "_live": answer["etag"]}).status_code == 304
