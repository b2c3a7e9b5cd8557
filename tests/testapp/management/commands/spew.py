from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

PIECE = 1 << 16


class Command(BaseCommand):
    help = "Write what is hard to log; each option adds a part, in this order."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--text", default="", help="this text, as it is")
        parser.add_argument("--nul", action="store_true", help="a line with NUL bytes")
        parser.add_argument("--non-ascii", action="store_true", help="a line in several scripts")
        parser.add_argument("--broken-utf8", action="store_true", help="a line that is no UTF-8")
        parser.add_argument("--os-write", action="store_true", help="a line written past Python's streams")
        parser.add_argument("--c-level", action="store_true", help="a line written by the C library")
        parser.add_argument("--grandchild", action="store_true", help="a line written by a grandchild")
        parser.add_argument("--megabytes", type=int, default=0, help="that much in one line")
        parser.add_argument("--lines", action="store_true", help="... in lines of 128 bytes")
        parser.add_argument("--no-newline", action="store_true", help="end without a newline")
        parser.add_argument("--stderr", action="store_true", help="all of it to stderr")

    def handle(self, *args: Any, stderr: bool, megabytes: int, **options: Any) -> None:
        self.descriptor = 2 if stderr else 1
        (sys.stderr if stderr else sys.stdout).flush()
        self.put(options["text"].encode())
        for name in ("nul", "non_ascii", "broken_utf8", "os_write", "c_level", "grandchild"):
            if options[name]:
                getattr(self, name)()
        if megabytes:
            self.much(megabytes, b"x" * 127 + b"\n" if options["lines"] else b"x")
        if options["no_newline"]:
            self.put(b"the end, without a newline")

    def put(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self.descriptor, view) :]

    def nul(self) -> None:
        self.put(b"before\0between\0after\n")

    def non_ascii(self) -> None:
        self.put("héllo 你好 🙂\n".encode())

    def broken_utf8(self) -> None:
        self.put(b"broken \xff\xfe\xc3 utf-8\n")

    def os_write(self) -> None:
        self.put(b"written past python\n")

    def c_level(self) -> None:
        text = b"written by the c library\n"
        ctypes.CDLL(None).write(self.descriptor, text, len(text))

    def grandchild(self) -> None:
        subprocess.run(["/bin/sh", "-c", f"sh -c 'echo written by a grandchild' >&{self.descriptor}"], check=True)

    def much(self, megabytes: int, part: bytes) -> None:
        piece = part * (PIECE // len(part))
        for _ in range(megabytes * (1 << 20) // PIECE):
            self.put(piece)
        self.put(b"\n")
