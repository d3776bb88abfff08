"""The command line of all five clients, and --self-test: the hex test vectors of proto/wire.md.

Each wire's frames are taken apart with the library its client stands on, where the library lets us.
"""

import argparse
import contextlib
import functools
import hashlib
import os
import re
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

from google.protobuf import json_format
from google.protobuf.message import DecodeError

import federation_pb2 as pb
from mlp import Mlp
from sealed import sealed
from tributary import Refused, Session


def main(wire, connect):
    """Trains over a wire whose connections `connect` makes."""
    if sys.argv[1:] == ["--self-test"]:
        return self_test(wire)
    parser = argparse.ArgumentParser(
        description=f"Trains for a running `tributary serve` over {wire}.",
        epilog="--self-test alone decodes the test vectors of proto/wire.md.",
    )
    parser.add_argument("url", help=f"{wire}://..., as the server prints it")
    parser.add_argument("--data", required=True, help="IMAGES,LABELS (IDX), X.npy,y.npy, FILE.csv")
    parser.add_argument("--share", default="1/1", help="K/N: the K-th of N shares of the data")
    parser.add_argument("--id", default=f"{socket.gethostname()}-{os.getpid()}"[-64:])
    parser.add_argument("--token", default=os.environ.get("TRIBUTARY_TOKEN", ""))
    parser.add_argument("--ca", help="trust the authority with this PEM certificate")
    parser.add_argument("--out", help="write the final model here")
    args = parser.parse_args()
    url = urlsplit(args.url)
    if args.ca:
        os.environ["SSL_CERT_FILE"] = args.ca  # where OpenSSL looks, and the wires here
    if url.scheme.split("+")[0] not in (wire, f"{wire}s") or not url.hostname:
        parser.error(f"{args.url} is no {wire} address; the server prints {wire}://...")
    say = functools.partial(print, flush=True)
    try:
        trainer = Mlp(args.data, args.share)
        say(f"{args.id} trains on {trainer.samples} samples")
        token = args.token.strip()
        if token and wire != "quic":  # QUIC is encrypted, and ends at the server
            connect, token = sealed(connect, token), ""
        model = Session(args.id, trainer, token, say).run(url, connect)
    except (Refused, ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    if args.out:
        Path(args.out).write_bytes(model)
    say(f"sha256 {hashlib.sha256(model).hexdigest()}")


WIRE_MD = Path(__file__).resolve().parents[2] / "proto" / "wire.md"
SECTIONS = {"mqtt": "MQTT", "amqp": "AMQP", "grpc": "gRPC", "quic": "QUIC", "dds": "DDS"}
VECTOR = r"^\*\*.*?\*\* \((\w+)\)\n\n```json\n(.*?)```\n\n```hex\n(.*?)```"


def self_test(wire):
    """Raises AssertionError where wire.md and this client differ."""
    page = WIRE_MD.read_text()
    messages = re.findall(VECTOR, page, re.M | re.S)
    assert messages, f"no vectors in {WIRE_MD}"
    for kind, json, text in messages:
        said, data = json_format.Parse(json, getattr(pb, kind)()), bytes.fromhex(text)
        assert type(said).FromString(data) == said, f"{text} does not hold\n{said}"
        assert said.SerializeToString(deterministic=True) == data, f"{text} is not\n{said}"
    seen = {}
    bodies_of = globals()[f"{wire}_bodies"]
    for body in (body for frame in frames(page, wire) for body in bodies_of(frame)):
        with contextlib.suppress(DecodeError):
            message = pb.ClientMessage.FromString(bytes(body))
            if message.client_id == "client-1":  # else the server's
                seen[message.WhichOneof("body")] = message
    assert seen["hello"].hello.nonce == bytes(range(16)), seen
    assert seen["update_part"].update_part.bytes == bytes(range(1, 9)), seen
    print(f"{wire}: {len(messages)} messages of wire.md, and {', '.join(sorted(seen))} in frames")


def frames(page, wire):
    """What a wire's section shows. A line without a label goes on with the one before."""
    section = re.search(rf"^## {SECTIONS[wire]}\b.*?(?=^## |\Z)", page, re.M | re.S)
    for block in re.findall(r"^```\w*\n(.*?)^```", section[0], re.M | re.S):
        runs = []
        for line in block.splitlines():
            match = re.search(r"(?:^|\s)((?:(?:[0-9a-f]{2})+(?: +|$))+)", line)
            if match is None:
                continue
            if match.start() > 0 and line[: match.start()].strip() or not runs:
                runs.append("")
            runs[-1] += match[1].replace(" ", "")
        yield from map(bytes.fromhex, runs)


def mqtt_bodies(packet):
    if packet[0] >> 4 != 3:
        return  # no PUBLISH
    at = next(i for i in range(1, 5) if packet[i] < 0x80) + 1  # behind the remaining length
    at += 2 + int.from_bytes(packet[at : at + 2])  # behind the topic
    yield packet[at + 2 :]  # behind the packet identifier, in MQTT 3.1.1
    yield packet[at + 3 :]  # and behind the properties, of which there are none, in MQTT 5


def amqp_bodies(frames):
    from pika import frame

    while frames:
        length, decoded = frame.decode_frame(frames)
        frames = frames[length:]
        if isinstance(decoded, frame.Body):
            yield decoded.fragment


def grpc_bodies(frame):
    if frame[3:4] == b"\0":  # HTTP/2 DATA: 9 bytes of header, then a flag, a length, the message
        length = int.from_bytes(frame[10:14])
        yield frame[14 : 14 + length]


def quic_bodies(stream):
    while stream:
        length = int.from_bytes(stream[:4])
        yield stream[4 : 4 + length]
        stream = stream[4 + length :]


def dds_bodies(sample):
    from dds_client import Envelope

    yield bytes(Envelope.deserialize(sample).body)
