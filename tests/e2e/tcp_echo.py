"""The two ends of a TCP connection that speaks every 50 ms. A program, run on hosts of the lab:

tcp_echo.py serve IP PORT          echo what is said
tcp_echo.py speak IP PORT REPORT   speak until SIGTERM, then say how it was
"""

import contextlib
import json
import signal
import socket
import sys
import time
from pathlib import Path

BEAT = 0.05


def serve(ip: str, port: int) -> None:
    """Echo what one peer at a time says."""
    with socket.create_server((ip, port)) as listener:
        while True:
            peer, _ = listener.accept()
            with peer, contextlib.suppress(OSError):
                while said := peer.recv(4096):
                    peer.sendall(said)


def speak(ip: str, port: int, report: Path) -> None:
    """Say one byte on every beat and wait for its echo; connect again when the session died."""
    seen = {"connections": 0, "longest_silence": 0.0}

    def write_report(*_: object) -> None:
        report.write_text(json.dumps(seen))
        sys.exit(0)

    signal.signal(signal.SIGTERM, write_report)
    while True:
        with contextlib.suppress(OSError), socket.create_connection((ip, port), 5) as peer:
            seen["connections"] += 1
            peer.settimeout(30)
            while True:
                asked = time.monotonic()
                peer.sendall(b"x")
                if not peer.recv(1):
                    break
                silence = time.monotonic() - asked
                seen["longest_silence"] = max(seen["longest_silence"], silence)
                time.sleep(BEAT)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        speak(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
