//! A safetensors file whose tensors are read and overwritten in place, so that names, dtypes, order,
//! and tensors nobody asks for stay as the server sent them.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::{Map, Value};

pub struct Weights {
    pub file: Vec<u8>,
    tensors: HashMap<String, Tensor>,
}

struct Tensor {
    dtype: String,
    shape: Vec<usize>,
    /// Where its bytes are in the file; they need not be aligned.
    place: Range<usize>,
}

impl Weights {
    pub fn open(file: Vec<u8>) -> Result<Self, String> {
        let length = file.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        let data = length
            .and_then(|length| usize::try_from(length).ok()?.checked_add(8))
            .filter(|data| *data <= file.len())
            .ok_or("the model is no safetensors file")?;
        let header: Map<String, Value> = serde_json::from_slice(&file[8..data])
            .map_err(|error| format!("the model's header: {error}"))?;
        let mut tensors = HashMap::new();
        for (name, about) in header {
            if name == "__metadata__" {
                continue;
            }
            let tensor = Tensor::read(&about, data)
                .filter(|tensor| {
                    tensor.place.start <= tensor.place.end && tensor.place.end <= file.len()
                })
                .ok_or_else(|| format!("the model's tensor {name} is none"))?;
            tensors.insert(name, tensor);
        }
        Ok(Self { file, tensors })
    }

    /// Copies an F32 tensor, row by row, and its shape.
    pub fn floats(&self, name: &str) -> Result<(Vec<f32>, &[usize]), String> {
        let tensor = self.tensors.get(name).filter(|tensor| tensor.dtype == "F32");
        let tensor = tensor.ok_or_else(|| format!("the model has no F32 tensor {name}"))?;
        let (values, _) = self.file[tensor.place.clone()].as_chunks();
        Ok((values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(), &tensor.shape))
    }

    /// Writes the values back to where `floats` found them.
    pub fn put(&mut self, name: &str, values: &[f32]) {
        let (places, _) = self.file[self.tensors[name].place.clone()].as_chunks_mut();
        for (place, value) in places.iter_mut().zip(values) {
            *place = value.to_le_bytes();
        }
    }
}

impl Tensor {
    fn read(about: &Value, data: usize) -> Option<Self> {
        let number = |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok());
        let offset = |at: usize| number(&about["data_offsets"][at])?.checked_add(data);
        Some(Self {
            dtype: about["dtype"].as_str()?.to_owned(),
            shape: about["shape"].as_array()?.iter().map(number).collect::<Option<_>>()?,
            place: offset(0)?..offset(1)?,
        })
    }
}
