"""A small SMTP server that keeps what it takes, for tests (RFC 5321, as far as clients go here).

In the test's own process: `with MailServer() as relay: …; relay.mails`. As a program of its own,
which writes each mail to a file: python -m tests.mail_server PORT DIRECTORY
"""

import socketserver
import sys
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Self


class MailServer:
    """Listens on a free port of the loopback. `refuses`: answer every mail with this line."""

    def __init__(self, *, port: int = 0, directory: Path | None = None, refuses: str = "") -> None:
        self.mails: list[EmailMessage] = []
        self.senders: list[str] = []
        self.refuses = refuses
        self._directory = directory
        kept = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                Conversation(kept, self).run()

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self.server = Server(("127.0.0.1", port), Handler)
        self.port: int = self.server.server_address[1]

    def take(self, sender: str, content: bytes) -> None:
        self.senders.append(sender)
        self.mails.append(read_mail(content))
        if self._directory is not None:
            path = self._directory / f"{len(self.mails):04}.eml"
            partial = path.with_suffix(".new")
            partial.write_bytes(content)
            partial.rename(path)

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.server.shutdown()
        self.server.server_close()


class Conversation:
    """One client's connection."""

    def __init__(self, server: MailServer, handler: socketserver.StreamRequestHandler) -> None:
        self._server = server
        self._in, self._out = handler.rfile, handler.wfile
        self._sender = ""

    def run(self) -> None:
        self._say("220 ready")
        while line := self._in.readline():
            verb, _, rest = line.decode(errors="replace").strip().partition(" ")
            if not self._answer(verb.upper(), rest):
                return

    def _answer(self, verb: str, rest: str) -> bool:
        if verb == "QUIT":
            self._say("221 bye")
            return False
        if verb == "DATA":
            self._take_content()
        elif verb == "MAIL":
            self._sender = rest
            self._say("250 fine")
        elif verb == "AUTH":
            self._say("535 no such user")
        elif verb in ("EHLO", "HELO"):
            self._say("250-here\r\n250-AUTH PLAIN LOGIN\r\n250 SMTPUTF8")
        elif verb in ("RCPT", "RSET", "NOOP"):
            self._say("250 fine")
        else:
            self._say("502 what?")
        return True

    def _take_content(self) -> None:
        if self._server.refuses:
            self._say(self._server.refuses)
            return
        self._say("354 go on")
        lines = []
        while (line := self._in.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b"..") else line)
        self._server.take(self._sender, b"".join(lines))
        self._say("250 taken")

    def _say(self, line: str) -> None:
        self._out.write(f"{line}\r\n".encode())


def read_mail(content: bytes) -> EmailMessage:
    return message_from_bytes(content, policy=policy.default)


def main() -> None:
    port, directory = sys.argv[1:]
    MailServer(port=int(port), directory=Path(directory)).server.serve_forever()


if __name__ == "__main__":
    main()
