"""Reads the protocols of PostgreSQL and MariaDB to detect that a server has committed."""

from __future__ import annotations

from typing import Protocol

WRITES = (b"INSERT", b"UPDATE", b"DELETE")
AUTHENTICATION = b"R"[0]
IN_TRANSACTION = 0x0001  # MariaDB's SERVER_STATUS_IN_TRANS
QUERY, OK = 0x03, 0x00


class Dialogue(Protocol):
    """The messages of one connection."""

    def commits(self, piece: bytes, *, up: bool) -> bool:
        """Read the next bytes (``up``: to the server). Returns whether they report a commit."""
        ...


class PostgresDialogue:
    """A commit is COMMIT completed, or a write completed after which the server is in no transaction.

    It is the server's answer that is read, so the simple and the extended protocol are alike. Without TLS.
    """

    def __init__(self) -> None:
        self._heard = bytearray()
        self._greeted = False
        self._wrote = False

    def commits(self, piece: bytes, *, up: bool) -> bool:
        if up:
            return False
        self._heard += piece
        self._pass_refusals()
        committed = False
        while self._greeted and (message := self._next()) is not None:
            committed |= self._reports_commit(*message)
        return committed

    def _pass_refusals(self) -> None:
        """Before it greets, the server answers with single letters that it speaks neither TLS nor GSSAPI."""
        while self._heard and not self._greeted:
            self._greeted = self._heard[0] == AUTHENTICATION
            if not self._greeted:
                del self._heard[0]

    def _next(self) -> tuple[bytes, bytes] | None:
        size = int.from_bytes(self._heard[1:5], "big") + 1
        if len(self._heard) < 5 or len(self._heard) < size:
            return None
        kind, body = bytes(self._heard[:1]), bytes(self._heard[5:size])
        del self._heard[:size]
        return kind, body

    def _reports_commit(self, kind: bytes, body: bytes) -> bool:
        if kind == b"C":  # a command is complete
            self._wrote |= body.startswith((b"COMMIT", *WRITES))
        if kind != b"Z":  # ready for the next query; "I" is: in no transaction
            return False
        wrote, self._wrote = self._wrote, False
        return wrote and body == b"I"


class MariaDBDialogue:
    """A commit is an OK, in no transaction, to COMMIT or to a write. Rows that come back hide it. Without TLS."""

    def __init__(self) -> None:
        self._wrote = False

    def commits(self, piece: bytes, *, up: bool) -> bool:
        body = piece[4:]  # after the size and the number of the packet
        if up:
            if piece[3:4] == b"\0" and body[:1] == bytes([QUERY]):
                self._wrote = body[1:].lstrip()[:6].upper() in (b"COMMIT", *WRITES)
            return False
        wrote, self._wrote = self._wrote, False
        return wrote and body[:1] == bytes([OK]) and not _status(body) & IN_TRANSACTION


def _status(ok: bytes) -> int:
    """The flags of an OK packet: they follow two numbers of variable size, rows and identity."""
    at = 1
    for _each in range(2):
        at += {0xFC: 3, 0xFD: 4, 0xFE: 9}.get(ok[at], 1)
    return int.from_bytes(ok[at : at + 2], "little")
