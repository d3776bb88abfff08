"""pika on the embedded AMQP endpoint. `python pika_tour.py tour|faults PORT` prints what it met."""

import re
import sys

import pika
from pika.exceptions import (
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
    UnroutableError,
)

PORT = int(sys.argv[2])
EXCHANGE, QUEUE = "tour-pika", "tour-pika"


def connect(host="/", user="pika"):
    credentials = pika.PlainCredentials(user, "")
    return pika.BlockingConnection(
        pika.ConnectionParameters("127.0.0.1", PORT, host, credentials)
    )


def tour():
    connection = connect()
    channel = connection.channel()
    channel.confirm_delivery()
    channel.exchange_declare(EXCHANGE, "topic", durable=True)
    counts = channel.queue_declare(QUEUE, exclusive=True).method
    print(f"declared: {counts.message_count} messages, {counts.consumer_count} consumers")
    channel.queue_bind(QUEUE, EXCHANGE, "a.*")

    def waiting():
        return channel.queue_declare(QUEUE, passive=True).method.message_count

    for number in ("1", "2", "3"):
        properties = pika.BasicProperties(correlation_id=number, headers={"number": int(number)})
        channel.basic_publish(EXCHANGE, f"a.{number}", number.encode(), properties, mandatory=True)
    print(f"confirmed: {waiting()} wait")

    method, properties, body = channel.basic_get(QUEUE)
    print(f"got: {method.routing_key} {properties.correlation_id} {properties.headers} {body.decode()},"
          f" redelivered {method.redelivered}, {method.message_count} more")
    channel.basic_reject(method.delivery_tag, requeue=True)
    method, _, _ = channel.basic_get(QUEUE)
    print(f"rejected, got: {method.routing_key}, redelivered {method.redelivered}")
    channel.basic_ack(method.delivery_tag)

    channel.basic_qos(prefetch_count=1)
    deliveries = channel.consume(QUEUE)
    method, _, _ = next(deliveries)
    print(f"consumed: {method.routing_key}, {waiting()} wait")
    channel.basic_ack(method.delivery_tag)
    method, _, _ = next(deliveries)
    print(f"consumed: {method.routing_key}, {waiting()} wait")
    channel.basic_reject(method.delivery_tag, requeue=False)
    channel.cancel()
    print(f"rejected for good: {waiting()} wait")

    try:
        channel.basic_publish(EXCHANGE, "nowhere", b"lost", mandatory=True)
    except UnroutableError as error:
        returned = error.messages[0]
        print(f"returned: {returned.method.reply_code} {returned.method.reply_text}"
              f" {returned.method.routing_key} {returned.body.decode()}")

    large = bytes(range(256)) * 1000
    channel.basic_publish("", QUEUE, large)
    method, _, body = channel.basic_get(QUEUE, auto_ack=True)
    print(f"carried: {len(body)} octets, the same {body == large}")
    channel.queue_unbind(QUEUE, EXCHANGE, "a.*")
    channel.basic_publish("", QUEUE, b"left")
    print(f"purged: {channel.queue_purge(QUEUE).method.message_count}")
    print(f"deleted: {channel.queue_delete(QUEUE).method.message_count} messages")
    channel.exchange_delete(EXCHANGE)
    channel.close()
    connection.close()
    print(f"closed: {channel.is_closed and connection.is_closed}")


def exclusive_elsewhere(channel):
    other = connect()
    other.channel().queue_declare("theirs", exclusive=True)
    try:
        channel.queue_declare("theirs", exclusive=True)
    finally:
        other.close()


def declared_twice(channel):
    channel.queue_declare("mine", exclusive=True)
    channel.queue_declare("mine", exclusive=True, auto_delete=True)


def ttl(channel):
    channel.queue_declare("mine", exclusive=True, arguments={"x-message-ttl": 1000})


def publish(exchange, key, size=1):
    def act(channel):
        channel.confirm_delivery()
        channel.basic_publish(exchange, key, bytes(size))
    return act


FAULTS = {
    "tx": lambda channel: channel.tx_select(),
    "exchange to exchange": lambda channel: channel.exchange_bind("amq.direct", "amq.topic"),
    "argument": ttl,
    "new secret": lambda channel: channel.connection.update_secret("secret", "old"),
    "exchange type": lambda channel: channel.exchange_declare("x", "x-delayed-message"),
    "no such queue": lambda channel: channel.queue_declare("none", passive=True),
    "no such exchange": publish("none", "key"),
    "another's queue": exclusive_elsewhere,
    "other flags": declared_twice,
    "unknown delivery": lambda channel: (channel.basic_ack(99), channel.basic_get("none")),
    "reserved name": lambda channel: channel.queue_declare("amq.mine"),
    "fl.up deleted": lambda channel: channel.exchange_delete("fl.up"),
    "fl.down published to": publish("fl.down", "default.pika"),
    "another's key": publish("fl.up", "default.other"),
    "another federation": publish("fl.up", "elsewhere.pika"),
    "too large": publish("fl.up", "default.pika", 600_000),
    "no queue named": lambda channel: channel.basic_get(""),
    "virtual host": lambda channel: connect(host="elsewhere"),
    "user": lambda channel: connect(user="no client"),
}


def faults():
    for name, act in FAULTS.items():
        connection = connect()
        try:
            act(connection.channel())
            print(f"{name}: silence")
        except (ChannelClosedByBroker, ConnectionClosedByBroker) as error:
            print(f"{name}: {error.reply_code}")
        except (ProbableAccessDeniedError, ProbableAuthenticationError) as error:
            print(f"{name}: {re.search(r'[(]([0-9]+)[)]', str(error))[1]}")
        if connection.is_open:
            connection.close()


{"tour": tour, "faults": faults}[sys.argv[1]]()
