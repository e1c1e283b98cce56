//! The request, as bytes: what a proxy received, before anything decoded it.

use std::net::IpAddr;

/// One whole request. Nothing in it needs to be UTF-8: an attack often is not.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The client, as the platform knows it; never out of a header that the client can write.
    pub client: IpAddr,
    /// `GET`.
    pub method: &'a [u8],
    /// Path and query, percent signs and all.
    pub target: &'a [u8],
    /// `HTTP/1.1` or `HTTP/2`.
    pub protocol: &'a [u8],
    /// Names in any case. HTTP/2's `:authority` belongs here as `host`; the other pseudo-headers do not.
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// All of it.
    pub body: &'a [u8],
}
