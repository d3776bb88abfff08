"""aio-pika on the embedded AMQP endpoint. `python aio_pika_tour.py tour|faults PORT` prints what it met."""

import asyncio
import sys

import aio_pika
import aiormq.channel
import aiormq.connection
from aiormq.exceptions import ChannelClosed, ConnectionClosed, ProbableAuthenticationError

PORT = int(sys.argv[2])
EXCHANGE, QUEUE = "tour-aio-pika", "tour-aio-pika"

# aiormq makes a class of each reply code, and drops the number.
CODES = {
    kind: code
    for mapping in (aiormq.channel.EXCEPTION_MAPPING, aiormq.connection.EXCEPTION_MAPPING)
    for code, kind in mapping.items()
} | {ProbableAuthenticationError: 403}


async def connect(host="/", user="aio-pika"):
    return await aio_pika.connect(
        host="127.0.0.1", port=PORT, virtualhost=host, login=user, password="")


async def tour():
    connection = await connect()
    channel = await connection.channel(on_return_raises=True)
    exchange = await channel.declare_exchange(EXCHANGE, "topic", durable=True)
    queue = await channel.declare_queue(QUEUE, exclusive=True)
    counts = queue.declaration_result
    print(f"declared: {counts.message_count} messages, {counts.consumer_count} consumers")
    await queue.bind(exchange, "a.*")

    async def waiting():
        return (await channel.declare_queue(QUEUE, passive=True)).declaration_result.message_count

    for number in ("1", "2", "3"):
        message = aio_pika.Message(
            number.encode(), correlation_id=number, headers={"number": int(number)})
        await exchange.publish(message, f"a.{number}", mandatory=True)
    print(f"confirmed: {await waiting()} wait")

    got = await queue.get()
    print(f"got: {got.routing_key} {got.correlation_id} {got.headers} {got.body.decode()},"
          f" redelivered {got.redelivered}, {got.message_count} more")
    await got.reject(requeue=True)
    got = await queue.get()
    print(f"rejected, got: {got.routing_key}, redelivered {got.redelivered}")
    await got.ack()

    await channel.set_qos(prefetch_count=1)
    async with queue.iterator() as deliveries:
        delivered = await anext(deliveries)
        print(f"consumed: {delivered.routing_key}, {await waiting()} wait")
        await delivered.ack()
        delivered = await anext(deliveries)
        print(f"consumed: {delivered.routing_key}, {await waiting()} wait")
        await delivered.reject(requeue=False)
    print(f"rejected for good: {await waiting()} wait")

    try:
        await exchange.publish(aio_pika.Message(b"lost"), "nowhere", mandatory=True)
    except aio_pika.exceptions.PublishError as error:
        returned = error.message
        print(f"returned: {returned.delivery.reply_code} {returned.delivery.reply_text}"
              f" {returned.delivery.routing_key} {returned.body.decode()}")

    large = bytes(range(256)) * 1000
    await channel.default_exchange.publish(aio_pika.Message(large), QUEUE)
    got = await queue.get(no_ack=True)
    print(f"carried: {len(got.body)} octets, the same {got.body == large}")
    await queue.unbind(exchange, "a.*")
    await channel.default_exchange.publish(aio_pika.Message(b"left"), QUEUE)
    print(f"purged: {(await queue.purge()).message_count}")
    print(f"deleted: {(await queue.delete()).message_count} messages")
    await exchange.delete()
    await channel.close()
    await connection.close()
    print(f"closed: {channel.is_closed and connection.is_closed}")


async def exclusive_elsewhere(channel):
    async with await connect() as other:
        await (await other.channel()).declare_queue("theirs", exclusive=True)
        await channel.declare_queue("theirs", exclusive=True)


async def declared_twice(channel):
    await channel.declare_queue("mine", exclusive=True)
    await channel.declare_queue("mine", exclusive=True, auto_delete=True)


async def ttl(channel):
    await channel.declare_queue("mine", exclusive=True, arguments={"x-message-ttl": 1000})


async def unknown_delivery(channel):
    under = await channel.get_underlay_channel()
    await under.basic_ack(99)
    await under.basic_get("none")


async def no_queue_named(channel):
    await (await channel.get_underlay_channel()).basic_get("")


async def exchange_to_exchange(channel):
    await (await channel.get_exchange("amq.direct")).bind("amq.topic")


def publish(exchange, key, size=1, **flags):
    async def act(channel):
        target = await channel.get_exchange(exchange, ensure=False)
        await target.publish(aio_pika.Message(bytes(size)), key, mandatory=False, **flags)
    return act


FAULTS = {
    "tx": lambda channel: channel.transaction().select(),
    "immediate": publish("amq.direct", "key", immediate=True),
    "exchange to exchange": exchange_to_exchange,
    "argument": ttl,
    "exchange type": lambda channel: channel.declare_exchange("x", "x-delayed-message"),
    "no such queue": lambda channel: channel.declare_queue("none", passive=True),
    "no such exchange": publish("none", "key"),
    "another's queue": exclusive_elsewhere,
    "other flags": declared_twice,
    "unknown delivery": unknown_delivery,
    "reserved name": lambda channel: channel.declare_queue("amq.mine"),
    "fl.up deleted": lambda channel: channel.exchange_delete("fl.up"),
    "fl.down published to": publish("fl.down", "default.aio-pika"),
    "another's key": publish("fl.up", "default.other"),
    "another federation": publish("fl.up", "elsewhere.aio-pika"),
    "too large": publish("fl.up", "default.aio-pika", 600_000),
    "no queue named": no_queue_named,
    "user": lambda channel: connect(user="no client"),
}


def code_of(error):
    return CODES.get(type(error)) or error.args[0]


async def faults():
    for name, act in FAULTS.items():
        connection = await connect()
        try:
            # A transaction is for channels without confirms.
            await act(await connection.channel(publisher_confirms=name != "tx"))
            print(f"{name}: silence")
        except (ChannelClosed, ConnectionClosed, ProbableAuthenticationError) as error:
            print(f"{name}: {code_of(error)}")
        await connection.close()


asyncio.run({"tour": tour, "faults": faults}[sys.argv[1]]())
