"""A client over gRPC, on grpcio.

python grpc_client.py grpc://127.0.0.1:50051/default --data IMAGES,LABELS
"""

import contextlib
import os
import queue
import threading
from pathlib import Path

import grpc

import command

TIMEOUT_S = 15
GRACE_S = 1
OPTIONS = [
    ("grpc.keepalive_time_ms", 10_000),  # a server that vanished is noticed
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.enable_retries", 0),
]


def open_channel(url):
    if url.scheme == "grpc":
        return grpc.insecure_channel(url.netloc, OPTIONS)
    authority = os.environ.get("SSL_CERT_FILE")
    roots = Path(authority).read_bytes() if authority else None
    return grpc.secure_channel(url.netloc, grpc.ssl_channel_credentials(roots), OPTIONS)


@contextlib.contextmanager
def connect(url, _client_id, _will, hear):
    with open_channel(url) as channel:
        session = channel.stream_stream("/tributary.v1.Federation/Session")  # bytes to bytes
        outgoing = queue.SimpleQueue()
        metadata = [("tributary-federation", url.path[1:])]  # percent-encoded
        call = session(iter(outgoing.get, None), metadata=metadata)
        try:
            grpc.channel_ready_future(channel).result(TIMEOUT_S)
            call.initial_metadata()  # waits until the server has let us in, or not
        except (grpc.FutureTimeoutError, grpc.RpcError) as error:
            call.cancel()
            raise ConnectionError(f"gRPC: {error!r}") from error

        def read():
            with contextlib.suppress(grpc.RpcError):  # its status says as much
                for data in call:
                    hear(data)
            hear(f"gRPC: {call.code().name} {call.details()}")

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            yield lambda message: outgoing.put(message.SerializeToString())
        finally:
            outgoing.put(None)  # half-close: the server ends the call when it has answered
            reader.join(GRACE_S)
            call.cancel()


if __name__ == "__main__":
    command.main("grpc", connect)
