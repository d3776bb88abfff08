//! A client over MQTT 3.1.1, on rumqttc.
//!
//!     mqtt_client mqtt://127.0.0.1:1883/default --data IMAGES,LABELS

use std::process::ExitCode;
use std::time::Duration;

use prost::Message;
use rumqttc::SubscribeReasonCode;
use rumqttc::{AsyncClient, Event, EventLoop, LastWill, MqttOptions, Outgoing, Packet, QoS};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tributary_example::command::{self, Address, Scheme};
use tributary_example::pb;
use tributary_example::session::Wire;

const TIMEOUT: Duration = Duration::from_secs(15);
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// rumqttc stops at 10 KiB unless told otherwise; the server's parts have 4 MiB at most.
const LARGEST_PACKET: usize = 8 * 1024 * 1024;

async fn connect(
    Address { host, port, federation }: &Address,
    client_id: &str,
    will: pb::ClientMessage,
) -> Result<Wire, String> {
    let up_topic = format!("fl/{federation}/up/{client_id}");
    let down_topic = format!("fl/{federation}/down/{client_id}");
    let mut options = MqttOptions::new(client_id, host, *port);
    options
        .set_keep_alive(KEEP_ALIVE)
        .set_max_packet_size(LARGEST_PACKET, LARGEST_PACKET)
        .set_last_will(LastWill::new(&up_topic, will.encode_to_vec(), QoS::AtLeastOnce, false));
    let (client, mut events) = AsyncClient::new(options, 10);
    events.network_options.set_tcp_nodelay(true);
    let subscribed = timeout(TIMEOUT, subscribe(&client, &mut events, &down_topic)).await;
    subscribed.map_err(|_| "MQTT: no answer")??;
    let (up, mut outgoing) = mpsc::unbounded_channel::<pb::ClientMessage>();
    tokio::spawn(async move {
        while let Some(message) = outgoing.recv().await {
            let payload = message.encode_to_vec();
            if client.publish(&up_topic, QoS::AtLeastOnce, false, payload).await.is_err() {
                return;
            }
        }
        client.disconnect().await.ok(); // takes the will back
    });
    let (heard, down) = mpsc::channel(64);
    let over = tokio::spawn(async move {
        // After an error another poll would redial: the session alone does that.
        loop {
            let (read, lost) = match events.poll().await {
                Ok(event) => (vec![event], false),
                Err(_) => (events.state.events.drain(..).collect(), true), // what came before it
            };
            for event in read {
                match event {
                    Event::Incoming(Packet::Publish(publish)) => {
                        let Ok(message) = pb::ServerMessage::decode(publish.payload) else {
                            continue;
                        };
                        if heard.send(message).await.is_err() {
                            return;
                        }
                    }
                    Event::Outgoing(Outgoing::Disconnect) => return,
                    _ => {}
                }
            }
            if lost {
                return;
            }
        }
    });
    Ok(Wire { up, down, over })
}

/// Before Hello: its answers come by this topic.
async fn subscribe(
    client: &AsyncClient,
    events: &mut EventLoop,
    topic: &str,
) -> Result<(), String> {
    let wrong = |error| format!("MQTT: {error}");
    client.subscribe(topic, QoS::AtLeastOnce).await.map_err(|error| error.to_string())?;
    loop {
        let Event::Incoming(Packet::SubAck(answer)) =
            events.poll().await.map_err(|error| wrong(error.to_string()))?
        else {
            continue;
        };
        return match answer.return_codes[..] {
            [SubscribeReasonCode::Success(_)] => Ok(()),
            _ => Err(wrong(format!("{topic} cannot be subscribed to"))),
        };
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    command::main(Scheme { name: "mqtt", port: 1883 }, connect).await
}
