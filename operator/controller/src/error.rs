//! Errors: why the operator ends, and why one reconcile is tried again.

use std::net::SocketAddr;

use thiserror::Error;

/// Why the operator ends.
#[derive(Debug, Error)]
pub enum RunError {
    /// The address is in use or may not be bound.
    #[error("cannot listen on {address}: {source}; choose another address with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The lease could not be read or written at the start.
    #[error(
        "cannot take the lease {namespace}/{name}: {source}; is the API server up, and may this ServiceAccount write leases there?"
    )]
    Lease {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// Another replica leads now: this process must not write any more.
    #[error("lost the lease: another replica may lead now, so this process ends")]
    LeaseLost,
}

/// Why one reconcile is tried again.
#[derive(Debug, Error)]
pub enum ReconcileError {
    /// Some writes failed; the status says which.
    #[error("{count} writes failed, first: {first}")]
    Writes {
        /// How many.
        count: usize,
        /// The first of them.
        first: String,
    },
    /// After so many rounds there was still something to write.
    #[error("there is still something to write; it goes on")]
    Unsettled,
    /// Another replica may lead by now.
    #[error("the lease was not renewed in time: nothing is written")]
    Stale,
    /// Status or finalizer could not be written.
    #[error("cannot write {what}: {source}")]
    Own {
        /// What.
        what: &'static str,
        /// Why.
        source: Box<kube::Error>,
    },
}
