//! Whose request it is, by what the data plane's control plane wrote into its configuration. Headers, the host and the server name
//! are the client's, and are never looked at here.

use std::collections::HashMap;
use std::sync::Arc;

use envoy_types::pb::google::protobuf::{Struct, value::Kind};

use crate::profiles::{Profiles, Tenant};

/// The key that Envoy puts its attributes under, fixed in its filter.
const FILTER: &str = "envoy.filters.http.ext_proc";
/// kgateway: `<namespace>/<listenerset>/<listener>`, and the ListenerSet is named after the tenant, in `gw-<tenant>`.
const FILTER_CHAIN: &str = "xds.filter_chain_name";
/// Envoy Gateway: `httproute/<namespace>/<name>/…`.
const ROUTE: &str = "xds.route_name";
/// What the protocol was, when the data plane is asked for it: `HTTP/1.1`.
const PROTOCOL: &str = "request.protocol";
/// The address that connected, when the data plane is asked for it: `192.0.2.1:4711`.
const SOURCE: &str = "source.address";

/// What Envoy says of a request beside its headers.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    filter_chain: Option<String>,
    route: Option<String>,
    /// `HTTP/2`.
    pub protocol: Option<String>,
    /// With its port.
    pub source: Option<String>,
}

/// Why nobody is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unattributed {
    /// The data plane is not set up to say whose it is.
    #[error("neither xds.filter_chain_name nor xds.route_name was sent")]
    NoAttribute,
    /// It says something that is no tenant's.
    #[error("the attributes name no tenant that is known")]
    UnknownTenant,
    /// Two attributes say two things.
    #[error("the attributes name two tenants")]
    TwoTenants,
}

impl Attributes {
    /// Takes them out of the first message of a stream.
    pub fn of(mut sent: HashMap<String, Struct>) -> Self {
        let mut fields = sent.remove(FILTER).unwrap_or_default().fields;
        let mut text = |name: &str| match fields.remove(name)?.kind? {
            Kind::StringValue(text) if !text.is_empty() => Some(text),
            _ => None,
        };
        Self { filter_chain: text(FILTER_CHAIN), route: text(ROUTE), protocol: text(PROTOCOL), source: text(SOURCE) }
    }

    /// The tenant.
    ///
    /// # Errors
    /// When there is none, or two.
    pub fn tenant(&self, profiles: &Profiles) -> Result<Arc<Tenant>, Unattributed> {
        let by_chain = self.filter_chain.as_deref().map(|name| of_filter_chain(name, profiles));
        let by_route = self.route.as_deref().filter(|name| is_envoy_gateways(name));
        let by_route = by_route.map(|name| of_route(name, profiles));
        match (by_chain, by_route) {
            (None, None) if self.route.is_none() => Err(Unattributed::NoAttribute),
            (Some(Some(one)), Some(Some(other))) if one.name != other.name => Err(Unattributed::TwoTenants),
            (Some(Some(tenant)), None | Some(Some(_))) | (None, Some(Some(tenant))) => Ok(tenant),
            _ => Err(Unattributed::UnknownTenant),
        }
    }

    /// What to call the route in a log: the data plane's own name of it.
    pub fn route(&self) -> &str {
        self.route.as_deref().or(self.filter_chain.as_deref()).unwrap_or_default()
    }
}

fn of_filter_chain(name: &str, profiles: &Profiles) -> Option<Arc<Tenant>> {
    let mut parts = name.split('/');
    let (namespace, set, listener) = (parts.next()?, parts.next()?, parts.next()?);
    let whole = parts.next().is_none() && !listener.is_empty();
    let tenant = profiles.tenant(set)?;
    // The namespace is what counts: nobody but the platform writes there, while a ListenerSet can have any name elsewhere.
    (whole && namespace.strip_prefix("gw-") == Some(set)).then(|| Arc::clone(tenant))
}

/// The kinds of routes that Envoy Gateway names so. kgateway's names of routes look otherwise, and say nothing.
fn is_envoy_gateways(name: &str) -> bool {
    matches!(name.split('/').next(), Some("httproute" | "grpcroute"))
}

fn of_route(name: &str, profiles: &Profiles) -> Option<Arc<Tenant>> {
    let mut parts = name.split('/').skip(1);
    let (namespace, route) = (parts.next()?, parts.next()?);
    profiles.of_namespace(namespace).filter(|_| !route.is_empty()).cloned()
}

#[cfg(test)]
mod tests {
    use super::{Attributes, Unattributed};
    use crate::profiles::Profiles;

    fn named(filter_chain: Option<&str>, route: Option<&str>) -> Result<String, Unattributed> {
        let profiles = Profiles::parse("tenants: {a: {namespaces: [a, web]}, b: {namespaces: [b]}}").unwrap();
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let attributes = Attributes { filter_chain: owned(filter_chain), route: owned(route), ..Attributes::default() };
        attributes.tenant(&profiles).map(|tenant| tenant.name.clone())
    }

    #[test]
    fn kgateway_names_the_listener_set() {
        assert_eq!(named(Some("gw-a/a/https"), None), Ok("a".into()));
        assert_eq!(named(Some("gw-a/a/https"), Some("listener~443-route-0")), Ok("a".into()));
        for other in [
            "gw-a/b/https",
            "gw-b/a/https",
            "a/a/https",
            "octroi-gateways/a/https",
            "gw-a/a",
            "gw-a/a/",
            "gw-a/a/x/y",
            "/",
        ] {
            assert_eq!(named(Some(other), None), Err(Unattributed::UnknownTenant), "{other}");
        }
    }

    #[test]
    fn envoy_gateway_names_the_route() {
        assert_eq!(named(None, Some("httproute/web/shop/rule/0/match/0/www_a_example")), Ok("a".into()));
        assert_eq!(named(None, Some("grpcroute/b/api/rule/0")), Ok("b".into()));
        assert_eq!(named(None, Some("httproute/gw-b/closed/rule/0")), Ok("b".into()));
        for other in
            ["httproute/none/x/rule/0", "httproute/a", "httproute/a/", "tcproute/a/x", "web/a", "httproute//a/x"]
        {
            assert_eq!(named(None, Some(other)), Err(Unattributed::UnknownTenant), "{other}");
        }
    }

    #[test]
    fn two_tenants_are_none() {
        assert_eq!(named(Some("gw-a/a/https"), Some("httproute/a/x/rule/0")), Ok("a".into()));
        assert_eq!(named(Some("gw-a/a/https"), Some("httproute/b/x/rule/0")), Err(Unattributed::TwoTenants));
        assert_eq!(named(Some("gw-a/a/https"), Some("httproute/none/x/rule/0")), Err(Unattributed::UnknownTenant));
        assert_eq!(named(None, None), Err(Unattributed::NoAttribute));
    }
}
