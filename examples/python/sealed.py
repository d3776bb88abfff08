"""Tokens where others can read: every message sealed, the token never sent (proto/wire.md).

`sealed(connect, token)` is a wire whose messages prove who wrote them; `connect` is one as
tributary.py describes it.
"""

import base64
import contextlib
import hmac
import secrets
import threading
from urllib.parse import unquote

from google.protobuf.message import DecodeError

import federation_pb2 as pb

TIMEOUT_S = 15  # for the server's challenge
HEARSAY_S = 1  # for it to come after all, once somebody has said No
WINDOW = 1024  # numbers further below the newest are old


def length_before(data):
    return len(data).to_bytes(4, "big") + data


class Direction:
    """Messages of one connection, one way: their numbers and tags."""

    def __init__(self, key):
        self.key, self.newest, self.seen = key, 0, {}

    def tag(self, number, body):
        return hmac.digest(self.key, number.to_bytes(8, "big") + body, "sha256")

    def next(self, body):
        self.newest += 1
        return {"number": self.newest, "body": body, "tag": self.tag(self.newest, body)}

    def proves(self, sealed):
        return hmac.compare_digest(self.tag(sealed.number, sealed.body), sealed.tag)

    def takes(self, sealed):
        number, slot = sealed.number, sealed.number % WINDOW
        if number + WINDOW <= self.newest or self.seen.get(slot, 0) >= number:
            return False
        if not self.proves(sealed):
            return False
        self.seen[slot] = number
        self.newest = max(self.newest, number)
        return True


class Secret:
    """What a connection shares with the server: the token's signature, and what binds it."""

    def __init__(self, token, name, client_id):
        header, claims, signature = token.split(".")
        self.signature = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        self.nonce = secrets.token_bytes(16)
        self.bound = [name.encode(), client_id.encode(), self.nonce]
        proof = base64.urlsafe_b64encode(self.hmac("proof")).rstrip(b"=").decode()
        self.proven = f"{header}.{claims}.{proof}"

    def hmac(self, purpose, *more):
        parts = [b"tributary/1 " + purpose.encode(), *self.bound, *more]
        return hmac.digest(self.signature, b"".join(map(length_before, parts)), "sha256")

    def way(self, purpose, challenge=b""):
        return Direction(self.hmac(purpose, challenge))


class Conversation:
    """What comes in on one connection: the challenge, and then what the server has sealed."""

    def __init__(self, secret, hear):
        self.secret, self.hear = secret, hear
        self.challenge = self.down = None
        self.lost = self.hearsay = ""
        self.news = threading.Event()
        self.is_known = False  # the server has answered under this challenge

    def take(self, data):
        if isinstance(data, str):
            self.lost = data
            self.news.set()
            self.hear(data)
            return
        try:
            message = pb.ServerMessage.FromString(bytes(data))
        except DecodeError:
            return  # anybody's
        sealed = message.sealed
        if not message.HasField("sealed"):
            said = message.WhichOneof("body")
            if self.challenge is None and said in ("receipt", "closing"):
                self.hearsay = getattr(message, said).detail
                self.news.set()
        elif sealed.challenge == self.challenge:
            if self.down.takes(sealed):
                self.is_known = True
                self.hear(sealed.body)
        elif not self.is_known and len(sealed.challenge) == 16 and not sealed.body:
            down = self.secret.way("down", sealed.challenge)
            if sealed.number == 0 and down.proves(sealed):
                if self.challenge is None:
                    self.down, self.challenge = down, sealed.challenge
                    self.news.set()
                else:
                    self.hear("the server wants this client to connect again")

    def wait(self):
        """Until the challenge is there. Raises ConnectionError where it does not come."""
        self.news.wait(TIMEOUT_S)
        if self.challenge is None and self.hearsay and not self.lost:
            self.news.clear()
            self.news.wait(HEARSAY_S)
        if self.challenge is None:
            reason = self.lost or self.hearsay or "no server answered that could judge the token"
            raise ConnectionError(reason)


def sealed(connect, token):
    """The wire of `connect`, sealed. Raises ValueError for what is no token."""
    if token.count(".") != 2:
        raise ValueError("the token is none; copy all of what `tributary token create` prints")

    @contextlib.contextmanager
    def connect_sealed(url, client_id, will, hear):
        secret = Secret(token, unquote(url.path[1:]), client_id)
        conversation = Conversation(secret, hear)

        def outer(fields, sequence=0, challenge=b""):
            return pb.ClientMessage(
                client_id=client_id,
                sequence=sequence,
                sealed=pb.Sealed(
                    **fields, challenge=challenge, nonce=secret.nonce, token=secret.proven
                ),
            )

        before = secret.way("up")
        body = will.SerializeToString()
        last = outer({"number": 0, "body": body, "tag": before.tag(0, body)})
        with connect(url, client_id, last, conversation.take) as send:
            send(outer(before.next(b""), sequence=1))
            conversation.wait()
            challenge = conversation.challenge
            up = secret.way("up", challenge)
            yield lambda message: send(
                outer(up.next(message.SerializeToString()), challenge=challenge)
            )

    return connect_sealed
