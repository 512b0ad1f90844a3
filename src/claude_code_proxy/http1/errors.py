"""What can go wrong. No message holds anything of a request but the name of a header or of a host.

HttpError
  RequestError            what was asked cannot be sent: the address or a header
  ConnectError            there is no connection
    ConnectTimeoutError   not in time
    DnsError              the host has no address
    NoFilesError          there is no file descriptor for it
    TlsError              the peer is not who it should be, or does not speak TLS
  ResetError              the connection ended before the head of an answer
  AnswerError             what came is not HTTP
  CutError                the connection ended before the end of an answer
"""

from __future__ import annotations


class HttpError(Exception):
    """Any failure of an exchange."""


class RequestError(HttpError):
    """The request cannot be sent as it is; nothing was."""


class ConnectError(HttpError):
    """No connection to the server, or to the proxy in front of it; nothing was sent."""


class ConnectTimeoutError(ConnectError):
    """No connection within the time limit."""


class DnsError(ConnectError):
    """The host's name has no address."""


class NoFilesError(ConnectError):
    """This process, or the system, has no file descriptor left."""


class TlsError(ConnectError):
    """No secure connection: an untrusted or wrong certificate, or no TLS at all."""


class ResetError(HttpError):
    """The connection ended before the head of an answer was there.

    `unheard`: not one byte of an answer came.
    """

    def __init__(self, words: str, *, unheard: bool = True) -> None:
        super().__init__(words)
        self.unheard = unheard


class AnswerError(HttpError):
    """The server sent something that is not HTTP/1.1, or more of it than is reasonable."""


class CutError(HttpError):
    """The connection ended before the answer did."""
