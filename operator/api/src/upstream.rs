//! Upstreams outside the cluster, in a TenantClass and in a Tenant: `docs/upstreams.md`.

use k8s_openapi::schemars;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// What an upstream is. HTTPS: a host on the internet, by its name. S3: a bucket of Amazon S3 that everybody may read.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UpstreamKind {
    /// A host on the internet.
    #[serde(rename = "HTTPS")]
    Https,
    /// A bucket.
    S3,
}

impl UpstreamKind {
    /// The word used in a manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Https => "HTTPS",
            Self::S3 => "S3",
        }
    }
}

/// What tenants of a class may reach outside the cluster by their routes. Wherever its proxies run they may then connect to the
/// internet, on these ports and by TLS, but to no address that `namespaces.networkPolicy` keeps from pods.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassUpstreams {
    /// The kinds that are offered.
    #[schemars(length(max = 2))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[x_kube(validation = ("size(self) > 0", "upstreams.allowed must not be empty: name at least one of HTTPS and S3, or remove upstreams"))]
    pub allowed: Vec<UpstreamKind>,
    /// Ports that an upstream of kind HTTPS may have. Default: 443.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(range(min = 1, max = 65_535)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[x_kube(validation = ("self.all(p, !(p in [80, 8082, 8234, 9091]) && (p < 10001 || p > 11023) && (p < 19000 || p > 19003))", "upstreams.ports must hold none of 80, 8082, 8234, 9091, 10001 to 11023 and 19000 to 19003, which the proxies use themselves: choose others, such as 443 or 8443"))]
    pub ports: Vec<i32>,
}

/// Something outside the cluster that the tenant's routes may name as a backend. It is reached by TLS, and its certificate must be
/// good for its name.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[x_kube(validation = ("has(self.https) != has(self.s3)", "upstreams[] must say one of https and s3: write what it is, such as https: {host: api.crm.example}"))]
pub struct TenantUpstream {
    /// What it is called. A route names it as a backend.
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = ("self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')", "upstreams[].name must be a DNS label of at most 40 characters that starts with a letter, such as crm"))]
    pub name: String,
    /// A host on the internet. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub https: Option<HttpsUpstream>,
    /// A bucket of Amazon S3 that everybody may read: requests are not signed. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3Upstream>,
}

/// A host on the internet, by TLS.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpsUpstream {
    /// Its name, which its certificate must be good for; never an address. A host that this cluster serves is none: its routes
    /// name the Service.
    #[schemars(length(min = 3, max = 240))]
    #[x_kube(validation = ("self.matches('^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?[.])+[a-z]([-a-z0-9]{0,61}[a-z0-9])?$')", "upstreams[].https.host must be a lower-case DNS name with a dot, such as api.crm.example: no address, scheme, port, path, wildcard or trailing dot"))]
    #[x_kube(validation = ("!self.matches('[.](arpa|home|corp|internal|intranet|lan|local|localdomain|localhost|private|svc)$')", "upstreams[].https.host is a name of a cluster or of a private network, which is no upstream: name a host on the internet, and of the cluster a Service in the route"))]
    pub host: String,
    /// Its port, among those that the class offers. Default: 443.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub port: Option<i32>,
}

/// A bucket of Amazon S3.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
pub struct S3Upstream {
    /// Where it is, as AWS writes it.
    #[schemars(length(min = 5, max = 32))]
    #[x_kube(validation = ("self.matches('^[a-z]+(-[a-z]+)+-[0-9]+$')", "upstreams[].s3.region must be a region of AWS, such as eu-west-3"))]
    pub region: String,
    /// Its name. One with dots is in no certificate of Amazon's.
    #[schemars(length(min = 3, max = 63))]
    #[x_kube(validation = ("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])$')", "upstreams[].s3.bucket must be the name of a bucket without dots, which no certificate of Amazon's would be good for, such as acme-assets: rename the bucket, or put a distribution in front of it and name that by https"))]
    #[x_kube(validation = ("!self.matches('^([a-wyz0-9].|x[^n])--') && !self.startsWith('xn--')", "upstreams[].s3.bucket has '--' in its third and fourth place, which DNS reserves and S3 does not allow: correct it"))]
    pub bucket: String,
}

/// What Octroi saw of an upstream.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamStatus {
    /// Its name.
    #[schemars(length(max = 40))]
    pub name: String,
    /// The host and port that it stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 260))]
    pub target: Option<String>,
    /// Whether routes may name it. Whether it answers, only a request shows.
    pub ready: bool,
    /// Why not, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub reason: Option<String>,
    /// Why not, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}
