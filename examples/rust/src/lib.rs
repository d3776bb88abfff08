//! A client of Tributary: proto/federation.proto's session, and a small classifier to train.

/// The messages of proto/federation.proto.
pub mod pb {
    tonic::include_proto!("tributary.v1");
}

pub mod command;
mod data;
mod network;
pub mod session;
mod trainer;
mod transfer;
mod weights;
