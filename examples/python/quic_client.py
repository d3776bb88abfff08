"""A client over raw QUIC, on aioquic.

python quic_client.py 'quic://127.0.0.1:4433/default?hash=...' --data IMAGES,LABELS
"""

import asyncio
import base64
import contextlib
import hashlib
import os
import ssl
import struct
import threading
from urllib.parse import parse_qs, unquote

from aioquic.asyncio import QuicConnectionProtocol
from aioquic.asyncio import connect as quic_connect
from aioquic.quic import events
from aioquic.quic.configuration import QuicConfiguration
from cryptography.hazmat.primitives.serialization import Encoding

import command

TIMEOUT_S, GRACE_S = 15, 1
NO_ERROR = 0x5400
OPTIONS = {
    "alpn_protocols": ["tributary/1"],
    "idle_timeout": 30.0,  # the server pings more often
    "max_data": 8 << 20,  # what the server may send ahead, as QUIC has it
    "max_stream_data": 8 << 20,
}


class Wire(QuicConnectionProtocol):
    """Messages behind their lengths: one control stream, and one for each model and upload."""

    hear = staticmethod(lambda _: None)

    def begin(self, name, hear):
        self.hear, self.buffers, self.upload = hear, {}, (b"", None)
        self.control, self.open = self._quic.get_next_available_stream_id(), True
        self.server_ended = asyncio.Event()  # its half of the control stream
        self.write(self.control, name.encode())

    def write(self, stream, data, last=False):
        self._quic.send_stream_data(stream, struct.pack(">I", len(data)) + data, last)
        self.transmit()

    def send(self, message):
        part = message.update_part
        if message.WhichOneof("body") != "update_part":
            return self.write(self.control, message.SerializeToString())
        upload, stream = self.upload
        if upload != part.upload_id or stream is None:
            if stream is not None:
                self._quic.reset_stream(stream, 0)  # that upload was given up
            stream = self._quic.get_next_available_stream_id(is_unidirectional=True)
        last = part.offset + len(part.bytes) == part.total_bytes
        self.upload = part.upload_id, None if last else stream
        self.write(stream, message.SerializeToString(), last)

    def quic_event_received(self, event):
        if isinstance(event, events.StreamDataReceived):
            self.take(event.stream_id, event.data)
            if event.end_stream:
                self.buffers.pop(event.stream_id, None)
            if event.end_stream and event.stream_id == self.control:
                self.end()  # the server is done, and waits for our half
                self.server_ended.set()
        elif isinstance(event, events.ConnectionTerminated):
            self.hear(f"QUIC: {event.reason_phrase or hex(event.error_code)}")

    def take(self, stream, data):
        buffer = self.buffers.setdefault(stream, bytearray())
        buffer += data
        while len(buffer) >= 4:
            end = 4 + struct.unpack_from(">I", buffer)[0]
            if len(buffer) < end:
                return
            self.hear(bytes(buffer[4:end]))
            del buffer[:end]

    def end(self):
        if self.open:
            self._quic.send_stream_data(self.control, b"", True)
            self.transmit()
        self.open = False

    async def leave(self):
        self.end()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.server_ended.wait(), GRACE_S)
        self.close(NO_ERROR)


async def dial(url, hear, stack):
    hashes = parse_qs(url.query).get("hash")
    configuration = QuicConfiguration(**OPTIONS, cafile=os.environ.get("SSL_CERT_FILE"))
    configuration.verify_mode = ssl.CERT_NONE if hashes else ssl.CERT_REQUIRED
    dialling = quic_connect(
        url.hostname, url.port, configuration=configuration, create_protocol=Wire
    )
    wire = await asyncio.wait_for(stack.enter_async_context(dialling), TIMEOUT_S)
    certificate = wire._quic.tls._peer_certificate.public_bytes(Encoding.DER)
    sha256 = base64.urlsafe_b64encode(hashlib.sha256(certificate).digest()).rstrip(b"=").decode()
    if hashes and hashes != [sha256]:
        raise ConnectionError(f"the server's certificate has the hash {sha256}")
    wire.begin(unquote(url.path[1:]), hear)
    stack.push_async_callback(wire.leave)
    return wire


@contextlib.contextmanager
def connect(url, _client_id, _will, hear):
    """aioquic lives in an event loop, which gets a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    run = lambda work: asyncio.run_coroutine_threadsafe(work, loop).result()  # noqa: E731
    stack = contextlib.AsyncExitStack()
    try:
        try:
            wire = run(dial(url, hear, stack))
        except (OSError, asyncio.TimeoutError) as error:
            raise ConnectionError(f"QUIC: {error!r}") from error
        yield lambda message: loop.call_soon_threadsafe(wire.send, message)
    finally:
        run(stack.aclose())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


if __name__ == "__main__":
    command.main("quic", connect)
