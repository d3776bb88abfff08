//! Learns on a client's own samples, which never leave it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::seq::SliceRandom;

use crate::data::Samples;
use crate::network::{Descent, Network};
use crate::weights::Weights;

pub type Metrics = HashMap<String, f64>;

pub struct Trainer {
    samples: Samples,
}

/// A model, and the names of its layers.
pub struct Given {
    pub model: Vec<u8>,
    pub layers: Vec<String>,
}

impl Trainer {
    pub fn open(data: &str, share: &str) -> Result<Self, String> {
        Ok(Self { samples: Samples::load(data)?.share(share)? })
    }

    /// What Hello declares.
    pub fn samples(&self) -> usize {
        self.samples.labels.len()
    }

    fn build(&self, given: Given) -> Result<(Network, Weights), String> {
        let weights = Weights::open(given.model)?;
        let network = Network::build(&weights, &given.layers, self.samples.width)?;
        let classes = network.classes();
        match self.samples.labels.iter().find(|label| **label >= classes) {
            Some(label) => Err(format!("there is a label {label}, but the model knows {classes}")),
            None => Ok((network, weights)),
        }
    }

    /// Mini-batch gradient descent from the model: new weights, and the newest epoch's loss.
    pub fn train(
        &self,
        given: Given,
        settings: &Metrics,
        stopped: &AtomicBool,
    ) -> Result<(Vec<u8>, Metrics), String> {
        let setting = |name: &str, otherwise: f64| settings.get(name).copied().unwrap_or(otherwise);
        let size = setting("batch_size", 64.0).max(1.0) as usize;
        let descent = Descent {
            rate: setting("learning_rate", 0.05) as f32,
            momentum: setting("momentum", 0.9) as f32,
            mu: setting("mu", 0.0) as f32,
        };
        let (mut network, mut weights) = self.build(given)?;
        let mut order: Vec<usize> = (0..self.samples()).collect();
        let mut loss = 0.0;
        for _ in 0..setting("epochs", 2.0) as usize {
            loss = 0.0;
            order.shuffle(&mut rand::rng());
            for batch in order.chunks(size) {
                if stopped.load(Ordering::Relaxed) {
                    return Err("stopped".into());
                }
                for row in batch {
                    loss += network.learn(self.samples.row(*row), self.samples.labels[*row]);
                }
                network.step(batch.len(), &descent);
            }
            loss /= order.len() as f64;
        }
        if !loss.is_finite() {
            return Err(format!("training diverged: the loss is {loss}; lower learning_rate"));
        }
        network.save(&mut weights);
        Ok((weights.file, HashMap::from([("loss".into(), loss)])))
    }

    /// The model's loss (nats) and accuracy on all samples.
    pub fn evaluate(&self, given: Given, stopped: &AtomicBool) -> Result<Metrics, String> {
        let (mut network, _) = self.build(given)?;
        let (mut loss, mut right) = (0.0, 0);
        for (row, label) in self.samples.labels.iter().enumerate() {
            if stopped.load(Ordering::Relaxed) {
                return Err("stopped".into());
            }
            let scores = network.score(self.samples.row(row));
            loss -= f64::from(scores[*label]);
            right += usize::from(scores.iter().all(|score| *score <= scores[*label]));
        }
        let count = self.samples() as f64;
        Ok(HashMap::from([
            ("loss".into(), loss / count),
            ("accuracy".into(), right as f64 / count),
        ]))
    }
}
