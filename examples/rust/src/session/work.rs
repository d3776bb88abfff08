//! What a session does for its tasks: training, evaluating, uploading, and the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::state::{Asked, Work};
use super::{Answer, End, Finished, Session, milliseconds};
use crate::pb::client_message::Body as Up;
use crate::pb::{self, TaskKind, Verdict};
use crate::trainer::Given;
use crate::transfer::Upload;

impl Session {
    /// Begins whatever has all it needs: a task whose model is held whole, or the end.
    pub(super) fn go_on(&mut self) -> Result<(), End> {
        let Some(model) = self.run.model.as_ref().filter(|_| !self.run.leaving) else {
            return Ok(());
        };
        let Some(sha256) = model.sha256.clone() else { return Ok(()) };
        let round = model.round;
        if let Some(finish) = self.run.finish.take_if(|finish| finish.round == round) {
            return self.leave(&finish, sha256);
        }
        let ready = self.run.tasks.extract_if(|_, task| task.model_round == round);
        for (_, task) in ready.collect::<Vec<_>>() {
            self.begin(task);
        }
        Ok(())
    }

    fn begin(&mut self, task: pb::Task) {
        let known = self.run.work.get(&task.kind);
        if known.is_some_and(|work| work.task.task_id == task.task_id) {
            return; // told again, after a reconnection
        }
        let Some(model) = &self.run.model else { return };
        let given = Given { model: model.bytes.clone(), layers: self.run.layers.clone() };
        self.run.stop(task.kind());
        let stop = Arc::new(AtomicBool::new(false));
        self.run.work.insert(task.kind, Work { task: task.clone(), stop: stop.clone() });
        let (trainer, finished) = (self.trainer.clone(), self.finished.0.clone());
        let training = task.kind() == TaskKind::Train;
        if training {
            println!("round {} training", task.round);
        }
        spawn_blocking(move || {
            let answer = match training {
                true => Answer::Trained(trainer.train(given, &task.settings, &stop)),
                false => Answer::Evaluated(trainer.evaluate(given, &stop)),
            };
            finished.send(Finished { task, stop, answer }).ok();
        });
    }

    pub(super) fn work_finished(&mut self, Finished { task, stop, answer }: Finished) {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let (round, samples) = (task.round, self.trainer.samples() as u32);
        match answer {
            Answer::Trained(Ok((bytes, metrics))) => {
                println!("round {round} trained: {metrics:?}");
                self.run.upload = Some(Upload::new(task, bytes, samples, metrics));
                self.send_parts();
            }
            Answer::Evaluated(Ok(metrics)) => {
                println!("round {round} evaluated: {metrics:?}");
                self.run.stop(TaskKind::Evaluate);
                if self.welcome().is_some() {
                    let task_id = task.task_id;
                    let evaluation = pb::Evaluation { task_id, samples, metrics };
                    self.ask(Asked::Other, Up::Evaluation(evaluation));
                } // else the server asks again after Hello
            }
            Answer::Trained(Err(reason)) | Answer::Evaluated(Err(reason)) => {
                println!("round {round} failed: {reason}");
            }
        }
    }

    pub(super) fn send_parts(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        connection.retry = None;
        let Some(welcome) = &connection.welcome else { return };
        let (most, window) = (welcome.largest_part_bytes as usize, welcome.window_bytes as usize);
        while let Some(upload) = &mut self.run.upload {
            let turn = upload.turn;
            let Some(part) = upload.part(most, window) else { return };
            self.ask(Asked::Part { turn }, Up::UpdatePart(part));
        }
    }

    pub(super) fn part_judged(&mut self, turn: u32, receipt: &pb::Receipt) {
        let Some(upload) = self.run.upload.as_mut().filter(|upload| upload.turn == turn) else {
            return; // sent before the server sent us back
        };
        let next = receipt.next_offset as usize;
        match receipt.verdict() {
            Verdict::Held => upload.keep(next),
            Verdict::Gap => upload.back_to(next),
            Verdict::Busy | Verdict::Failed => {
                upload.back_to(next);
                if let Some(connection) = &mut self.connection {
                    connection.retry = Some(Instant::now() + milliseconds(receipt.retry_after_ms));
                }
                return;
            }
            verdict => {
                let verdict = verdict.as_str_name().trim_start_matches("VERDICT_").to_lowercase();
                let said =
                    format!("update of round {}: {verdict} {}", upload.task.round, receipt.detail);
                println!("{}", said.trim_end());
                return self.run.stop(TaskKind::Train);
            }
        }
        self.send_parts();
    }

    pub(super) fn round_closed(&mut self, closed: &pb::RoundClosed) {
        println!("round {} closed with {} clients", closed.round, closed.clients);
        let train = TaskKind::Train as i32;
        if self.run.tasks.get(&train).is_some_and(|task| task.round <= closed.round) {
            self.run.tasks.remove(&train);
        }
        if self.run.work.get(&train).is_some_and(|work| work.task.round <= closed.round) {
            self.run.stop(TaskKind::Train); // it is in vain
        }
    }

    /// Confirms the final model.
    fn leave(&mut self, finish: &pb::Finish, model_sha256: Vec<u8>) -> Result<(), End> {
        if model_sha256 != finish.model_sha256 {
            return Err(End::Refused("the final model is not the one that was announced".into()));
        }
        println!("finished after round {}: {}", finish.round, finish.reason);
        self.run.leaving = true;
        let reason = pb::LeaveReason::Done.into();
        let leave = pb::Leave { reason, model_sha256, ..Default::default() };
        self.ask(Asked::Leave, Up::Leave(leave));
        Ok(())
    }
}
