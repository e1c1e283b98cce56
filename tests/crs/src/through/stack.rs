//! The firewall's service, an Envoy before it and a server behind it, on the loopback.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use octroi_waf::extproc::{Shared, serve};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::envoy::{Entry, Envoy, FIREWALL};
use super::server::{self, Arrived};
use crate::error::{Error, Result};

/// All three, running.
pub struct Stack {
    envoy: Envoy,
    service: JoinHandle<std::result::Result<(), tonic::transport::Error>>,
    shutdown: CancellationToken,
    upstream: JoinHandle<io::Result<()>>,
    arrived: Arrived,
    /// Where each tenant is reached, in their order.
    pub ports: Vec<SocketAddr>,
}

impl Stack {
    /// Starts them.
    ///
    /// # Errors
    /// When one does not start.
    pub async fn start(shared: Arc<Shared>, envoy: &Path, entries: &[Entry]) -> Result<Self> {
        let (firewall, behind) = (bound().await?, bound().await?);
        let (asked, served) = (at(&firewall)?, at(&behind)?);
        let shutdown = CancellationToken::new();
        let service = tokio::spawn(serve(firewall, shared, shutdown.clone()));
        let arrived = Arrived::default();
        let upstream = tokio::spawn(server::serve(behind, arrived.clone()));
        let (envoy, ports) =
            Envoy::start(envoy, &[(FIREWALL, asked)], served, entries).await.map_err(failed("envoy"))?;
        Ok(Self { envoy, service, shutdown, upstream, arrived, ports })
    }

    /// Ends them, and says what arrived.
    ///
    /// # Errors
    /// When the service broke.
    pub async fn end(self) -> Result<Arrived> {
        drop(self.envoy);
        self.shutdown.cancel();
        let served = self.service.await.map_err(|error| failed("the firewall")(error.into()))?;
        served.map_err(|error| failed("the firewall")(io::Error::other(error)))?;
        self.upstream.abort();
        Ok(self.arrived)
    }

    /// What has arrived so far.
    pub fn arrived(&self) -> &Arrived {
        &self.arrived
    }
}

async fn bound() -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed("a listener"))
}

fn at(listener: &TcpListener) -> Result<SocketAddr> {
    listener.local_addr().map_err(failed("a listener"))
}

/// Makes an error of what failed.
pub fn failed(what: &str) -> impl FnOnce(io::Error) -> Error {
    let what = what.to_owned();
    move |source| Error::Io { what, source }
}
