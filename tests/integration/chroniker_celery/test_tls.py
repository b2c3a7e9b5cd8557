"""A broker that is reached over TLS, with a certificate that the clients verify."""

from __future__ import annotations

import shutil
import ssl
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery

from chroniker.models import Job, Status
from chroniker_celery.publish import RunMessage, publish
from tests.integration.chroniker_celery.conftest import TIMEOUT
from tests.integration.chroniker_celery.steps import NEVER, only_run_of, wait_until_closed
from tests.support.brokers import Broker
from tests.support.celery_processes import CeleryBeat, CeleryWorker
from tests.support.certificates import a_certificate
from tests.support.factories import a_booked_job
from tests.support.processes import wait_until, with_settings
from tests.support.servers import FaultProxy

pytestmark = [pytest.mark.celery, pytest.mark.django_db(transaction=True)]


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
def test_beat_and_worker_use_a_broker_over_tls(env: dict[str, str], broker: Broker, tmp_path: Path) -> None:
    certificate, key = a_certificate(tmp_path)
    with FaultProxy(broker.server.port, tls=of_server(certificate, key)) as proxy:
        encrypted = {**env, **broker.environ(url=over_tls(broker.url, proxy.port))}
        encrypted = with_settings(encrypted, CELERY_BROKER_USE_SSL=verified(broker, certificate))
        job = a_booked_job(cron=NEVER)
        with CeleryBeat(encrypted, tmp_path), CeleryWorker(encrypted, tmp_path) as worker:
            Job.objects.filter(pk=job.pk).update(force_run=True)
            wait_until(job.runs.exists, what="claimed")
            assert wait_until_closed(only_run_of(job)).status == Status.SUCCEEDED, worker.log


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
def test_a_broker_with_an_unknown_certificate_gets_no_message(broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    known = a_certificate(tmp_path / "other").file
    with FaultProxy(broker.server.port, tls=of_server(*a_certificate(tmp_path))) as proxy:
        app = Celery(broker=over_tls(broker.url, proxy.port), set_as_current=False)
        app.conf.broker_use_ssl = verified(broker, known)
        with pytest.raises(Exception, match="certificate verify failed"):
            publish(app, [RunMessage(uuid4(), 1)], timeout=TIMEOUT)


def of_server(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


def over_tls(url: str, port: int) -> str:
    """The URL with this port, and the scheme for TLS: ``rediss`` or ``amqps``."""
    scheme, _, rest = url.partition("://")
    access, _, place = rest.rpartition("@")
    path = place.partition("/")[2]
    return f"{scheme}s://{access}{'@' if access else ''}127.0.0.1:{port}/{path}"


def verified(broker: Broker, certificate: Path) -> dict[str, Any]:
    """``broker_use_ssl`` as the client of this broker reads it."""
    prefix = "ssl_" if broker.name == "redis" else ""
    return {f"{prefix}cert_reqs": ssl.CERT_REQUIRED, f"{prefix}ca_certs": str(certificate)}
