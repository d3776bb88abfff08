"""A client over DDS, on cyclonedds.

python dds_client.py dds://127.0.0.1:7410/default --data IMAGES,LABELS
"""

import contextlib
import itertools
import threading
from dataclasses import dataclass
from urllib.parse import parse_qs

import cyclonedds.idl.annotations as annotate
from cyclonedds.core import DDSException, DDSStatus, GuardCondition, Policy, Qos, WaitSet
from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl._machinery import BytesMachine
from cyclonedds.idl.types import byte, sequence, uint64
from cyclonedds.pub import DataWriter, Publisher
from cyclonedds.sub import DataReader, Subscriber
from cyclonedds.topic import Topic
from cyclonedds.util import duration

import command

TIMEOUT_S, GRACE_S = 15, 1
HEARD = DDSStatus.DataAvailable | DDSStatus.SubscriptionMatched


@dataclass
@annotate.final
class Envelope(IdlStruct, typename="Envelope"):
    """proto/federation.idl. An octet is `byte` here: with `uint8` nothing would ever match."""

    client: str
    annotate.key("client")
    seq: uint64
    body: sequence[byte]


# Lets `body` be bytes and not a list of numbers: the same on the wire, and many times faster. This
# is the inside of cyclonedds 11.0.1; without these lines `bytes(...)` around bodies does as well.
Envelope.__idl__.populate()
Envelope.__idl__.fill_type_data()
for machine in (Envelope.__idl__.v1_machine, Envelope.__idl__.v2_machine):
    machine.members_machines["body"] = BytesMachine()


def configuration(url):
    """Looks for the server alone, without multicast, and again until it is there."""
    loopback = url.hostname.startswith("127.") or url.hostname == "localhost"
    interface = 'address="127.0.0.1" multicast="false"' if loopback else 'autodetermine="true"'
    return f"""<CycloneDDS><Domain Id="any"><General>
        <Interfaces><NetworkInterface {interface}/></Interfaces>
        <AllowMulticast>false</AllowMulticast></General><Discovery>
        <ParticipantIndex>none</ParticipantIndex><SPDPInterval>1s</SPDPInterval>
        <Peers AddLocalhost="false"><Peer Address="{url.hostname}:{url.port}"/></Peers>
        <LeaseDuration>3s</LeaseDuration></Discovery></Domain></CycloneDDS>"""


@contextlib.contextmanager
def connect(url, client_id, _will, hear):
    number = int(parse_qs(url.query).get("domain", ["0"])[0])
    domain = Domain(number, configuration(url))
    participant = DomainParticipant(number)
    partition = Qos(Policy.Partition([f"{url.path[1:].replace('*', '%2A')}/{client_id}"]))
    reliable = Qos(Policy.Reliability.Reliable(duration(seconds=TIMEOUT_S)), Policy.History.KeepAll)
    reader = DataReader(
        Subscriber(participant, partition), Topic(participant, "fl_down", Envelope), reliable
    )
    writer = DataWriter(
        Publisher(participant, partition), Topic(participant, "fl_up", Envelope), reliable
    )
    reader.set_status_mask(HEARD)
    writer.set_status_mask(DDSStatus.PublicationMatched)
    stop, news = GuardCondition(participant), WaitSet(participant)
    for entity in (reader, writer, stop):
        news.attach(entity)
    matched, numbers = threading.Event(), itertools.count()

    def is_ours(handle):
        """The server's writer says in its user data which client's writer it answers."""
        endpoint = reader.get_matched_publication_data(handle)
        data = endpoint and endpoint.qos[Policy.Userdata]
        return data is not None and data.data == writer.guid.bytes

    def read():
        server = None  # the handle of its writer
        while not stop.read():
            news.wait(duration(infinite=True))
            reader.take_status(HEARD)
            writer.take_status(DDSStatus.PublicationMatched)
            handles = reader.get_matched_publications()
            server = server or next(filter(is_ours, handles), None)
            if server and writer.get_matched_subscriptions():
                matched.set()
            while samples := reader.take(N=16):
                for info, sample in ((sample.sample_info, sample) for sample in samples):
                    # Handles are signed in the one place and unsigned in the other.
                    if server and info.valid_data and info.publication_handle == server % 2**64:
                        hear(sample.body)
            if server and server not in handles:
                break
        hear("DDS: the server's writer is gone")

    def send(message):
        try:
            writer.write(Envelope(client_id, next(numbers), message.SerializeToString()))
        except DDSException as error:
            raise ConnectionError(f"DDS: {error}") from error

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        if not matched.wait(TIMEOUT_S):
            raise ConnectionError(f"DDS: no server answers at {url.netloc}")
        yield send
    finally:
        writer.wait_for_acks(duration(seconds=GRACE_S))
        stop.set(True)
        thread.join()
        del news, stop, reader, writer, participant, domain  # whoever still holds `send`


if __name__ == "__main__":
    command.main("dds", connect)
