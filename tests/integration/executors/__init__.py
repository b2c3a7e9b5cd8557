import pytest

pytest.register_assert_rewrite("tests.integration.executors.accepting_contract", "tests.integration.executors.contract")
