//! Upstreams outside the cluster, in a TenantClass and in a Tenant: `docs/upstreams.md`.

use k8s_openapi::schemars;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// What an upstream is. HTTPS: a host on the internet, by its name. S3: a bucket of Amazon S3 that everybody may read. Lambda: a
/// function of AWS Lambda, called with credentials of the tenant's own; kgateway only.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UpstreamKind {
    /// A host on the internet.
    #[serde(rename = "HTTPS")]
    Https,
    /// A bucket.
    S3,
    /// A function.
    Lambda,
}

impl UpstreamKind {
    /// The word used in a manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Https => "HTTPS",
            Self::S3 => "S3",
            Self::Lambda => "Lambda",
        }
    }
}

/// What tenants of a class may reach outside the cluster by their routes. Wherever its proxies run they may then connect to the
/// internet, on these ports and by TLS, but to no address that `namespaces.networkPolicy` keeps from pods.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassUpstreams {
    /// The kinds that are offered.
    #[schemars(length(max = 3))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[x_kube(validation = ("size(self) > 0", "upstreams.allowed must not be empty: name at least one of HTTPS, S3 and Lambda, or remove upstreams"))]
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
#[x_kube(validation = ("[has(self.https), has(self.s3), has(self.lambda)].filter(said, said).size() == 1", "upstreams[] must say one of https, s3 and lambda: write what it is, such as https: {host: api.crm.example}"))]
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
    /// A function of AWS Lambda, which is called with credentials of the tenant's own; kgateway only. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lambda: Option<LambdaUpstream>,
}

/// A host on the internet, by TLS.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpsUpstream {
    /// Its name, which its certificate must be good for; never an address. A host that this cluster serves is none: its routes
    /// name the Service.
    #[schemars(length(min = 3, max = 240))]
    #[x_kube(validation = ("self.matches('^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?[.])+[a-z]([-a-z0-9]{0,61}[a-z0-9])?$')", "upstreams[].https.host must be a lower-case DNS name with a dot, such as api.crm.example: no address, scheme, port, path, wildcard or trailing dot"))]
    #[x_kube(validation = ("!self.matches('[.](arpa|home|corp|internal|intranet|lan|local|localdomain|localhost|pod|private|svc)$')", "upstreams[].https.host is a name of a cluster or of a private network, which is no upstream: name a host on the internet, and of the cluster a Service in the route"))]
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

/// A function of AWS Lambda, in AWS's own partition: kgateway knows none of China, of governments or of the European Sovereign
/// Cloud.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct LambdaUpstream {
    /// Where it is, as AWS writes it.
    #[schemars(length(min = 5, max = 32))]
    #[x_kube(validation = ("self.matches('^[a-z]{2}-[a-z]+-[0-9]+$') && !self.startsWith('cn-')", "upstreams[].lambda.region must be a region of AWS outside China, governments and the European Sovereign Cloud, which kgateway does not know: write one such as eu-west-3"))]
    pub region: String,
    /// The account that it is in: twelve digits, in quotation marks.
    #[schemars(length(min = 1, max = 12))]
    #[x_kube(validation = ("self.matches('^[0-9]{12}$')", "upstreams[].lambda.accountId must be an account of AWS: write its twelve digits, such as '123456789012'"))]
    pub account_id: String,
    /// Its name, without account and version.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = ("self.matches('^[a-zA-Z0-9_-]+$')", "upstreams[].lambda.functionName must be the name of a function and no ARN, such as thumbnails: write account and version into accountId and qualifier"))]
    pub function_name: String,
    /// A version or an alias of it. Default: $LATEST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(validation = ("self.matches('^([$]LATEST|[a-zA-Z0-9_-]+)$')", "upstreams[].lambda.qualifier must be a version or an alias: write one such as 7 in quotation marks, live or $LATEST"))]
    pub qualifier: Option<String>,
    /// A Secret in `gw-<tenant>` with `accessKey`, `secretKey` and, of a role, `sessionToken`. While there is none, routes that
    /// name the upstream answer 500: the proxy's own role is never used.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = ("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')", "upstreams[].lambda.secretName must be the name of a Secret, such as lambda-invoker"))]
    pub secret_name: String,
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
