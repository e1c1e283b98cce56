//! Where a tenant's firewall profile lies, for the operator that writes it and for `octroi waf` that reads it: a ConfigMap in
//! [`labels::GATEWAYS_NAMESPACE`](octroi_api::labels::GATEWAYS_NAMESPACE).

use k8s_openapi::api::core::v1::ConfigMap;
use octroi_api::labels;

/// The label of these ConfigMaps, and its value.
pub const LABEL: &str = "app.kubernetes.io/component";
/// See [`LABEL`].
pub const LABEL_VALUE: &str = "waf-profile";
/// The key of the profile in the ConfigMap.
pub const KEY: &str = "profile.yaml";

const PREFIX: &str = "waf-";

/// The name of a tenant's ConfigMap.
pub fn name(tenant: &str) -> String {
    format!("{PREFIX}{tenant}")
}

/// Selects these ConfigMaps.
pub fn selector() -> String {
    format!("{LABEL}={LABEL_VALUE},{}={}", labels::MANAGED_BY, labels::MANAGED_BY_VALUE)
}

/// Whose profile a ConfigMap is, when its name and its label say the same.
pub fn tenant_of(config_map: &ConfigMap) -> Option<&str> {
    let tenant = config_map.metadata.labels.as_ref()?.get(labels::TENANT)?;
    let agree = config_map.metadata.name.as_deref() == Some(&name(tenant));
    (agree && !tenant.is_empty()).then_some(tenant)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    use super::*;

    #[test]
    fn a_config_map_is_whose_both_its_name_and_its_label_say() {
        let of = |name: &str, tenant: &str| {
            let labels = Some([(labels::TENANT.to_owned(), tenant.to_owned())].into());
            let metadata = ObjectMeta { name: Some(name.into()), labels, ..ObjectMeta::default() };
            tenant_of(&ConfigMap { metadata, ..ConfigMap::default() }).map(str::to_owned)
        };
        assert_eq!(of("waf-acme", "acme"), Some("acme".into()));
        assert_eq!([of("waf-acme", "globex"), of("acme", "acme"), of("waf-", "")], [None, None, None]);
    }
}
