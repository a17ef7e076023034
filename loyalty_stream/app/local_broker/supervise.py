"""Run one command and end it when standard input closes: how a broker is kept from outliving its parent.

Started by bound_process.py as a plain file with an isolated interpreter, so it must import nothing but the
standard library.
"""

import os
import subprocess
import sys
import threading

_TERMINATE_WITHIN_S = 10.0


def _end_when_parent_is_gone(child: "subprocess.Popen[bytes]") -> None:
    # The parent holds the other end and never writes: a read returns when the parent has closed it or died.
    os.read(sys.stdin.fileno(), 1)
    child.terminate()
    try:
        child.wait(_TERMINATE_WITHIN_S)
    except subprocess.TimeoutExpired:
        child.kill()


def main(command: list[str]) -> int:
    """Run the command, tell its pid on standard output, and return its exit code (128 + n after signal n)."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)  # noqa: S603 - our own command
    os.write(sys.stdout.fileno(), f"{child.pid}\n".encode())
    threading.Thread(target=_end_when_parent_is_gone, args=(child,), daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))  # not sys.exit: the watching thread may still sit in its read
