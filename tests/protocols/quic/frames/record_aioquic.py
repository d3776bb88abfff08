"""Writes down what aioquic sends, by stream: record_aioquic.py FILE PROGRAM ARGUMENT ...

A line is a stream's number, its bytes in hex (- for none) and, at its end, "fin".
"""

import runpy
import sys

from aioquic.quic.connection import QuicConnection

FILE, PROGRAM = sys.argv[1:3]
send = QuicConnection.send_stream_data


def record(self, stream_id, data, end_stream=False):
    with open(FILE, "a") as file:
        print(stream_id, data.hex() or "-", *["fin"] * end_stream, file=file)
    send(self, stream_id, data, end_stream)


QuicConnection.send_stream_data = record
sys.argv = sys.argv[2:]
sys.path[0] = PROGRAM.rpartition("/")[0] or "."
runpy.run_path(PROGRAM, run_name="__main__")
