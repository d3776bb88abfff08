//! The command line that both clients share.

use std::collections::HashMap;
use std::fs;
use std::net::IpAddr;
use std::process::{self, ExitCode};

use sha2::{Digest, Sha256};
use url::Url;

use crate::pb;
use crate::session::{Session, Wire};
use crate::trainer::Trainer;

const USAGE: &str = "usage: --data DATA [--share K/N] [--id ID] [--token TOKEN] [--out FILE] URL";

/// Where the server is.
pub struct Address {
    pub host: String,
    pub port: u16,
    /// Percent-encoded, as in topics and metadata.
    pub federation: String,
}

/// What a wire's addresses look like.
pub struct Scheme {
    pub name: &'static str,
    pub port: u16,
}

/// Takes part in a run, as the command line says; `connect` reaches the server.
pub async fn main<Connect>(scheme: Scheme, connect: Connect) -> ExitCode
where
    Connect: AsyncFn(&Address, &str, pb::ClientMessage) -> Result<Wire, String>,
{
    match take_part(scheme, connect).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

async fn take_part<Connect>(scheme: Scheme, connect: Connect) -> Result<(), String>
where
    Connect: AsyncFn(&Address, &str, pb::ClientMessage) -> Result<Wire, String>,
{
    let (url, flags) = arguments(std::env::args().skip(1))?;
    let url = Url::parse(&url).map_err(|error| format!("{url}: {error}"))?;
    let host = url.host_str().filter(|_| url.scheme() == scheme.name);
    let address = Address {
        host: host
            .ok_or_else(|| {
                format!("{url} is no {0} address; the server prints {0}://...", scheme.name)
            })?
            .to_owned(),
        port: url.port().unwrap_or(scheme.port),
        federation: url.path().trim_start_matches('/').to_owned(),
    };
    let flag = |name: &str| flags.get(name).map(String::as_str);
    let token = flag("--token").unwrap_or_default().to_owned();
    if !token.is_empty() && !is_loopback(&address.host) {
        return Err(
            "--token: without TLS anybody could read it on the way; it goes to this machine only"
                .to_owned(),
        );
    }
    let trainer = Trainer::open(flag("--data").ok_or(USAGE)?, flag("--share").unwrap_or("1/1"))?;
    let id = flag("--id").map_or_else(|| format!("rust-{}", process::id()), str::to_owned);
    println!("{id} trains on {} samples", trainer.samples());
    let mut session = Session::new(id, token, trainer);
    let model = session.run(async |id: &str, will| connect(&address, id, will).await).await?;
    if let Some(out) = flag("--out") {
        fs::write(out, &model).map_err(|error| format!("cannot write {out}: {error}"))?;
    }
    let hex: String = Sha256::digest(&model).iter().map(|byte| format!("{byte:02x}")).collect();
    println!("sha256 {hex}");
    Ok(())
}

/// Whether nobody else can listen on the way to a URL's host.
fn is_loopback(host: &str) -> bool {
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

fn arguments(
    mut args: impl Iterator<Item = String>,
) -> Result<(String, HashMap<String, String>), String> {
    let (mut url, mut flags) = (None, HashMap::new());
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--data" | "--share" | "--id" | "--token" | "--out" => {
                flags.insert(arg, args.next().ok_or(USAGE)?);
            }
            _ if url.is_none() && !arg.starts_with('-') => url = Some(arg),
            _ => return Err(USAGE.into()),
        }
    }
    Ok((url.ok_or(USAGE)?, flags))
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn a_token_stays_on_this_machine() {
        for host in ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["192.0.2.1", "[2001:db8::1]", "fl.example.org", "localhost.example.org"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
