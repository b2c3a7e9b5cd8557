from __future__ import annotations

import pytest
from django.utils.translation import override

from chroniker.worker import end_reasons


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [
        (0, "it exited with status 0"),
        (3, "it exited with status 3"),
        (-15, "it was killed by SIGTERM"),
        (-99, "it was killed by signal 99"),
        (None, "its exit status is unknown"),
    ],
)
def test_an_exit_status_in_words(exit_code: int | None, words: str) -> None:
    assert end_reasons.of_exit(exit_code) == words


def test_reasons_are_in_the_language_of_the_project() -> None:
    with override("de"):
        assert end_reasons.of_exit(-9) == "er wurde durch SIGKILL beendet"
        assert end_reasons.too_long(1.5) == "er lief länger als 1.5 Sekunden"
        assert end_reasons.said(end_reasons.LATE) == "seine Lease konnte nicht rechtzeitig verlängert werden"


def test_what_is_no_text_of_ours_is_said_as_it_is() -> None:
    with override("de"):
        assert end_reasons.said("the report failed: OSError()") == "the report failed: OSError()"
