//! proto/wire.md's hex: messages, and the frames of both wires.

use prost::Message;
use prost::bytes::{Bytes, BytesMut};
use rumqttc::Packet;
use tributary_example::pb::client_message::Body as Up;
use tributary_example::pb::server_message::Body as Down;
use tributary_example::pb::{ClientMessage, ServerMessage, Verdict};

fn page() -> String {
    std::fs::read_to_string("../../proto/wire.md").expect("proto/wire.md")
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pairs = digits.chunks(2).map(String::from_utf8_lossy);
    pairs.map(|pair| u8::from_str_radix(&pair, 16).expect(hex)).collect()
}

/// What stands between two texts.
fn between<'a>(page: &'a str, begin: &str, end: &str) -> &'a str {
    let (_, rest) = page.split_once(begin).expect(begin);
    rest.split_once(end).expect(end).0
}

#[test]
fn vectors_of_wire_md_decode_and_encode_to_themselves() {
    let text = page();
    let mut seen = 0;
    for piece in text.split("\n```hex\n").collect::<Vec<_>>().windows(2) {
        let Some(title) = piece[0].lines().rev().find(|line| line.starts_with("**")) else {
            continue;
        };
        let bytes = bytes_of(piece[1].split("```").next().unwrap_or_default());
        let again = match title.ends_with("(ClientMessage)") {
            true => {
                let message = ClientMessage::decode(&bytes[..]).expect(title);
                assert!(message.body.is_some(), "{title}");
                message.encode_to_vec()
            }
            false => {
                let message = ServerMessage::decode(&bytes[..]).expect(title);
                assert!(message.body.is_some(), "{title}");
                message.encode_to_vec()
            }
        };
        assert_eq!(again, bytes, "{title}");
        seen += 1;
    }
    assert!(seen >= 10, "wire.md has {seen} vectors");
}

#[test]
fn frames_of_mqtt_311_are_rumqttcs_packets() {
    let text = page();
    let shown = between(&text, "\nMQTT 3.1.1:\n\n```\n", "```");
    // The hex is each line's last word; a frame's second line has no label.
    let hex = shown.lines().filter_map(|line| line.rsplit(' ').next());
    let mut stream: BytesMut = hex.flat_map(bytes_of).collect();
    let mut bodies = vec![];
    while !stream.is_empty() {
        if let Packet::Publish(publish) = Packet::read(&mut stream, 1000).expect("a packet") {
            bodies.push(publish.payload);
        }
    }
    assert_session(bodies);
}

#[test]
fn frames_of_grpc_hold_the_messages() {
    let text = page();
    let section = between(&text, "\n## gRPC\n", "\n## ");
    let shown = section.split("```\n").filter(|block| block.contains(" 00 00 00000001  00 "));
    let bodies = shown.map(|block| {
        let mut frame = Bytes::from(bytes_of(block));
        // HTTP/2's header of 9 bytes, then gRPC's flag and length.
        let head = frame.split_to(9 + 5);
        assert_eq!(usize::from(head[2]), 5 + frame.len());
        assert_eq!(head[10..], (frame.len() as u32).to_be_bytes());
        frame
    });
    assert_session(bodies.collect());
}

/// Hello, its Receipt, an UpdatePart, its Receipt.
fn assert_session(bodies: Vec<Bytes>) {
    let [hello, accepted, part, held] = bodies.try_into().expect("four messages");
    let up = |bytes| ClientMessage::decode(bytes).expect("a ClientMessage").body;
    let down = |bytes| ServerMessage::decode(bytes).expect("a ServerMessage").body;
    let Some(Up::Hello(hello)) = up(hello) else { panic!("no Hello") };
    assert_eq!(hello.nonce, (0..16).collect::<Vec<u8>>());
    let Some(Down::Receipt(accepted)) = down(accepted) else { panic!("no Receipt") };
    assert_eq!((accepted.sequence, accepted.verdict()), (1, Verdict::Accepted));
    let Some(Up::UpdatePart(part)) = up(part) else { panic!("no UpdatePart") };
    assert_eq!(part.bytes, (1..=8).collect::<Vec<u8>>());
    let Some(Down::Receipt(held)) = down(held) else { panic!("no Receipt") };
    assert_eq!((held.verdict(), held.next_offset), (Verdict::Accepted, 8));
}
