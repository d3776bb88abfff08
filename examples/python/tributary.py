"""The client's side of the contract (proto/federation.proto), without any wire: one session.

A wire is a context manager `connect(url, client_id, will, hear)` that gives `send`: it sends one
ClientMessage. It calls `hear(bytes)` for each ServerMessage, from any thread and in their order,
and `hear(reason)` when the connection is lost. It raises ConnectionError where it reaches nobody.
"""

import functools
import hashlib
import heapq
import itertools
import queue
import random
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import federation_pb2 as pb

SILENT_INTERVALS = 3  # without a word for so many heartbeat intervals, a server is lost
FIRST_INTERVAL_S = 5.0  # until Welcome says it
PAUSE_S, LONGEST_PAUSE_S = 0.25, 30.0  # between attempts to connect, doubling
TRAIN = pb.TASK_KIND_TRAIN


class Refused(Exception):
    """The server does not want this client, or has gone for good; the text says why."""


class Redial(ConnectionError):
    """The connection is of no more use; another one may be, after some seconds."""

    def __init__(self, reason, after_ms=0):
        super().__init__(reason)
        self.after_s = after_ms / 1000


class Download:
    """A model being put together from its parts."""

    def __init__(self, part):
        self.round = part.model_round
        self.data = bytearray(part.total_bytes)
        self.offset = 0  # bytes held
        self.told = 0  # bytes held when the server was last told
        self.sha256 = b""  # once it is whole

    def take(self, part, step):
        """True where the server is to be told: every `step` bytes, at the end, and at a gap."""
        end = part.offset + len(part.bytes)
        if self.sha256 or end > len(self.data):
            return False
        if part.offset > self.offset:
            return True  # repeating the offset asks for what is missing
        if end > self.offset:
            self.data[part.offset : end] = part.bytes
            self.offset = end
        if self.offset == len(self.data):
            self.sha256 = hashlib.sha256(self.data).digest()
        return bool(self.sha256) or self.offset - self.told >= step

    def held(self):
        self.told = self.offset
        return pb.ModelHeld(model_round=self.round, offset=self.offset, sha256=self.sha256)


class Upload:
    """An update on its way. It outlives the connection it began on."""

    def __init__(self, task, data, samples, metrics):
        self.task, self.data, self.samples, self.metrics = task, data, samples, metrics
        self.id = secrets.token_bytes(16)
        self.back_to(0)

    def back_to(self, offset):
        """Goes on from `offset`; receipts of what was sent before no longer move it."""
        self.held = self.sent = offset
        self.flying = 0
        self.turn = object()

    def part(self, most):
        data = self.data[self.sent : self.sent + most]
        offset, self.sent = self.sent, self.sent + len(data)
        self.flying += 1
        return pb.UpdatePart(
            task_id=self.task.task_id,
            model_round=self.task.model_round,
            upload_id=self.id,
            samples=self.samples,
            metrics=self.metrics if self.sent == len(self.data) else {},
            total_bytes=len(self.data),
            offset=offset,
            bytes=data,
        )


class Session:
    """Takes part in one run, over as many connections as it takes.

    Everything happens in the caller's thread but for `trainer.train` and `trainer.evaluate`.
    """

    def __init__(self, client_id, trainer, token="", say=print):
        self.client_id, self.trainer, self.token, self.say = client_id, trainer, token, say
        self.events = queue.SimpleQueue()  # (connection, what it hears), or something to call
        self.workers = ThreadPoolExecutor(2)  # one trains, one evaluates beside it
        self.work = {}  # kind of task -> (the task under way, the event that stops it)
        self.connection = self.failures = 0
        self.counter = itertools.count()  # tells timers of the same instant apart
        self.start_anew()

    def start_anew(self):
        """Forgets the session, and everything of the run it was in."""
        self.nonce = secrets.token_bytes(16)
        self.session, self.run_id = b"", ""
        self.download = self.model = None  # the newest model, and the newest that is whole
        self.tasks = {}  # kind -> the newest task, waiting for its model
        self.upload = self.finish = None
        self.confirming = self.done = False
        for kind in list(self.work):
            self.stop(kind)

    def run(self, url, connect):
        """Gives back the final model, as safetensors. Raises Refused."""
        try:
            while True:
                self.connection = connection = self.connection + 1
                hear = functools.partial(self.take, connection)
                try:
                    with connect(url, self.client_id, self.will(), hear) as send:
                        self.converse(send)
                    return bytes(self.model.data)
                except ConnectionError as error:
                    if self.confirming:
                        return bytes(self.model.data)  # the server had its time
                    self.pause(error)
        finally:
            self.start_anew()  # ends the training

    def take(self, connection, data):
        self.events.put((connection, data))

    def pause(self, error):
        """Waits before the next connection."""
        seconds = min(LONGEST_PAUSE_S, PAUSE_S * 2**self.failures) * random.uniform(0.5, 1)
        if isinstance(error, Redial):
            seconds = error.after_s
        self.failures = min(self.failures + 1, 30)
        self.say(f"connection lost: {error}; again in {seconds:.1f} s")
        time.sleep(seconds)

    def will(self):
        """What a wire may say for a client that vanished, if it can: fixed before Welcome."""
        leave = pb.Leave(reason=pb.LEAVE_REASON_LOST, nonce=self.nonce)
        return pb.ClientMessage(client_id=self.client_id, leave=leave)

    def converse(self, send):
        """One connection's part of the session."""
        self.send, self.sequence, self.awaited = send, 0, {}
        self.timers, self.welcome, self.early = [], None, []
        self.heard_at = time.monotonic()
        self.greet()
        self.later(FIRST_INTERVAL_S, self.beat)
        try:
            while not self.done:
                self.step()
        except KeyboardInterrupt:
            self.ask(None, leave=pb.Leave(reason=pb.LEAVE_REASON_SHUTTING_DOWN))
            raise

    def step(self):
        """Waits for the next event or timer, and does what it asks for."""
        left = self.timers[0][0] - time.monotonic()
        try:
            event = self.events.get(timeout=left) if left > 0 else None
        except queue.Empty:
            event = None
        if event is None:
            event = heapq.heappop(self.timers)[2]
        if callable(event):
            event()
            return
        connection, data = event
        if connection != self.connection:
            return  # of a connection before
        if isinstance(data, str):
            raise ConnectionError(data)
        self.heard_at = time.monotonic()
        self.hear(pb.ServerMessage.FromString(data))

    def hear(self, message):
        body = message.WhichOneof("body")
        if body in ("receipt", "welcome", "closing"):
            getattr(self, f"hear_{body}")(getattr(message, body), message.run_id)
        elif self.welcome is None:
            self.early.append(message)  # where a wire has several streams, one may overtake Welcome
        elif message.run_id == self.run_id and hasattr(self, f"hear_{body}"):
            getattr(self, f"hear_{body}")(getattr(message, body))

    def later(self, seconds, action):
        heapq.heappush(self.timers, (time.monotonic() + seconds, next(self.counter), action))

    def ask(self, then, **body):
        """Sends a message; `then`, if any, is called with its Receipt."""
        self.sequence += 1
        self.awaited[self.sequence] = then
        message = pb.ClientMessage(client_id=self.client_id, sequence=self.sequence, **body)
        if "hello" not in body:
            message.run_id, message.session = self.run_id, self.session
        self.send(message)

    def beat(self):
        interval = self.welcome.heartbeat_interval_ms / 1000 if self.welcome else FIRST_INTERVAL_S
        if time.monotonic() - self.heard_at > SILENT_INTERVALS * interval:
            raise ConnectionError("the server does not answer")
        if self.welcome:
            self.ask(None, heartbeat=pb.Heartbeat())
        self.later(interval, self.beat)

    def greet(self):
        hello = pb.Hello(
            contract_version=1,
            nonce=self.nonce,
            token=self.token,
            software="tributary-python-example/1",
            samples=self.trainer.samples,
            session=self.session,
        )
        if self.download:
            hello.held.CopyFrom(self.download.held())
        self.ask(self.greeted, hello=hello)

    def greeted(self, receipt):
        if receipt.verdict in (pb.VERDICT_BUSY, pb.VERDICT_FAILED):
            raise Redial(receipt.detail, receipt.retry_after_ms)
        if receipt.verdict != pb.VERDICT_ACCEPTED:
            raise Refused(receipt.detail)

    def hear_welcome(self, welcome, run_id):
        if welcome.nonce != self.nonce:
            return  # answers an older Hello
        self.run_id, self.session, self.welcome = run_id, welcome.session, welcome
        self.say(f"welcome to run {run_id}, round {welcome.round}")
        self.trainer.prepare(welcome.model.topology, welcome.model.topology_type)
        self.failures = 0
        self.timers.clear()
        self.later(welcome.heartbeat_interval_ms / 1000, self.beat)
        if self.upload:
            self.upload.back_to(self.upload.held)
            self.send_parts()
        early, self.early = self.early, []
        for message in early:
            self.hear(message)
        self.go_on()

    def hear_receipt(self, receipt, run_id):
        gone = receipt.verdict == pb.VERDICT_NO_SESSION or (
            receipt.verdict == pb.VERDICT_OTHER_RUN and run_id != self.run_id
        )
        if gone and self.session:
            self.start_anew()
            raise Redial(receipt.detail)
        if receipt.verdict == pb.VERDICT_UNAUTHORISED:
            raise Refused(receipt.detail)  # another client may have this id, too
        then = self.awaited.pop(receipt.sequence, None)
        if then:
            then(receipt)

    def hear_closing(self, closing, run_id):
        if self.run_id and run_id != self.run_id:
            return  # of another run
        if closing.reason == pb.CLOSING_REASON_RESTART:
            raise Redial(closing.detail, closing.retry_after_ms)
        raise Refused(closing.detail)

    def hear_model_part(self, part):
        if self.download is None or part.model_round > self.download.round:
            self.download = Download(part)
        if part.model_round < self.download.round:
            return
        if self.download.take(part, self.welcome.window_bytes // 4):
            self.ask(self.model_judged, model_held=self.download.held())
            if self.download.sha256:
                self.model = self.download
                self.go_on()

    def model_judged(self, receipt):
        if receipt.verdict == pb.VERDICT_MALFORMED:
            self.download = None  # not the server's bytes; they are sent again

    def hear_task(self, task):
        self.tasks[task.kind] = task
        self.go_on()

    def hear_round_closed(self, closed):
        """Work for a round that has closed is in vain."""
        self.say(f"round {closed.round} closed with {closed.clients} clients")
        if TRAIN in self.tasks and self.tasks[TRAIN].round <= closed.round:
            del self.tasks[TRAIN]
        if TRAIN in self.work and self.work[TRAIN][0].round <= closed.round:
            self.stop(TRAIN)

    def hear_finish(self, finish):
        self.finish = finish
        self.go_on()

    def go_on(self):
        """Begins whatever has all it needs: a task whose model is held, or the end."""
        if self.model is None or self.welcome is None or self.confirming:
            return
        if self.finish and self.model.round == self.finish.round:
            self.confirm()
            return
        for kind, task in list(self.tasks.items()):
            if task.model_round == self.model.round:
                del self.tasks[kind]
                self.begin(task)

    def begin(self, task):
        known, _ = self.work.get(task.kind, (None, None))
        if known and known.task_id == task.task_id:
            return  # told again after a reconnection
        self.stop(task.kind)
        stop = threading.Event()
        self.work[task.kind] = task, stop
        if task.kind == TRAIN:
            self.say(f"round {task.round} training")
        method, then = {
            TRAIN: (self.trainer.train, self.trained),
            pb.TASK_KIND_EVALUATE: (self.trainer.evaluate, self.evaluated),
        }[task.kind]

        def finished(future):
            self.events.put(lambda: stop.is_set() or then(task, *future.result()))

        model, settings = bytes(self.model.data), dict(task.settings)
        self.workers.submit(method, model, settings, stop.is_set).add_done_callback(finished)

    def stop(self, kind):
        if kind in self.work:
            self.work.pop(kind)[1].set()
        if kind == TRAIN:
            self.upload = None

    def evaluated(self, task, samples, metrics):
        self.say(f"round {task.round} evaluated: {metrics}")
        self.stop(task.kind)
        if self.welcome:  # else the server asks again after Hello
            answer = pb.Evaluation(task_id=task.task_id, samples=samples, metrics=metrics)
            self.ask(None, evaluation=answer)

    def confirm(self):
        if self.model.sha256 != self.finish.model_sha256:
            raise Refused("the final model is not the one the server announced")
        for kind in list(self.work):
            self.stop(kind)
        self.say(f"finished after round {self.finish.round}: {self.finish.reason}")
        self.confirming = True
        leave = pb.Leave(reason=pb.LEAVE_REASON_DONE, model_sha256=self.model.sha256)
        self.ask(lambda _receipt: setattr(self, "done", True), leave=leave)

    def trained(self, task, data, samples, metrics):
        self.say(f"round {task.round} trained: {metrics}")
        self.upload = Upload(task, data, samples, metrics)
        self.send_parts()

    def send_parts(self):
        """A window ahead of the receipts; at least one part is always on its way."""
        upload = self.upload
        while upload and self.welcome and upload.sent < len(upload.data):
            most = self.welcome.largest_part_bytes
            if upload.flying and upload.sent - upload.held + most > self.welcome.window_bytes:
                return
            self.ask(
                functools.partial(self.part_judged, upload.turn), update_part=upload.part(most)
            )

    def part_judged(self, turn, receipt):
        upload = self.upload
        if upload is None or turn is not upload.turn:
            return  # sent before the server sent us back
        upload.flying -= 1
        if receipt.verdict == pb.VERDICT_HELD:
            upload.held = max(upload.held, receipt.next_offset)
            if upload.sent == len(upload.data) and not upload.flying:
                upload.back_to(receipt.next_offset)  # the server forgot the end
        elif receipt.verdict == pb.VERDICT_GAP:
            upload.back_to(receipt.next_offset)
        elif receipt.verdict in (pb.VERDICT_BUSY, pb.VERDICT_FAILED):
            upload.back_to(receipt.next_offset)
            self.later(receipt.retry_after_ms / 1000, self.send_parts)
            return
        else:
            verdict = pb.Verdict.Name(receipt.verdict).removeprefix("VERDICT_").lower()
            self.say(f"update of round {upload.task.round}: {verdict} {receipt.detail}".rstrip())
            self.stop(TRAIN)
            return
        self.send_parts()
