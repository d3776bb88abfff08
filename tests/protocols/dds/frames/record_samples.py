"""Takes the samples that a client's user-defined writers put on the loopback interface:
record_samples.py FILE PORT COMMAND ...; needs root (AF_PACKET).

A line is the serialized payload of one RTPS DATA submessage, in hex (DDSI-RTPS 2.5 §9.4.5.4).
"""

import socket
import struct
import subprocess
import sys

FILE, PORT, *COMMAND = sys.argv[1:]
ALL, DATA, KEY_ONLY, INLINE_QOS, USER_WRITER = 3, 0x15, 0x08, 0x02, (0x02, 0x03)


def payloads(message):
    """Serialized payloads of the DATA submessages in one RTPS message."""
    at = 20
    while at + 4 <= len(message):
        kind, flags = message[at : at + 2]
        order = "<" if flags & 1 else ">"
        (length,) = struct.unpack_from(order + "H", message, at + 2)
        end = at + 4 + length if length else len(message)
        if kind == DATA and not flags & KEY_ONLY and message[at + 15] in USER_WRITER:
            start = at + 8 + struct.unpack_from(order + "H", message, at + 6)[0]
            while flags & INLINE_QOS:
                parameter, size = struct.unpack_from(order + "HH", message, start)
                start += 4 + size
                if parameter == 1:  # PID_SENTINEL
                    break
            if flags & 0x04:  # there is data
                yield message[start:end]
        at = end


sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL))
sniffer.bind(("lo", ALL))
sniffer.settimeout(0.5)
client = subprocess.Popen(COMMAND)
seen = {}
while True:
    try:
        packet, address = sniffer.recvfrom(1 << 16)
    except TimeoutError:
        if client.poll() is not None:
            break
        continue
    # The loopback interface shows each packet twice. UDP to the server's port for samples.
    if address[2] == socket.PACKET_OUTGOING or packet[9] != 17:
        continue
    udp = packet[(packet[0] & 15) * 4 :]
    if struct.unpack_from(">H", udp, 2)[0] == int(PORT) + 1 and udp[8:12] == b"RTPS":
        seen.update(dict.fromkeys(payloads(udp[8:])))  # repeats are one sample
with open(FILE, "w") as file:
    file.writelines(f"{payload.hex()}\n" for payload in seen)
sys.exit(client.returncode)
