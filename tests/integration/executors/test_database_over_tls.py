"""A PostgreSQL that is reached over TLS only, with a certificate that the clients verify."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.certificates import Certificate, a_certificate
from tests.support.databases import OPTIONS_VARIABLE
from tests.support.manage import Manage
from tests.support.processes import with_settings
from tests.support.servers import PostgresServer

EXECUTORS = {"default": {"BACKEND": "chroniker.executors.local.LocalExecutor"}}
A_JOB = """
from chroniker.models import Job
from tests.support.factories import a_booked_job
Job.objects.filter(pk=a_booked_job(command="noop", cron="0 0 1 1 *").pk).update(force_run=True)
"""
RUNS = """
from chroniker.models import Run
print([run.status for run in Run.objects.all()])
"""


class PostgresOverTls(PostgresServer):
    """Refuses connections without TLS."""

    def __init__(self, certificate: Certificate) -> None:
        super().__init__()
        self.certificate = certificate

    def prepare(self) -> None:
        super().prepare()
        data = self.directory / "data"
        for source, name in ((self.certificate.file, "server.crt"), (self.certificate.key, "server.key")):
            path = Path(shutil.copy(source, data / name))
            path.chmod(0o600)
            self.hand_over(path)
        (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust\n")

    def command(self) -> list[str]:
        return [*super().command(), "-c", "ssl=on"]


@pytest.mark.skipif(not PostgresServer.available() or not shutil.which("openssl"), reason="needs PostgreSQL, openssl")
def test_a_tick_and_a_command_use_a_database_over_tls(subprocess_env: dict[str, str], tmp_path: Path) -> None:
    certificate = a_certificate(tmp_path)
    with PostgresOverTls(certificate) as server:
        env = {
            **with_settings(subprocess_env, CHRONIKER_EXECUTORS=EXECUTORS),
            "TEST_DATABASE": "postgres",
            "CHRONIKER_TEST_DB_NAME": "postgres",
            "CHRONIKER_TEST_DB_PORT": str(server.port),
            OPTIONS_VARIABLE: json.dumps({"sslmode": "verify-full", "sslrootcert": str(certificate.file)}),
        }
        manage = Manage(env, tmp_path)
        for words in (["migrate", "-v0"], ["shell", "-v0", "-c", A_JOB], ["cron"]):
            done = manage(*words)
            assert done.returncode == 0, done.stderr
        assert manage("shell", "-v0", "-c", RUNS).stdout.strip() == "['SUCCEEDED']"
        unencrypted = Manage({**env, OPTIONS_VARIABLE: json.dumps({"sslmode": "disable"})}, tmp_path)
        assert "no encryption" in unencrypted("cron").stderr
