"""A small authoritative DNS server on loopback, for the demo and the tests.

Owns answering over UDP and TCP from one zone file with absolute names of any domains and no SOA
records. A name that is not in it does not exist. Must not be reachable from elsewhere: it is not
hardened.
"""

from __future__ import annotations

import asyncio

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.node
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.zone

_CNAMES = 8  # followed at most
_TRIES = 10  # for a port that is free for both protocols, where none is named
# With every "no": how long it may be kept (RFC 2308).
_SOA = dns.rrset.from_text(".", 60, "IN", "SOA", "localhost. postmaster.localhost. 1 60 60 60 60")


class DnsServer:
    """Serves a zone file's text. `answer` may be overridden to misbehave; None is silence."""

    def __init__(self, zone: str, host: str = "127.0.0.1", port: int = 0) -> None:
        """Raises dns.exception.DNSException or ValueError for a zone text with errors."""
        self._zone = dns.zone.from_text(
            zone, origin=".", relativize=False, check_origin=False, allow_include=False
        )
        # Names that exist because something is below them (RFC 8020).
        self._names = {ancestor for name in self._zone.nodes for ancestor in _upwards(name)}
        self._host = host
        self._port = port
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None

    async def start(self) -> tuple[str, int]:
        """Open both sockets on one port; the host and the port. Raises OSError."""
        for left in reversed(range(1 if self._port else _TRIES)):
            tcp = await asyncio.start_server(self._serve_tcp, self._host, self._port)
            port = tcp.sockets[0].getsockname()[1]
            try:
                self._udp, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                    lambda: _Datagrams(self), local_addr=(self._host, port)
                )
            except OSError:  # free for TCP, and somebody asks a question from it over UDP
                tcp.close()
                if not left:
                    raise
            else:
                self._tcp, self._port = tcp, port
                break
        return self._host, self._port

    async def stop(self) -> None:
        """Close both sockets."""
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
            await self._tcp.wait_closed()

    def answer(self, query: dns.message.Message) -> dns.message.Message | None:
        """The response to a query with one question."""
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA | dns.flags.RA
        question = query.question[0]
        name, wanted = question.name, question.rdtype
        for _ in range(_CNAMES):
            node = self._node(name)
            if node is None:
                if name not in self._names and name != dns.name.root:
                    response.set_rcode(dns.rcode.NXDOMAIN)
                break
            found = node.get_rdataset(dns.rdataclass.IN, wanted)
            if found is not None:
                response.answer.append(dns.rrset.from_rdata_list(name, found.ttl, list(found)))
                break
            alias = node.get_rdataset(dns.rdataclass.IN, dns.rdatatype.CNAME)
            if alias is None:
                break
            response.answer.append(dns.rrset.from_rdata_list(name, alias.ttl, list(alias)))
            name = alias[0].target
        if not response.answer:
            response.authority.append(_SOA)
        return response

    def _node(self, name: dns.name.Name) -> dns.node.Node | None:
        node = self._zone.get_node(name)
        if node is not None or name in self._names or name == dns.name.root:
            return node
        encloser = name.parent()
        while encloser not in self._names and encloser != dns.name.root:
            encloser = encloser.parent()
        return self._zone.get_node(dns.name.Name(("*", *encloser.labels)))  # RFC 4592

    def respond(self, wire: bytes, over_tcp: bool) -> bytes | None:
        """Octets in, octets out; None where nothing is to be said."""
        try:
            query = dns.message.from_wire(wire)
            if len(query.question) != 1 or query.flags & dns.flags.QR:
                return None
            response = self.answer(query)
            if response is None:
                return None
            if over_tcp:
                return response.to_wire(max_size=65_535)
            limit = max(query.payload, 512) if query.edns >= 0 else 512
            try:
                return response.to_wire(max_size=limit)
            except dns.exception.TooBig:  # RFC 1035 4.2.1: ask again by TCP
                short = dns.message.make_response(query)
                short.flags |= dns.flags.TC
                return short.to_wire()
        except (dns.exception.DNSException, ValueError):
            return None

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                length = int.from_bytes(await reader.readexactly(2))
                wire = self.respond(await reader.readexactly(length), over_tcp=True)
                if wire is None:
                    return
                writer.write(len(wire).to_bytes(2) + wire)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # typeshed says BaseTransport
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        wire = self._server.respond(data, over_tcp=False)
        if wire is not None and self._transport is not None:
            self._transport.sendto(wire, addr)


def _upwards(name: dns.name.Name) -> list[dns.name.Name]:
    """The name and everything above it, the root left out."""
    found = []
    while name != dns.name.root:
        found.append(name)
        name = name.parent()
    return found
