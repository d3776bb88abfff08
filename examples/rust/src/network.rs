//! Dense layers with ReLU between them and softmax at the end: softmax regression where there is one.

use serde_json::Value;

use crate::weights::Weights;

/// The media type of the topologies that are understood: Keras layers JSON.
const LAYERS_TYPE: &str = "application/vnd.tensorflow.layers+json";

/// Reads the names of the layers off a topology.
pub fn layer_names(topology: &[u8], media_type: &str) -> Result<Vec<String>, String> {
    if media_type != LAYERS_TYPE {
        return Err(format!("the federation's topology is {media_type:?}, not {LAYERS_TYPE}"));
    }
    let model: Value = serde_json::from_slice(topology)
        .map_err(|error| format!("the federation's topology: {error}"))?;
    let layers = model["config"]["layers"].as_array().map_or(&[][..], Vec::as_slice);
    let mut names = vec![];
    for (index, layer) in layers.iter().enumerate() {
        let activation = if index + 1 == layers.len() { "softmax" } else { "relu" };
        let config = &layer["config"];
        let name = config["name"]
            .as_str()
            .filter(|_| layer["class_name"] == "Dense" && config["activation"] == activation);
        names.push(
            name.ok_or("only Dense layers with relu, then softmax, are known here")?.to_owned(),
        );
    }
    if names.is_empty() { Err("the federation's topology has no layers".into()) } else { Ok(names) }
}

pub struct Network {
    layers: Vec<Layer>,
}

struct Layer {
    name: String,
    kernel: Slope, // a row for each input
    bias: Slope,
    /// What one sample makes of it, and the loss's slope by that.
    output: Vec<f32>,
    errors: Vec<f32>,
}

/// Values, and what gradient descent keeps of each.
struct Slope {
    values: Vec<f32>,
    start: Vec<f32>,
    gradient: Vec<f32>, // the sum over a batch
    velocity: Vec<f32>,
}

/// How a batch's gradient becomes a step: momentum, and FedProx's pull to the start (mu).
pub struct Descent {
    pub rate: f32,
    pub momentum: f32,
    pub mu: f32,
}

impl Slope {
    fn new(values: Vec<f32>) -> Self {
        let zeros = vec![0.0; values.len()];
        Self { start: values.clone(), gradient: zeros.clone(), velocity: zeros, values }
    }

    fn step(&mut self, batch: usize, Descent { rate, momentum, mu }: &Descent) {
        for (at, value) in self.values.iter_mut().enumerate() {
            let velocity = &mut self.velocity[at];
            *velocity = momentum * *velocity
                + self.gradient[at] / batch as f32
                + mu * (*value - self.start[at]);
            *value -= rate * *velocity;
            self.gradient[at] = 0.0;
        }
    }
}

impl Network {
    pub fn build(weights: &Weights, names: &[String], mut width: usize) -> Result<Self, String> {
        let mut layers = vec![];
        for name in names {
            let (kernel, shape) = weights.floats(&format!("{name}/kernel"))?;
            let (bias, _) = weights.floats(&format!("{name}/bias"))?;
            if *shape != [width, bias.len()] || kernel.len() != width * bias.len() {
                return Err(format!(
                    "layer {name} of shape {shape:?} does not take {width} inputs"
                ));
            }
            width = bias.len();
            layers.push(Layer {
                name: name.clone(),
                kernel: Slope::new(kernel),
                bias: Slope::new(bias),
                output: vec![0.0; width],
                errors: vec![0.0; width],
            });
        }
        Ok(Self { layers })
    }

    pub fn classes(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.output.len())
    }

    pub fn save(&self, weights: &mut Weights) {
        for Layer { name, kernel, bias, .. } in &self.layers {
            weights.put(&format!("{name}/kernel"), &kernel.values);
            weights.put(&format!("{name}/bias"), &bias.values);
        }
    }

    /// The log-probability of each class.
    pub fn score(&mut self, x: &[f32]) -> &[f32] {
        for at in 0..self.layers.len() {
            let (before, rest) = self.layers.split_at_mut(at);
            let input = before.last().map_or(x, |layer| &layer.output);
            rest[0].forward(input);
            if rest.len() > 1 {
                rest[0].output.iter_mut().for_each(|value| *value = value.max(0.0));
            }
        }
        let Some(Layer { output, .. }) = self.layers.last_mut() else { return &[] };
        let highest = output.iter().copied().fold(f32::MIN, f32::max);
        let sum: f64 = output.iter().map(|logit| f64::from(logit - highest).exp()).sum();
        output.iter_mut().for_each(|logit| *logit -= highest + sum.ln() as f32);
        output
    }

    /// Adds one sample's gradient of the cross-entropy, and gives its loss in nats.
    pub fn learn(&mut self, x: &[f32], label: usize) -> f64 {
        let scores = self.score(x);
        let loss = -f64::from(scores[label]);
        let mut errors: Vec<f32> = scores.iter().map(|score| score.exp()).collect();
        errors[label] -= 1.0;
        for at in (0..self.layers.len()).rev() {
            let (before, rest) = self.layers.split_at_mut(at);
            let layer = &mut rest[0];
            layer.errors = errors;
            errors = layer.backward(before.last().map_or(x, |layer| &layer.output), at > 0);
        }
        loss
    }

    pub fn step(&mut self, batch: usize, descent: &Descent) {
        for layer in &mut self.layers {
            layer.kernel.step(batch, descent);
            layer.bias.step(batch, descent);
        }
    }
}

impl Layer {
    fn forward(&mut self, input: &[f32]) {
        let width = self.output.len();
        self.output.copy_from_slice(&self.bias.values);
        for (value, row) in input.iter().zip(self.kernel.values.chunks_exact(width)) {
            if *value == 0.0 {
                continue; // most pixels are
            }
            for (output, weight) in self.output.iter_mut().zip(row) {
                *output += value * weight;
            }
        }
    }

    /// Adds to its gradient; the loss's slope by the input, through the ReLU that made it.
    fn backward(&mut self, input: &[f32], wanted: bool) -> Vec<f32> {
        let width = self.output.len();
        for (gradient, error) in self.bias.gradient.iter_mut().zip(&self.errors) {
            *gradient += error;
        }
        let mut slopes = vec![0.0; if wanted { input.len() } else { 0 }];
        for (at, value) in input.iter().enumerate().filter(|(_, value)| **value != 0.0) {
            let row = at * width..(at + 1) * width;
            let gradients = &mut self.kernel.gradient[row.clone()];
            for (gradient, error) in gradients.iter_mut().zip(&self.errors) {
                *gradient += value * error;
            }
            if wanted {
                let weights = self.kernel.values[row].iter();
                slopes[at] = weights.zip(&self.errors).map(|(weight, error)| weight * error).sum();
            }
        }
        slopes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Network {
        let layer = |name: &str, inputs: usize, outputs: usize| {
            let values =
                |count: usize, seed: f32| (0..count).map(move |k| (7.0 * k as f32 + seed).sin());
            Layer {
                name: name.into(),
                kernel: Slope::new(values(inputs * outputs, 1.0).collect()),
                bias: Slope::new(values(outputs, 2.0).collect()),
                output: vec![0.0; outputs],
                errors: vec![0.0; outputs],
            }
        };
        Network { layers: vec![layer("a", 3, 4), layer("b", 4, 2)] }
    }

    #[test]
    fn learn_gives_the_slope_of_the_loss() {
        const SMALL: f32 = 1e-2;
        let (x, label) = ([0.5, -1.0, 2.0], 1);
        let mut network = network();
        network.learn(&x, label);
        for at in 0..2 {
            for k in 0..network.layers[at].kernel.values.len() {
                let mut loss = |moved: f32| {
                    network.layers[at].kernel.values[k] += moved;
                    let loss = -network.score(&x)[label];
                    network.layers[at].kernel.values[k] -= moved;
                    loss
                };
                let slope = (loss(SMALL) - loss(-SMALL)) / (2.0 * SMALL);
                let got = network.layers[at].kernel.gradient[k];
                assert!((got - slope).abs() < 1e-3, "layer {at}, weight {k}: {got}, not {slope}");
            }
        }
    }
}
