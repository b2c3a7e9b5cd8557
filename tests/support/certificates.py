"""A certificate for a server on loopback, which its clients can verify."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple


class Certificate(NamedTuple):
    file: Path
    key: Path


def a_certificate(directory: Path) -> Certificate:
    """Signed by itself, valid for two days. Needs ``openssl``."""
    made = Certificate(directory / "certificate.pem", directory / "key.pem")
    words = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=server"]
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(made.key), "-out", str(made.file)]
    subprocess.run(["openssl", "req", *words, *files], capture_output=True, check=True)
    return made
