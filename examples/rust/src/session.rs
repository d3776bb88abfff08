//! The client's side of proto/federation.proto, without a wire: one session.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::signal::ctrl_c;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::network::layer_names;
use crate::pb::client_message::Body as Up;
use crate::pb::server_message::Body as Down;
use crate::pb::{self, ClosingReason, Verdict};
use crate::trainer::{Metrics, Trainer};
use crate::transfer::{Download, Upload};

mod state;
mod work;

use state::{Asked, Connection, Run};

/// One connection to the server.
pub struct Wire {
    /// What is sent without a Receipt is bounded by the contract's window.
    pub up: mpsc::UnboundedSender<pb::ClientMessage>,
    /// In the order they came; ends when the connection is lost.
    pub down: mpsc::Receiver<pb::ServerMessage>,
    /// Ends when `up` is dropped and what was sent has left.
    pub over: JoinHandle<()>,
}

/// Without a word for so many heartbeat intervals, a server is lost.
const SILENT_INTERVALS: u32 = 3;
/// Until Welcome says it.
const FIRST_INTERVAL: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long the last words may take to leave.
const GRACE: Duration = Duration::from_secs(1);

/// Why a connection, or all of the session, is over.
pub enum End {
    /// The final model is confirmed.
    Done,
    Lost(String),
    /// Another connection may be at once, or after a while.
    Redial(String, Duration),
    /// The server does not want this client, or has gone for good.
    Refused(String),
    /// By the operator.
    Stopped,
}

/// What a worker's thread has done.
enum Answer {
    Trained(Result<(Vec<u8>, Metrics), String>),
    Evaluated(Result<Metrics, String>),
}

struct Finished {
    task: pb::Task,
    stop: Arc<AtomicBool>,
    answer: Answer,
}

/// Takes part in one run, over as many connections as it takes.
pub struct Session {
    client_id: String,
    token: String,
    trainer: Arc<Trainer>,
    finished: (mpsc::UnboundedSender<Finished>, mpsc::UnboundedReceiver<Finished>),
    failures: u32,
    run: Run,
    connection: Option<Connection>,
}

impl Session {
    pub fn new(client_id: String, token: String, trainer: Trainer) -> Self {
        Self {
            client_id,
            token,
            trainer: Arc::new(trainer),
            finished: mpsc::unbounded_channel(),
            failures: 0,
            run: Run::new(),
            connection: None,
        }
    }

    /// What a wire may say for a client that vanished: it is fixed before Welcome.
    fn will(&self) -> pb::ClientMessage {
        let reason = pb::LeaveReason::Lost.into();
        let nonce = self.run.nonce.to_vec();
        pb::ClientMessage {
            client_id: self.client_id.clone(),
            body: Some(Up::Leave(pb::Leave { reason, nonce, ..Default::default() })),
            ..Default::default()
        }
    }

    /// The final model, as safetensors, or why there is none.
    pub async fn run<Connect>(&mut self, connect: Connect) -> Result<Vec<u8>, String>
    where
        Connect: AsyncFn(&str, pb::ClientMessage) -> Result<Wire, String>,
    {
        loop {
            let wire = tokio::select! {
                wire = connect(&self.client_id, self.will()) => wire,
                _ = ctrl_c() => return Err("stopped".into()),
            };
            let end = match wire {
                Ok(wire) => self.converse(wire).await,
                Err(reason) => End::Lost(reason),
            };
            self.connection = None;
            let doubled = PAUSE.saturating_mul(1 << self.failures.min(16)).min(LONGEST_PAUSE);
            let (reason, wait) = match end {
                _ if self.run.leaving => break, // the server had its time
                End::Done => break,
                End::Refused(reason) => return Err(format!("refused: {reason}")),
                End::Stopped => return Err("stopped".into()),
                End::Redial(reason, after) => (reason, after),
                End::Lost(reason) => (reason, doubled.mul_f64(rand::random_range(0.5..1.0))),
            };
            self.failures += 1;
            println!("connection lost: {reason}; again in {:.1} s", wait.as_secs_f64());
            tokio::select! {
                () = sleep(wait) => {}
                _ = ctrl_c() => return Err("stopped".into()),
            }
        }
        Ok(self.run.model.take().map(|model| model.bytes).unwrap_or_default())
    }

    /// One connection's part of the session.
    async fn converse(&mut self, wire: Wire) -> End {
        let Wire { up, mut down, mut over } = wire;
        let now = Instant::now();
        self.connection = Some(Connection {
            up,
            welcome: None,
            sequence: 0,
            awaited: HashMap::new(),
            early: vec![],
            heard: now,
            beat: now + FIRST_INTERVAL,
            retry: None,
        });
        self.greet();
        let end = loop {
            let Some(connection) = &self.connection else { break End::Lost("closed".into()) };
            let retry = connection.retry;
            let step = tokio::select! {
                message = down.recv() => match message {
                    Some(message) => self.hear(message),
                    None => Err(End::Lost("the wire's connection is over".into())),
                },
                Some(finished) = self.finished.1.recv() => {
                    self.work_finished(finished);
                    Ok(())
                }
                () = sleep_until(connection.beat) => self.heartbeat(),
                () = sleep_until(retry.unwrap_or(now)), if retry.is_some() => {
                    self.send_parts();
                    Ok(())
                }
                _ = ctrl_c() => {
                    let reason = pb::LeaveReason::ShuttingDown.into();
                    self.ask(Asked::Other, Up::Leave(pb::Leave { reason, ..Default::default() }));
                    Err(End::Stopped)
                }
            };
            if let Err(end) = step {
                break end;
            }
        };
        self.connection = None; // and with it `up`
        let rest = async { while down.recv().await.is_some() {} };
        if timeout(GRACE, async { tokio::join!(rest, &mut over) }).await.is_err() {
            over.abort();
        }
        end
    }

    /// Sends a message. A connection that is lost says so by the end of `down`.
    fn ask(&mut self, asked: Asked, body: Up) {
        let Some(connection) = &mut self.connection else { return };
        connection.sequence += 1;
        connection.awaited.insert(connection.sequence, asked);
        let opening = matches!(body, Up::Hello(_));
        let of_run = |value: &Vec<u8>| if opening { vec![] } else { value.clone() };
        let message = pb::ClientMessage {
            run_id: if opening { String::new() } else { self.run.id.clone() },
            client_id: self.client_id.clone(),
            session: of_run(&self.run.session),
            sequence: connection.sequence,
            body: Some(body),
        };
        connection.up.send(message).ok();
    }

    fn greet(&mut self) {
        let hello = pb::Hello {
            contract_version: 1,
            nonce: self.run.nonce.to_vec(),
            token: self.token.clone(),
            software: "tributary-rust-example/1".into(),
            samples: self.trainer.samples() as u32,
            session: self.run.session.clone(),
            held: self.run.model.as_mut().map(Download::held),
            ..Default::default()
        };
        self.ask(Asked::Hello, Up::Hello(hello));
    }

    fn heartbeat(&mut self) -> Result<(), End> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let welcome = connection.welcome.as_ref();
        let interval = welcome.map_or(FIRST_INTERVAL, |w| milliseconds(w.heartbeat_interval_ms));
        if connection.heard.elapsed() > SILENT_INTERVALS * interval {
            return Err(End::Lost("the server does not answer".into()));
        }
        connection.beat = Instant::now() + interval;
        if welcome.is_some() {
            self.ask(Asked::Other, Up::Heartbeat(pb::Heartbeat {}));
        }
        Ok(())
    }

    fn hear(&mut self, message: pb::ServerMessage) -> Result<(), End> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        connection.heard = Instant::now();
        let of_our_run = message.run_id == self.run.id;
        match message.body {
            Some(Down::Receipt(receipt)) => return self.judged(&message.run_id, receipt),
            Some(Down::Welcome(welcome)) => return self.welcomed(message.run_id, welcome),
            Some(Down::Closing(closing)) if of_our_run || self.run.id.is_empty() => {
                let after = milliseconds(closing.retry_after_ms);
                return Err(match closing.reason() {
                    ClosingReason::Restart => End::Redial(closing.detail, after),
                    _ => End::Refused(closing.detail),
                });
            }
            _ if connection.welcome.is_none() => connection.keep(message),
            _ if !of_our_run => {} // left over from another run
            Some(Down::ModelPart(part)) => return self.model_part(part),
            Some(Down::Task(task)) => {
                self.run.tasks.insert(task.kind, task);
                return self.go_on();
            }
            Some(Down::RoundClosed(closed)) => self.round_closed(&closed),
            Some(Down::Finish(finish)) => {
                self.run.finish = Some(finish);
                return self.go_on();
            }
            _ => {} // a newer server's message
        }
        Ok(())
    }

    fn judged(&mut self, run_id: &str, receipt: pb::Receipt) -> Result<(), End> {
        let verdict = receipt.verdict();
        let other_run = verdict == Verdict::OtherRun && run_id != self.run.id;
        let gone = (verdict == Verdict::NoSession || other_run) && !self.run.session.is_empty();
        if gone && !self.run.leaving {
            self.run = Run::new();
            return Err(End::Redial(receipt.detail, Duration::ZERO));
        }
        if verdict == Verdict::Unauthorised {
            return Err(End::Refused(receipt.detail)); // another client may have this id, too
        }
        let Some(connection) = &mut self.connection else { return Ok(()) };
        match connection.awaited.remove(&receipt.sequence) {
            Some(Asked::Hello) => match verdict {
                Verdict::Accepted => Ok(()), // Welcome comes by itself
                Verdict::Busy | Verdict::Failed => {
                    Err(End::Redial(receipt.detail, milliseconds(receipt.retry_after_ms)))
                }
                _ => Err(End::Refused(receipt.detail)),
            },
            Some(Asked::ModelHeld { round }) => {
                // Malformed: not the server's bytes; they are sent again.
                self.run.model.take_if(|m| verdict == Verdict::Malformed && m.round == round);
                Ok(())
            }
            Some(Asked::Part { turn }) => {
                self.part_judged(turn, &receipt);
                Ok(())
            }
            Some(Asked::Leave) => Err(End::Done),
            Some(Asked::Other) | None => Ok(()),
        }
    }

    fn welcomed(&mut self, run_id: String, welcome: pb::Welcome) -> Result<(), End> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        if welcome.nonce != self.run.nonce {
            return Ok(()); // answers an older Hello
        }
        println!("welcome to run {run_id}, round {}", welcome.round);
        let model = welcome.model.clone().unwrap_or_default();
        self.run.layers =
            layer_names(&model.topology, &model.topology_type).map_err(End::Refused)?;
        (self.run.id, self.run.session) = (run_id, welcome.session.clone());
        self.failures = 0;
        connection.beat = Instant::now() + milliseconds(welcome.heartbeat_interval_ms);
        connection.welcome = Some(welcome);
        let early = std::mem::take(&mut connection.early);
        self.run.upload.iter_mut().for_each(Upload::again);
        self.send_parts();
        for message in early {
            self.hear(message)?;
        }
        self.go_on()
    }

    fn model_part(&mut self, part: pb::ModelPart) -> Result<(), End> {
        let Some(welcome) = self.welcome() else { return Ok(()) };
        let step = welcome.window_bytes as usize / 4;
        if part.total_bytes > welcome.model.as_ref().map_or(0, |model| model.bytes) {
            return Err(End::Lost("a model is longer than announced".into()));
        }
        let newer = self.run.model.as_ref().is_none_or(|model| part.model_round > model.round);
        if newer {
            self.run.model = Some(Download::new(&part));
        }
        let Some(model) = self.run.model.as_mut().filter(|m| m.round == part.model_round) else {
            return Ok(()); // of an older model
        };
        if !model.take(&part, step) {
            return Ok(());
        }
        let (round, held) = (model.round, model.held());
        self.ask(Asked::ModelHeld { round }, Up::ModelHeld(held));
        self.go_on()
    }

    fn welcome(&self) -> Option<&pb::Welcome> {
        self.connection.as_ref()?.welcome.as_ref()
    }
}

fn milliseconds(ms: u32) -> Duration {
    Duration::from_millis(ms.into())
}
