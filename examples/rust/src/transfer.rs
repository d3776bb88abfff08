//! Models coming in and updates going out, part by part.

use sha2::{Digest, Sha256};

use crate::pb;

/// A model being put together from its parts.
pub struct Download {
    pub round: u32,
    pub bytes: Vec<u8>,
    /// Of the whole model, once it is whole.
    pub sha256: Option<Vec<u8>>,
    offset: usize,
    /// Bytes held when the server was last told.
    told: usize,
}

impl Download {
    pub fn new(part: &pb::ModelPart) -> Self {
        let bytes = vec![0; part.total_bytes as usize];
        Self { round: part.model_round, bytes, sha256: None, offset: 0, told: 0 }
    }

    /// Whether the server is to be told: every `step` bytes, at the end, and at a gap.
    pub fn take(&mut self, part: &pb::ModelPart, step: usize) -> bool {
        let begin = part.offset as usize;
        let end = begin.saturating_add(part.bytes.len());
        if self.sha256.is_some() || end > self.bytes.len() {
            return false;
        }
        if begin > self.offset {
            return true; // repeating the offset asks for what is missing
        }
        if end > self.offset {
            self.bytes[begin..end].copy_from_slice(&part.bytes);
            self.offset = end;
        }
        if self.offset == self.bytes.len() {
            self.sha256 = Some(Sha256::digest(&self.bytes).to_vec());
            return true;
        }
        self.offset - self.told >= step
    }

    pub fn held(&mut self) -> pb::ModelHeld {
        self.told = self.offset;
        pb::ModelHeld {
            model_round: self.round,
            offset: self.offset as u64,
            sha256: self.sha256.clone().unwrap_or_default(),
        }
    }
}

/// An update on its way. It outlives the connection it began on.
pub struct Upload {
    pub task: pb::Task,
    /// Counts how often the server sent us back: Receipts of an earlier turn no longer move it.
    pub turn: u32,
    id: [u8; 16],
    bytes: Vec<u8>,
    samples: u32,
    metrics: crate::trainer::Metrics,
    /// Bytes the server is known to hold.
    held: usize,
    /// Bytes that are held or on their way.
    sent: usize,
    /// Parts without a Receipt.
    flying: u32,
}

impl Upload {
    pub fn new(
        task: pb::Task,
        bytes: Vec<u8>,
        samples: u32,
        metrics: crate::trainer::Metrics,
    ) -> Self {
        let id = rand::random();
        Self { task, id, bytes, samples, metrics, turn: 0, held: 0, sent: 0, flying: 0 }
    }

    /// Goes on from `offset`.
    pub fn back_to(&mut self, offset: usize) {
        (self.held, self.sent, self.flying) = (offset, offset, 0);
        self.turn += 1;
    }

    /// Goes on from what is held, on another connection.
    pub fn again(&mut self) {
        self.back_to(self.held);
    }

    /// The next part, if one may go: at most a window is unjudged, and always one part.
    pub fn part(&mut self, most: usize, window: usize) -> Option<pb::UpdatePart> {
        let fits = self.flying == 0 || self.sent - self.held + most <= window;
        if self.sent == self.bytes.len() || !fits {
            return None;
        }
        let begin = self.sent;
        self.sent = self.bytes.len().min(begin + most);
        self.flying += 1;
        let last = self.sent == self.bytes.len();
        Some(pb::UpdatePart {
            task_id: self.task.task_id,
            model_round: self.task.model_round,
            upload_id: self.id.to_vec(),
            samples: self.samples,
            metrics: if last { self.metrics.clone() } else { Default::default() },
            total_bytes: self.bytes.len() as u64,
            offset: begin as u64,
            bytes: self.bytes[begin..self.sent].to_vec(),
            ..Default::default()
        })
    }

    /// A part is kept, and more is expected.
    pub fn keep(&mut self, next_offset: usize) {
        self.flying -= 1;
        self.held = self.held.max(next_offset);
        if self.flying == 0 && self.sent == self.bytes.len() {
            self.back_to(next_offset); // the server forgot the end
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 10;
    const WINDOW: usize = 25;

    fn upload(bytes: &[u8]) -> Upload {
        let metrics = [("loss".to_owned(), 1.0)].into();
        Upload::new(pb::Task::default(), bytes.to_vec(), 1, metrics)
    }

    fn parts(upload: &mut Upload) -> Vec<pb::UpdatePart> {
        std::iter::from_fn(|| upload.part(MOST, WINDOW)).collect()
    }

    #[test]
    fn an_upload_keeps_to_the_window() {
        let mut upload = upload(&[0; 100]);
        assert_eq!(parts(&mut upload).len(), WINDOW / MOST);
        upload.keep(MOST);
        let more = parts(&mut upload);
        assert_eq!(more.iter().map(|part| part.offset).collect::<Vec<_>>(), [20]);
    }

    #[test]
    fn a_part_larger_than_the_window_goes_alone() {
        let mut upload = upload(&[0; 100]);
        assert!(upload.part(2 * WINDOW, WINDOW).is_some());
        assert!(upload.part(2 * WINDOW, WINDOW).is_none());
    }

    #[test]
    fn an_upload_goes_on_from_where_it_is_sent_back_to() {
        let mut upload = upload(b"weights of some length");
        parts(&mut upload);
        let turn = upload.turn;
        upload.back_to(7);
        assert_ne!(upload.turn, turn);
        let again = parts(&mut upload);
        let bytes: Vec<u8> = again.iter().flat_map(|part| part.bytes.clone()).collect();
        assert_eq!(bytes, b" of some length");
        assert!(again[0].metrics.is_empty(), "metrics go with the last part");
        assert_eq!(again[1].metrics["loss"], 1.0);
    }

    #[test]
    fn a_download_asks_again_at_a_gap_and_is_whole_once() {
        let all = b"0123456789abcdefghij";
        let part = |begin: usize, end: usize| pb::ModelPart {
            model_round: 3,
            total_bytes: all.len() as u64,
            offset: begin as u64,
            bytes: all[begin..end].to_vec(),
        };
        let mut download = Download::new(&part(0, 5));
        let mut take = |begin, end| {
            let told = download.take(&part(begin, end), 8);
            told.then(|| download.held().offset)
        };
        assert_eq!(take(0, 5), None);
        assert_eq!(take(10, 15), Some(5), "a gap");
        assert_eq!(take(0, 5), None, "again");
        assert_eq!(take(5, 15), Some(15), "more than the step of 8");
        assert_eq!(take(10, 20), Some(20));
        assert_eq!(take(10, 20), None);
        assert_eq!(download.sha256, Some(Sha256::digest(all).to_vec()));
    }
}
