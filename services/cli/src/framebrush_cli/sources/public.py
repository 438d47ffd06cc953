"""Connections to addresses that are public, and to others only if that is wanted."""

import ipaddress
import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

from framebrush_cli.errors import CommandFailed


class NotPublic(CommandFailed):
    """A name leads to an address that is not public."""


class _Connection(HTTPConnection):
    """A connection to an address that was looked at first; another name server cannot change it in between."""

    private = False

    def _new_conn(self) -> socket.socket:
        problem: OSError | None = None
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from None
        for *_, place in found:
            address = str(place[0])
            if not self.private and not is_public(address):
                raise NotPublic(
                    f"{self.host} is {address}, which is no public address: if that is wanted, "
                    "set FRAMEBRUSH_DOWNLOAD_PRIVATE=true"
                )
            try:
                return create_connection((address, self.port), self.timeout, socket_options=self.socket_options)
            except OSError as error:
                problem = error
        raise NewConnectionError(self, str(problem)) from problem


class _SecureConnection(_Connection, HTTPSConnection):
    pass


class _PrivateConnection(_Connection):
    private = True


class _PrivateSecureConnection(_SecureConnection):
    private = True


class PublicAdapter(HTTPAdapter):
    """Makes connections that look at addresses first."""

    def __init__(self, *, private: bool) -> None:
        """Set whether addresses are allowed, too, that are not public."""
        self._private = private
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the pools of the base class, and let them make our connections."""
        super().init_poolmanager(*arguments, **options)
        plain, secure = (
            (_PrivateConnection, _PrivateSecureConnection) if self._private else (_Connection, _SecureConnection)
        )
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("Pool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("Pool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }


def is_public(address: str) -> bool:
    """Return whether an IP address is public: not of this computer, of a private network, or of one link."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        # What is written as IPv6 may lead to IPv4: mapped, 6to4, NAT64.
        inner = found.ipv4_mapped or found.sixtofour
        if found in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast
