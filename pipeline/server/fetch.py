"""A file by its address, from the public network alone.

The name is resolved here, every address it has is looked at, and the connection goes to an address
that was looked at: a name that means another one a moment later gains nothing. Redirects are
followed by hand, each by the same rules.
"""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urljoin, urlsplit

from avpipe.errors import FileTooLargeError, RequestError
from avpipe.server.sessions import shown_name, suffix_of
from avpipe.server.uploads import Arrived

MOST_REDIRECTS = 5
CONNECT_S = 10.0
IDLE_S = 30.0
LIMIT_S = 600.0
_PIECE = 1 << 18
Allowed = Callable[[str], bool]
"""Whether a numeric address may be connected to."""


class FetchError(RequestError):
    """The other server did not give the file."""

    code = "fetch"


def is_public(address: str) -> bool:
    """Whether an address is one of the public network, however it is written."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return is_public(str(inner))
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if ip.is_site_local:  # of sites before there was fc00::/7; Python calls it global
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def fetch(
    url: str,
    folder: Path,
    *,
    limit_bytes: int,
    room_bytes: int,
    allowed: Allowed = is_public,
    limit_s: float = LIMIT_S,
) -> Arrived:
    """Bring a file here. Raises RequestError, FileTooLargeError, UnsupportedFileError, FetchError.

    Nothing is said of what is at an address that is not allowed, but that it is not.
    """
    end = time.monotonic() + limit_s
    for _ in range(MOST_REDIRECTS + 1):
        (link, path) = _connected(url, allowed)
        with link, _ended_at(link, end), closing(_connection(url, link)) as connection:
            try:
                connection.request("GET", path, headers={"Accept": "*/*", "User-Agent": "avpipe"})
                answer = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                raise FetchError(f"{_host(url)} did not answer") from error
            if answer.status in (301, 302, 303, 307, 308):
                url = urljoin(url, answer.headers.get("Location", ""))
                continue
            if answer.status != 200:
                raise FetchError(f"{_host(url)} answered {answer.status}")
            bound = min(limit_bytes, room_bytes)
            return _kept(answer, _name(url), folder, bound, end)
    raise FetchError("the address leads from one to another without end")


@contextmanager
def _ended_at(link: socket.socket, end: float) -> Iterator[None]:
    """Shut a connection when its time is over: who sends a byte now and then never is idle."""
    # Of a copy: TLS takes the socket itself over.
    with link.dup() as own:
        timer = threading.Timer(max(end - time.monotonic(), 0), _shut, (own,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def _shut(link: socket.socket) -> None:
    with suppress(OSError):  # it has ended by itself
        link.shutdown(socket.SHUT_RDWR)


def _connected(url: str, allowed: Allowed) -> tuple[socket.socket, str]:
    """A connection to the host of an address, and what is to be asked for there."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError) as error:
        raise RequestError("only http and https addresses are fetched") from error
    host = parts.hostname
    if host is None or parts.username is not None:
        raise RequestError("only http and https addresses are fetched")
    address = _resolved(host, port, allowed)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii() or any(character <= " " for character in path):
        raise RequestError("the address holds characters that must be escaped")
    try:
        link = socket.create_connection((address, port), timeout=CONNECT_S)
    except OSError as error:
        raise FetchError(f"{host} cannot be reached") from error
    link.settimeout(IDLE_S)
    return link, path


def _connection(url: str, link: socket.socket) -> http.client.HTTPConnection:
    """HTTP on a connection, encrypted where the address says so."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=IDLE_S)
    if parts.scheme == "https":
        try:
            context = ssl.create_default_context()
            link = context.wrap_socket(link, server_hostname=parts.hostname)
        except OSError as error:
            raise FetchError(f"{parts.hostname} cannot be reached") from error
    connection.sock = link
    return connection


def _resolved(host: str, port: int, allowed: Allowed) -> str:
    """An address of a host; none of its addresses may be one that is not allowed."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise FetchError(f"{host} is not known") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses or not all(allowed(address) for address in addresses):
        raise RequestError("addresses of private networks are not fetched")
    return addresses[0]


def _kept(
    answer: http.client.HTTPResponse, name: str, folder: Path, bound: int, end: float
) -> Arrived:
    path = folder / f"{uuid.uuid4().hex}.{suffix_of(name)}"
    digest = hashlib.sha256()
    size = 0
    try:
        with path.open("xb") as file:
            while data := answer.read1(_PIECE):
                size += len(data)
                if size > bound:
                    raise FileTooLargeError("file too large")
                digest.update(data)
                file.write(data)
        if time.monotonic() >= end:  # the connection was shut, and that is no end of a file
            raise FetchError("the file took too long to come")
        if answer.length:  # what was announced and did not come
            raise FetchError("the file broke off")
    except (OSError, http.client.HTTPException) as error:
        path.unlink(missing_ok=True)
        raise FetchError("the file broke off") from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Arrived(name=name, path=path, sha256=digest.hexdigest())


def _name(url: str) -> str:
    return shown_name(PurePosixPath(unquote(urlsplit(url).path)).name)


def _host(url: str) -> str:
    return urlsplit(url).hostname or url
