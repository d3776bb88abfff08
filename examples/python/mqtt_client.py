"""A client over MQTT, on paho-mqtt.

python mqtt_client.py mqtt://127.0.0.1:1883/default --data IMAGES,LABELS

Through a WebSocket, if the server's address begins with mqtt+ws://
"""

import contextlib
import ssl
import threading
from urllib.parse import parse_qs

import paho.mqtt.client as mqtt

import command

TIMEOUT_S = 15


@contextlib.contextmanager
def connect(url, client_id, will, hear):
    name = url.path[1:]  # percent-encoded, as in the topics
    up, down = f"fl/{name}/up/{client_id}", f"fl/{name}/down/{client_id}"
    version = mqtt.MQTTv311 if parse_qs(url.query).get("v") == ["4"] else mqtt.MQTTv5
    client = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2,
        client_id,
        protocol=version,
        transport="websockets" if url.scheme == "mqtt+ws" else "tcp",
        reconnect_on_failure=False,
    )
    if url.scheme == "mqtts":
        client.tls_set_context(ssl.create_default_context())
    client.will_set(up, will.SerializeToString(), qos=1)
    subscribed, reasons = threading.Event(), []

    def on_connect(_client, _data, _flags, reason, _properties):
        if reason.is_failure:
            reasons.append(str(reason))
            subscribed.set()
        else:
            client.subscribe(down, qos=1)  # before Hello: its answers come here

    def on_subscribe(_client, _data, _id, codes, _properties):
        reasons.extend(str(code) for code in codes if code.is_failure)
        subscribed.set()

    def on_disconnect(_client, _data, _flags, reason, _properties):
        reasons.append(str(reason))
        subscribed.set()
        hear(f"MQTT: {reason}")

    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.on_disconnect = on_disconnect
    client.on_message = lambda _client, _data, message: hear(message.payload)
    client.connect_timeout = TIMEOUT_S
    try:
        client.connect(url.hostname, url.port or 1883, keepalive=30)
    except OSError as error:
        raise ConnectionError(f"MQTT: {error}") from error
    client.loop_start()
    try:
        if not subscribed.wait(TIMEOUT_S) or reasons:
            raise ConnectionError(f"MQTT: {' '.join(reasons) or 'no answer'}")
        yield lambda message: client.publish(up, message.SerializeToString(), qos=1)
    finally:
        client.disconnect()  # takes the will back
        client.loop_stop()


if __name__ == "__main__":
    command.main("mqtt", connect)
