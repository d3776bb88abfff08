//! What a session remembers: of the run, and of the connection.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::pb::{self, TaskKind};
use crate::transfer::{Download, Upload};

/// Messages kept until Welcome; a window of parts is all there should be.
const MOST_EARLY: usize = 1000;

/// What a Receipt answers.
pub enum Asked {
    Hello,
    ModelHeld { round: u32 },
    Part { turn: u32 },
    Leave,
    Other,
}

pub struct Work {
    pub task: pb::Task,
    pub stop: Arc<AtomicBool>,
}

/// All that is forgotten when another run begins.
pub struct Run {
    pub nonce: [u8; 16],
    pub id: String,
    pub session: Vec<u8>,
    pub layers: Vec<String>,
    /// The newest model, as far as it has come.
    pub model: Option<Download>,
    pub tasks: HashMap<i32, pb::Task>,
    pub work: HashMap<i32, Work>,
    pub upload: Option<Upload>,
    pub finish: Option<pb::Finish>,
    /// Leave DONE is said.
    pub leaving: bool,
}

pub struct Connection {
    pub up: mpsc::UnboundedSender<pb::ClientMessage>,
    pub welcome: Option<pb::Welcome>,
    pub sequence: u32,
    pub awaited: HashMap<u32, Asked>,
    /// What overtook Welcome, as it may on wires of several streams.
    pub early: Vec<pb::ServerMessage>,
    pub heard: Instant,
    pub beat: Instant,
    /// When to go on with an upload that the server was too busy for.
    pub retry: Option<Instant>,
}

impl Connection {
    /// Until Welcome comes.
    pub fn keep(&mut self, message: pb::ServerMessage) {
        if self.early.len() < MOST_EARLY {
            self.early.push(message);
        }
    }
}

impl Run {
    pub fn new() -> Self {
        Self {
            nonce: rand::random(),
            id: String::new(),
            session: vec![],
            layers: vec![],
            model: None,
            tasks: HashMap::new(),
            work: HashMap::new(),
            upload: None,
            finish: None,
            leaving: false,
        }
    }

    pub fn stop(&mut self, kind: TaskKind) {
        if let Some(work) = self.work.remove(&(kind as i32)) {
            work.stop.store(true, Ordering::Relaxed);
        }
        if kind == TaskKind::Train {
            self.upload = None;
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.work.values().for_each(|work| work.stop.store(true, Ordering::Relaxed));
    }
}
