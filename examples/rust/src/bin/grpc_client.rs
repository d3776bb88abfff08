//! A client over gRPC, on tonic.
//!
//!     grpc_client grpc://127.0.0.1:50051/default --data IMAGES,LABELS

use std::process::ExitCode;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Request;
use tonic::metadata::MetadataValue;
use tonic::transport::Endpoint;
use tributary_example::command::{self, Address, Scheme};
use tributary_example::pb;
use tributary_example::pb::federation_client::FederationClient;
use tributary_example::session::Wire;

const TIMEOUT: Duration = Duration::from_secs(15);
/// The server's parts have 4 MiB at most.
const LARGEST_MESSAGE: usize = 8 * 1024 * 1024;

async fn connect(
    Address { host, port, federation }: &Address,
    _client_id: &str,
    _will: pb::ClientMessage,
) -> Result<Wire, String> {
    let channel = Endpoint::from_shared(format!("http://{host}:{port}"))
        .map_err(|error| error.to_string())?
        .connect_timeout(TIMEOUT)
        .http2_keep_alive_interval(Duration::from_secs(10)) // a server that vanished is noticed
        .keep_alive_timeout(Duration::from_secs(20))
        .connect()
        .await
        .map_err(|error| format!("gRPC: {error}"))?;
    let (up, outgoing) = mpsc::unbounded_channel();
    let mut request = Request::new(UnboundedReceiverStream::new(outgoing));
    let named = MetadataValue::try_from(federation).map_err(|error| error.to_string())?;
    request.metadata_mut().insert("tributary-federation", named);
    let mut client = FederationClient::new(channel).max_decoding_message_size(LARGEST_MESSAGE);
    // Waits until the server has let us in, or not.
    let response = timeout(TIMEOUT, client.session(request)).await;
    let response = response.map_err(|_| "gRPC: no answer")?;
    let mut incoming = response.map_err(|status| format!("gRPC: {status}"))?.into_inner();
    let (heard, down) = mpsc::channel(64);
    let over = tokio::spawn(async move {
        // The status at the end says nothing that the session needs to know.
        while let Ok(Some(message)) = incoming.message().await {
            if heard.send(message).await.is_err() {
                break;
            }
        }
    });
    Ok(Wire { up, down, over })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    command::main(Scheme { name: "grpc", port: 50051 }, connect).await
}
