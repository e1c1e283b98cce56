//! The web application firewall, in a TenantClass and in a Tenant. `octroi waf` serves it: `docs/waf.md`.

use k8s_openapi::schemars;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// The firewall of a class's tenants: the OWASP Core Rule Set.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClassWaf {
    /// What happens to an attack. Default: Block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<WafMode>,
    /// Whether a tenant may ask for Detect. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_detect: Option<bool>,
    /// The rule set's paranoia level, 1 to 4; a tenant may ask for a higher one. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4))]
    pub paranoia_level: Option<i32>,
    /// The anomaly score from which a request is an attack, 1 to 100; a tenant may ask for a lower one. Default: 5, one critical
    /// match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub anomaly_threshold: Option<i32>,
    /// How much of a body is taken for inspection, in KiB, 1 to 8192; a longer body is answered with 413. Default: 128. A proxy
    /// holds as much for each request under way, and each KiB of text costs up to 1.2 ms of a core (docs/waf.md).
    #[serde(default, rename = "bodyKiB", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 8192))]
    pub body_kib: Option<i32>,
    /// Whether requests pass while the firewall has no verdict. Default: false, and they are answered with 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_open: Option<bool>,
}

/// What happens to an attack. Block: 403. Detect: it passes, and is logged. Disabled: nothing is inspected; for classes only.
/// Default: Block.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WafMode {
    /// It is refused.
    #[default]
    Block,
    /// It is only reported.
    Detect,
    /// Nobody looks. Not `Off`, which YAML 1.1 takes for `false`.
    Disabled,
}

/// A tenant's own firewall: stricter than its class, but for what is excluded.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TenantWaf {
    /// What happens to an attack. Default: the class's. Detect needs the class's `allowDetect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = ("self != 'Disabled'", "waf.mode Disabled is for a TenantClass only: use Detect, if the class allows it, or exclusions"))]
    pub mode: Option<WafMode>,
    /// The rule set's paranoia level, 1 to 4. Default: the class's, below which it does not go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4))]
    pub paranoia_level: Option<i32>,
    /// The anomaly score from which a request is an attack, 1 to 100. Default: the class's, above which it does not go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub anomaly_threshold: Option<i32>,
    /// What rules do not look at. Default: nothing is excluded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["ruleId".into(), "pathPrefix".into(), "parameter".into(), "cookie".into(), "header".into()]))]
    pub exclusions: Vec<WafExclusion>,
}

/// What one rule does not look at.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("[self.parameter, self.cookie, self.header].filter(name, name != '').size() <= 1", "exclusions[] names one of parameter, cookie and header: write an exclusion for each"))]
pub struct WafExclusion {
    /// A rule that looks for attacks: 911000 to 948999. The audit log names it.
    #[schemars(range(min = 911_000, max = 948_999))]
    pub rule_id: i32,
    /// Under which path: `/search` is `/search` and what is below it.
    #[schemars(length(min = 1, max = 256))]
    #[x_kube(validation = ("self.matches('^/[-a-zA-Z0-9_.~/]*$') && !self.contains('//') && !self.contains('/.')", "exclusions[].pathPrefix must be a plain path, such as /search: letters, digits, '-', '_', '.', '~' and '/', and neither '//' nor a segment that begins with a dot"))]
    pub path_prefix: String,
    /// A field of the query or of the body; in JSON its path, such as `json.user.comment`. Default: none; without parameter, cookie
    /// and header the rule is left out under the path.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 128), extend("default" = ""))]
    #[x_kube(validation = ("self.matches('^[-a-zA-Z0-9_.$\\\\[\\\\]]*$')", "exclusions[].parameter must be the name of a field, such as q or json.user.comment"))]
    pub parameter: String,
    /// A cookie. Default: none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 128), extend("default" = ""))]
    #[x_kube(validation = ("self.matches('^[-a-zA-Z0-9_.]*$')", "exclusions[].cookie must be the name of a cookie, such as preferences"))]
    pub cookie: String,
    /// A header. Default: none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 128), extend("default" = ""))]
    #[x_kube(validation = ("self.matches('^[-a-zA-Z0-9]*$')", "exclusions[].header must be the name of a header, such as Content-Range"))]
    pub header: String,
    /// Why, for whoever reads it in a year.
    #[schemars(length(min = 3, max = 256))]
    pub reason: String,
    /// The last day on which it holds, in UTC.
    #[schemars(length(min = 10, max = 10))]
    #[x_kube(validation = ("self.matches('^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$')", "exclusions[].expires must be a day, such as 2027-06-30"))]
    pub expires: String,
}
