//! The closed list of kinds that Octroi writes. The chart's ClusterRole, the watches and the order of writes follow it.

/// A kind that Octroi writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum ChildKind {
    DomainClaim,
    PortClaim,
    Namespace,
    ClusterRole,
    ClusterRoleBinding,
    RoleBinding,
    ConfigMap,
    ResourceQuota,
    LimitRange,
    NetworkPolicy,
    Certificate,
    ReferenceGrant,
    EnvoyProxy,
    GatewayParameters,
    Gateway,
    HttpRouteFilter,
    DirectResponse,
    HttpRoute,
    BackendTlsPolicy,
    EnvoyBackend,
    KgatewayBackend,
    BackendTrafficPolicy,
    ClientTrafficPolicy,
    EnvoyExtensionPolicy,
    GatewayExtension,
    ListenerPolicy,
    SecurityPolicy,
    TrafficPolicy,
    ListenerSet,
}

/// Where a kind lives in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiPath {
    /// API group; empty for the core.
    pub group: &'static str,
    /// Version that is written and watched.
    pub version: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Plural, as in URLs and RBAC.
    pub plural: &'static str,
}

/// The order of writes; deletions go the other way. What guards a route comes before what serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Stage {
    Claims,
    Namespaces,
    Rights,
    Certificates,
    Gateways,
    Policies,
    Entry,
}

/// How an object comes into being.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// Created once, never changed: creating it is the lock.
    Lock,
    /// Created, so that an existing one is never taken; then applied.
    Exclusive,
    /// Applied.
    Apply,
}

const RBAC: &str = "rbac.authorization.k8s.io";

impl ChildKind {
    /// Every kind, in the order of [`Stage`].
    pub const ALL: [Self; 29] = [
        Self::DomainClaim,
        Self::PortClaim,
        Self::Namespace,
        Self::ClusterRole,
        Self::ClusterRoleBinding,
        Self::RoleBinding,
        Self::ConfigMap,
        Self::ResourceQuota,
        Self::LimitRange,
        Self::NetworkPolicy,
        Self::Certificate,
        Self::ReferenceGrant,
        Self::EnvoyProxy,
        Self::GatewayParameters,
        Self::Gateway,
        Self::HttpRouteFilter,
        Self::DirectResponse,
        Self::HttpRoute,
        Self::BackendTlsPolicy,
        Self::EnvoyBackend,
        Self::KgatewayBackend,
        Self::BackendTrafficPolicy,
        Self::ClientTrafficPolicy,
        Self::EnvoyExtensionPolicy,
        Self::GatewayExtension,
        Self::ListenerPolicy,
        Self::SecurityPolicy,
        Self::TrafficPolicy,
        Self::ListenerSet,
    ];

    /// Where it lives in the API.
    pub const fn api(self) -> ApiPath {
        const GATEWAY: &str = "gateway.networking.k8s.io";
        const ENVOY: &str = "gateway.envoyproxy.io";
        const KGATEWAY: &str = "gateway.kgateway.dev";
        let (group, version, kind, plural) = match self {
            Self::DomainClaim => (octroi_api::GROUP, octroi_api::VERSION, "DomainClaim", "domainclaims"),
            Self::PortClaim => (octroi_api::GROUP, octroi_api::VERSION, "PortClaim", "portclaims"),
            Self::Namespace => ("", "v1", "Namespace", "namespaces"),
            Self::ClusterRole => (RBAC, "v1", "ClusterRole", "clusterroles"),
            Self::ClusterRoleBinding => (RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings"),
            Self::RoleBinding => (RBAC, "v1", "RoleBinding", "rolebindings"),
            Self::ConfigMap => ("", "v1", "ConfigMap", "configmaps"),
            Self::ResourceQuota => ("", "v1", "ResourceQuota", "resourcequotas"),
            Self::LimitRange => ("", "v1", "LimitRange", "limitranges"),
            Self::NetworkPolicy => ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
            Self::Certificate => ("cert-manager.io", "v1", "Certificate", "certificates"),
            Self::ReferenceGrant => (GATEWAY, "v1", "ReferenceGrant", "referencegrants"),
            Self::EnvoyProxy => (ENVOY, "v1alpha1", "EnvoyProxy", "envoyproxies"),
            Self::GatewayParameters => (KGATEWAY, "v1alpha1", "GatewayParameters", "gatewayparameters"),
            Self::Gateway => (GATEWAY, "v1", "Gateway", "gateways"),
            Self::HttpRouteFilter => (ENVOY, "v1alpha1", "HTTPRouteFilter", "httproutefilters"),
            Self::DirectResponse => (KGATEWAY, "v1alpha1", "DirectResponse", "directresponses"),
            Self::BackendTlsPolicy => (GATEWAY, "v1", "BackendTLSPolicy", "backendtlspolicies"),
            Self::EnvoyBackend => (ENVOY, "v1alpha1", "Backend", "backends"),
            Self::KgatewayBackend => (KGATEWAY, "v1alpha1", "Backend", "backends"),
            Self::HttpRoute => (GATEWAY, "v1", "HTTPRoute", "httproutes"),
            Self::BackendTrafficPolicy => (ENVOY, "v1alpha1", "BackendTrafficPolicy", "backendtrafficpolicies"),
            Self::ListenerPolicy => (KGATEWAY, "v1alpha1", "ListenerPolicy", "listenerpolicies"),
            Self::ClientTrafficPolicy => (ENVOY, "v1alpha1", "ClientTrafficPolicy", "clienttrafficpolicies"),
            Self::EnvoyExtensionPolicy => (ENVOY, "v1alpha1", "EnvoyExtensionPolicy", "envoyextensionpolicies"),
            Self::GatewayExtension => (KGATEWAY, "v1alpha1", "GatewayExtension", "gatewayextensions"),
            Self::SecurityPolicy => (ENVOY, "v1alpha1", "SecurityPolicy", "securitypolicies"),
            Self::TrafficPolicy => (KGATEWAY, "v1alpha1", "TrafficPolicy", "trafficpolicies"),
            Self::ListenerSet => (GATEWAY, "v1", "ListenerSet", "listenersets"),
        };
        ApiPath { group, version, kind, plural }
    }

    /// Whether it lives in a namespace.
    pub const fn namespaced(self) -> bool {
        !matches!(
            self,
            Self::DomainClaim | Self::PortClaim | Self::Namespace | Self::ClusterRole | Self::ClusterRoleBinding
        )
    }

    /// When it is written.
    pub const fn stage(self) -> Stage {
        match self {
            Self::DomainClaim | Self::PortClaim => Stage::Claims,
            Self::Namespace => Stage::Namespaces,
            Self::ClusterRole
            | Self::ClusterRoleBinding
            | Self::RoleBinding
            | Self::ConfigMap
            | Self::ResourceQuota
            | Self::LimitRange
            | Self::NetworkPolicy => Stage::Rights,
            Self::Certificate | Self::ReferenceGrant => Stage::Certificates,
            Self::EnvoyProxy
            | Self::GatewayParameters
            | Self::Gateway
            | Self::HttpRouteFilter
            | Self::DirectResponse
            | Self::HttpRoute
            // Before what it makes speak TLS, and gone after it.
            | Self::BackendTlsPolicy => Stage::Gateways,
            Self::EnvoyBackend
            | Self::KgatewayBackend
            | Self::BackendTrafficPolicy
            | Self::ClientTrafficPolicy
            | Self::EnvoyExtensionPolicy
            | Self::GatewayExtension
            | Self::ListenerPolicy
            | Self::SecurityPolicy
            | Self::TrafficPolicy => Stage::Policies,
            Self::ListenerSet => Stage::Entry,
        }
    }

    /// How it comes into being.
    pub const fn creation(self) -> Creation {
        match self {
            Self::DomainClaim | Self::PortClaim => Creation::Lock,
            Self::Namespace => Creation::Exclusive,
            _ => Creation::Apply,
        }
    }

    /// Whether it lets somebody in: it goes at once when it is not wanted any more, whatever else is stuck.
    pub const fn is_right(self) -> bool {
        matches!(self, Self::RoleBinding | Self::ClusterRoleBinding)
    }

    /// The CustomResourceDefinition it needs, when it is not part of Kubernetes.
    pub fn crd_name(self) -> Option<String> {
        const BUILT_IN: [&str; 2] = ["networking.k8s.io", RBAC];
        let api = self.api();
        let is_custom = api.group.contains('.') && !BUILT_IN.contains(&api.group);
        is_custom.then(|| format!("{}.{}", api.plural, api.group))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_in_the_order_of_the_stages_and_complete() {
        assert!(ChildKind::ALL.windows(2).all(|w| w[0].stage() <= w[1].stage() && w[0] < w[1]));
    }

    #[test]
    fn only_kinds_outside_kubernetes_need_a_crd() {
        use ChildKind as K;
        let without: Vec<_> = K::ALL.into_iter().filter(|k| k.crd_name().is_none()).collect();
        let rights = [K::Namespace, K::ClusterRole, K::ClusterRoleBinding, K::RoleBinding, K::ConfigMap];
        let limits = [K::ResourceQuota, K::LimitRange, K::NetworkPolicy];
        assert_eq!(without, [rights.as_slice(), limits.as_slice()].concat());
    }
}
