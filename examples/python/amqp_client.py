"""A client over AMQP 0-9-1, on pika.

python amqp_client.py amqp://127.0.0.1:5672/default --data IMAGES,LABELS
"""

import contextlib
import functools
import ssl
import threading
from urllib.parse import unquote

import pika
from pika.exceptions import AMQPError

import command

PROPERTIES = pika.BasicProperties(content_type="application/x-protobuf", delivery_mode=1)
PREFETCH = 16  # messages the server may send ahead of our acknowledgements
TIMEOUT_S = 15


@contextlib.contextmanager
def connect(url, client_id, _will, hear):
    key = f"{unquote(url.path[1:])}.{client_id}"
    tls = None
    if url.scheme == "amqps":
        tls = pika.SSLOptions(ssl.create_default_context(), url.hostname)
    parameters = pika.ConnectionParameters(
        url.hostname,
        url.port or 5672,
        credentials=pika.PlainCredentials(client_id, url.password or ""),
        ssl_options=tls,
        socket_timeout=TIMEOUT_S,
        stack_timeout=TIMEOUT_S,
    )

    def on_message(channel, method, _properties, body):
        hear(body)
        channel.basic_ack(method.delivery_tag)

    try:
        connection = pika.BlockingConnection(parameters)
        channel = connection.channel()
        channel.basic_qos(prefetch_count=PREFETCH)
        own = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(own, "fl.down", key)  # before Hello: its answers come here
        channel.basic_consume(own, on_message, exclusive=True)
    except (AMQPError, OSError) as error:
        raise ConnectionError(f"AMQP: {error!r}") from error

    def work():
        """The connection is this thread's from now on: pika is not for two at once."""
        try:
            channel.start_consuming()
        except (AMQPError, OSError) as error:
            hear(f"AMQP: {error!r}")

    def send(message):
        body = message.SerializeToString()
        publish = functools.partial(channel.basic_publish, "fl.up", key, body, PROPERTIES)
        try:
            connection.add_callback_threadsafe(publish)
        except AMQPError as error:
            raise ConnectionError(f"AMQP: {error!r}") from error

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        yield send
    finally:
        with contextlib.suppress(AMQPError, OSError):
            connection.add_callback_threadsafe(channel.stop_consuming)
            worker.join()
            connection.close()


if __name__ == "__main__":
    command.main("amqp", connect)
