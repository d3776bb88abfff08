//! Makes the Rust of proto/federation.proto, without protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = "../../proto";
    println!("cargo::rerun-if-changed={folder}/federation.proto");
    let files = protox::compile(["federation.proto"], [folder])?;
    tonic_prost_build::configure().build_server(false).compile_fds(files)?;
    Ok(())
}
