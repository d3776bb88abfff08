"""paho-mqtt as anybody would use it: stock_paho.py PORT LEVEL HELLO_HEX. Recorded by record.ts."""

import sys
import paho.mqtt.client as mqtt

port, level, hello = int(sys.argv[1]), int(sys.argv[2]), bytes.fromhex(sys.argv[3])
UP, DOWN, STATE = "fl/default/up/client-1", "fl/default/down/client-1", "fl/default/state"
client = mqtt.Client(
    mqtt.CallbackAPIVersion.VERSION2,
    client_id="client-1",
    protocol=mqtt.MQTTv5 if level == 5 else mqtt.MQTTv311,
)
client.will_set(UP, hello, qos=1)
seen = []


def subscribed(client, userdata, mid, reason_codes, properties):
    for qos in (0, 1, 2):
        client.publish(UP, hello, qos=qos)


def published(client, userdata, mid, reason_code, properties):
    seen.append(mid)
    if len(seen) == 3:
        client.unsubscribe(STATE)


client.on_connect = lambda client, *_: client.subscribe([(DOWN, 1), (STATE, 1)])
client.on_subscribe = subscribed
client.on_publish = published
client.on_unsubscribe = lambda client, *_: client.disconnect()
client.on_message = lambda client, userdata, message: print(
    message.topic, "retained" if message.retain else "", len(message.payload), "bytes"
)
client.connect("127.0.0.1", port)
client.loop_forever()
