"""Why an address could not be listened on, told so that the reader knows what to change."""

import errno
import os
import socket

from tithe.core.errors import UsageError


def cannot_listen(host: str, port: int, error: OSError | UnicodeError) -> UsageError:
    """The error of binding to `host` and `port`, whichever event loop worded it."""
    return UsageError(f"cannot listen on {host}:{port}: {_reason(host, port, error)}")


def _reason(host: str, port: int, error: OSError | UnicodeError) -> str:
    if isinstance(error, socket.gaierror | UnicodeError):
        return f"there is no host {host!r}. Give an address of this machine as --host, such as 127.0.0.1"
    code = error.errno
    if code == errno.EADDRINUSE:
        return f"port {port} is in use. Give another --port (0 takes any free one), or end what listens there"
    # asyncio drops the number where every address that the host stands for was not one of this machine.
    if code == errno.EADDRNOTAVAIL or code is None:
        return "the address is not one of this machine's. Give another --host, such as 127.0.0.1"
    if code in (errno.EACCES, errno.EPERM):
        return "this user may not listen there. Give a --port above 1023"
    return os.strerror(code)
