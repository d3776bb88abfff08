//! Samples of IMAGES.idx,LABELS.idx or of FILE.csv (the label is in the column of that name, else in
//! the last), gzip or not.

use std::fs;
use std::io::Read;

use flate2::read::GzDecoder;

/// Rows of features, side by side, and a label each.
pub struct Samples {
    pub labels: Vec<usize>,
    pub width: usize,
    features: Vec<f32>,
}

impl Samples {
    pub fn row(&self, index: usize) -> &[f32] {
        &self.features[index * self.width..(index + 1) * self.width]
    }

    pub fn load(data: &str) -> Result<Self, String> {
        let samples = match data.split_once(',') {
            Some((images, labels)) => Self::of_idx(images, labels)?,
            None => Self::of_csv(&String::from_utf8_lossy(&read(data)?))
                .map_err(|error| format!("{data}: {error}"))?,
        };
        let rows = samples.labels.len();
        if rows == 0 || samples.features.len() != rows * samples.width {
            return Err(format!("{data} has {rows} labels, which its features do not fit"));
        }
        Ok(samples)
    }

    fn of_idx(images: &str, labels: &str) -> Result<Self, String> {
        let (pixels, shape) = idx(images)?;
        let (labels, _) = idx(labels)?;
        Ok(Self {
            labels: labels.into_iter().map(usize::from).collect(),
            width: shape[1..].iter().product(),
            features: pixels.into_iter().map(|pixel| f32::from(pixel) / 255.0).collect(),
        })
    }

    fn of_csv(text: &str) -> Result<Self, String> {
        let numbers = |line: &str| -> Result<Vec<f32>, String> {
            let cells = line.split(',').map(|cell| cell.trim().parse::<f32>());
            cells.collect::<Result<_, _>>().map_err(|error| format!("{line}: {error}"))
        };
        let first = text.lines().next().ok_or("it is empty")?;
        let width = first.split(',').count() - 1;
        let has_header = numbers(first).is_err();
        let named = first.split(',').position(|name| has_header && name.trim() == "label");
        let mut samples = Self { labels: vec![], width, features: vec![] };
        for line in text.lines().skip(has_header.into()) {
            let mut row = numbers(line)?;
            if row.len() != width + 1 {
                return Err(format!("{} columns instead of {}: {line}", row.len(), width + 1));
            }
            samples.labels.push(row.remove(named.unwrap_or(width)) as usize);
            samples.features.append(&mut row);
        }
        Ok(samples)
    }

    /// The K-th of N shares, as `K/N`: every N-th sample, from the K-th.
    pub fn share(&self, share: &str) -> Result<Self, String> {
        let parsed =
            share.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
        let (k, n): (usize, usize) = parsed
            .filter(|(k, n)| *k >= 1 && k <= n && *k <= self.labels.len())
            .ok_or_else(|| format!("a share is K/N with K of 1 to N, not {share}"))?;
        let rows: Vec<usize> = (k - 1..self.labels.len()).step_by(n).collect();
        Ok(Self {
            labels: rows.iter().map(|row| self.labels[*row]).collect(),
            width: self.width,
            features: rows.iter().flat_map(|row| self.row(*row)).copied().collect(),
        })
    }
}

/// A file of unsigned bytes as MNIST is published in: the bytes, and their shape.
fn idx(path: &str) -> Result<(Vec<u8>, Vec<usize>), String> {
    let bytes = read(path)?;
    let wrong = || format!("{path} is no IDX file of unsigned bytes");
    let rest = bytes.strip_prefix(&[0, 0, 8]).ok_or_else(wrong)?;
    let (rank, rest) = rest.split_first().filter(|(rank, _)| **rank > 0).ok_or_else(wrong)?;
    let (sizes, values) = rest.split_at_checked(4 * usize::from(*rank)).ok_or_else(wrong)?;
    let shape: Vec<usize> =
        sizes.as_chunks().0.iter().map(|size| u32::from_be_bytes(*size) as usize).collect();
    if shape.iter().product::<usize>() != values.len() {
        return Err(format!("{path} has {} bytes of values, not {shape:?}", values.len()));
    }
    Ok((values.to_vec(), shape))
}

fn read(path: &str) -> Result<Vec<u8>, String> {
    let wrong = |error| format!("cannot read {path}: {error}");
    let bytes = fs::read(path).map_err(wrong)?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut unpacked = vec![];
    GzDecoder::new(&bytes[..]).read_to_end(&mut unpacked).map_err(wrong)?;
    Ok(unpacked)
}
