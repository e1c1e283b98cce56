//! The routes that tenants write: what is kept of each, and what is to be said of it. Octroi writes none of them; it tells
//! whose mistake keeps one from being served, and what to do.

pub mod judge;
pub mod news;
pub mod observed;
mod verdict;

use std::collections::BTreeMap;
use std::fmt;

use crate::kind::ApiPath;
use observed::Route;

/// A kind of route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum RouteKind {
    Http,
    Grpc,
    Tls,
    Tcp,
    Udp,
}

impl RouteKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Http, Self::Grpc, Self::Tls, Self::Tcp, Self::Udp];

    /// Where it lives in the API.
    pub const fn api(self) -> ApiPath {
        let (kind, plural) = match self {
            Self::Http => ("HTTPRoute", "httproutes"),
            Self::Grpc => ("GRPCRoute", "grpcroutes"),
            Self::Tls => ("TLSRoute", "tlsroutes"),
            Self::Tcp => ("TCPRoute", "tcproutes"),
            Self::Udp => ("UDPRoute", "udproutes"),
        };
        ApiPath { group: crate::compile::GATEWAY_API, version: "v1", kind, plural }
    }

    /// Its CustomResourceDefinition.
    pub fn crd_name(self) -> String {
        let api = self.api();
        format!("{}.{}", api.plural, api.group)
    }

    /// Whether its routes name hosts.
    pub const fn has_hostnames(self) -> bool {
        matches!(self, Self::Http | Self::Grpc | Self::Tls)
    }
}

/// Namespace, kind and name; in this order, so that a list of routes goes by namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteKey {
    /// Namespace.
    pub namespace: String,
    /// Kind.
    pub kind: RouteKind,
    /// Name.
    pub name: String,
}

impl fmt::Display for RouteKey {
    /// As in `status.routes.failing[].name`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind.api().kind, self.namespace, self.name)
    }
}

/// What an observation of a route changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteChange {
    /// Nothing that counts, such as the heartbeat of a status.
    Echo,
    /// Only that its new generation waits for the data plane, which as a rule takes less than a second.
    Waits,
    /// Something that is to be told.
    News,
}

/// Every route that was observed, reduced.
#[derive(Clone, Debug, Default)]
pub struct Routes(BTreeMap<String, BTreeMap<(RouteKind, String), Route>>);

impl Routes {
    /// Takes note of a route.
    pub fn observe(&mut self, key: RouteKey, route: Route) -> RouteChange {
        let (inside, inner) = (self.0.entry(key.namespace).or_default(), (key.kind, key.name));
        let change = match inside.get(&inner) {
            Some(before) if *before == route => return RouteChange::Echo,
            before if route.waits_only(before) => RouteChange::Waits,
            _ => RouteChange::News,
        };
        inside.insert(inner, route);
        change
    }

    /// Takes note that a route is gone.
    pub fn forget(&mut self, key: &RouteKey) -> RouteChange {
        let Some(inside) = self.0.get_mut(&key.namespace) else { return RouteChange::Echo };
        let gone = inside.remove(&(key.kind, key.name.clone()));
        if inside.is_empty() {
            self.0.remove(&key.namespace);
        }
        if gone.is_some() { RouteChange::News } else { RouteChange::Echo }
    }

    /// Every key of a kind: what a fresh list must be compared with.
    pub fn keys_of(&self, kind: RouteKind) -> Vec<RouteKey> {
        let key =
            |namespace: &String, name: &String| RouteKey { namespace: namespace.clone(), kind, name: name.clone() };
        let inside = self.0.iter().flat_map(|(namespace, inside)| inside.keys().map(move |inner| (namespace, inner)));
        inside.filter(|(_, (k, _))| *k == kind).map(|(namespace, (_, name))| key(namespace, name)).collect()
    }

    /// The routes of a namespace.
    pub fn within(&self, namespace: &str) -> impl Iterator<Item = (RouteKey, &Route)> {
        let inside = self.0.get_key_value(namespace);
        inside.into_iter().flat_map(|(namespace, inside)| {
            inside.iter().map(|((kind, name), route)| {
                (RouteKey { namespace: namespace.clone(), kind: *kind, name: name.clone() }, route)
            })
        })
    }
}
