//! How much a tenant's namespaces may hold and its containers may use: what the class says, merged over what holds anyway.

use std::collections::BTreeMap;

use octroi_api::{ClassNamespaces, ContainerLimits, ResourceList};

use crate::quantity::{Quantity, canonical};

/// How much a namespace may hold and a container may use. All quantities are written as Kubernetes stores them.
#[derive(Clone, Debug)]
pub struct ResolvedLimits {
    /// Of a namespace, by the names of a ResourceQuota.
    pub quota: BTreeMap<String, String>,
    /// Of a container, by resource.
    pub containers: BTreeMap<&'static str, ResourceLimits>,
}

/// The limits of a container for one resource. Complete, so that Kubernetes adds nothing of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceLimits {
    /// The limit of a container that names none.
    pub default: Option<String>,
    /// The request of a container that names none.
    pub default_request: Option<String>,
    /// The highest limit that a container may name.
    pub max: Option<String>,
}

/// Counts that no honest tenant meets and no other one may pass: of what the data plane and the API server carry for all.
/// A load balancer or a node port would be a second entry, so their zero is no default but a rule.
const COUNTS: [(&str, &str); 14] = [
    ("configmaps", "200"),
    ("count/cronjobs.batch", "50"),
    ("count/grpcroutes.gateway.networking.k8s.io", "50"),
    ("count/httproutes.gateway.networking.k8s.io", "100"),
    ("count/jobs.batch", "500"),
    ("count/tcproutes.gateway.networking.k8s.io", "20"),
    ("count/tlsroutes.gateway.networking.k8s.io", "20"),
    ("count/udproutes.gateway.networking.k8s.io", "20"),
    ("persistentvolumeclaims", "50"),
    ("pods", "200"),
    ("secrets", "200"),
    ("services", "50"),
    ("services.loadbalancers", "0"),
    ("services.nodeports", "0"),
];
const CPU: &str = "cpu";
const MEMORY: &str = "memory";
/// Small enough to surprise nobody's node, large enough for most first deployments.
const CPU_REQUEST: &str = "50m";
const MEMORY_REQUEST: &str = "64Mi";
const MEMORY_LIMIT: &str = "512Mi";

/// The limits of a class's namespaces.
pub fn resolve(namespaces: &ClassNamespaces) -> ResolvedLimits {
    let said = namespaces.quota.iter().map(|(name, quantity)| (name.clone(), canonical(quantity)));
    let counts = COUNTS.into_iter().map(|(name, quantity)| (name.to_owned(), quantity.to_owned()));
    let limits = namespaces.limit_range.clone().unwrap_or_default();
    let containers = [
        (CPU, of_resource(&limits, |list| list.cpu.as_deref(), (None, CPU_REQUEST))),
        (MEMORY, of_resource(&limits, |list| list.memory.as_deref(), (Some(MEMORY_LIMIT), MEMORY_REQUEST))),
    ];
    ResolvedLimits { quota: counts.chain(said).collect(), containers: containers.into() }
}

/// What the class says holds; a default of ours gives way to it. Kubernetes takes a maximum for the default limit, and a
/// default limit for the default request: where we did not say so ourselves, it would add them to our object.
fn of_resource(
    limits: &ContainerLimits,
    of: impl Fn(&ResourceList) -> Option<&str>,
    (limit, request): (Option<&str>, &str),
) -> ResourceLimits {
    let said = |list: &Option<ResourceList>| list.as_ref().and_then(&of).map(canonical);
    let (max, said_limit, said_request) = (said(&limits.max), said(&limits.default), said(&limits.default_request));
    let request_or = |ours| said_request.clone().filter(|said| exceeds(said, ours)).unwrap_or_else(|| ours.to_owned());
    let ours = limit.map(|limit| at_most(request_or(limit), max.as_deref()));
    let default = said_limit.or(ours).or_else(|| max.clone());
    let default_request = said_request.clone().unwrap_or_else(|| at_most(request.to_owned(), default.as_deref()));
    ResourceLimits { default, default_request: Some(default_request), max }
}

fn at_most(ours: String, bound: Option<&str>) -> String {
    match bound.filter(|bound| exceeds(&ours, bound)) {
        Some(bound) => bound.to_owned(),
        None => ours,
    }
}

fn exceeds(one: &str, other: &str) -> bool {
    Quantity::parse(one).zip(Quantity::parse(other)).is_some_and(|(one, other)| one.exceeds(&other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(cpu: &str, memory: &str) -> ResourceList {
        ResourceList { cpu: Some(cpu.into()), memory: Some(memory.into()) }
    }

    fn resolved(limits: ContainerLimits, resource: &str) -> [Option<String>; 3] {
        let namespaces = ClassNamespaces { limit_range: Some(limits), ..ClassNamespaces::default() };
        let of_container = resolve(&namespaces).containers[resource].clone();
        [of_container.default, of_container.default_request, of_container.max]
    }

    fn some<const N: usize>(texts: [&str; N]) -> [Option<String>; N] {
        texts.map(|text| (!text.is_empty()).then(|| text.to_owned()))
    }

    #[test]
    fn a_class_changes_one_count_without_repeating_the_rest() {
        let quota = [("pods".to_owned(), "1000".to_owned()), ("requests.cpu".to_owned(), "8000m".to_owned())];
        let resolved = resolve(&ClassNamespaces { quota: quota.into(), ..ClassNamespaces::default() }).quota;
        assert_eq!(resolved.len(), COUNTS.len() + 1);
        assert_eq!((resolved["pods"].as_str(), resolved["requests.cpu"].as_str()), ("1k", "8"));
        assert_eq!((resolved["services"].as_str(), resolved["services.loadbalancers"].as_str()), ("50", "0"));
    }

    #[test]
    fn without_a_word_of_the_class() {
        assert_eq!(resolved(ContainerLimits::default(), CPU), some(["", "50m", ""]));
        assert_eq!(resolved(ContainerLimits::default(), MEMORY), some(["512Mi", "64Mi", ""]));
    }

    #[test]
    fn our_defaults_give_way_to_what_the_class_says() {
        let max = ContainerLimits { max: Some(list("2000m", "256Mi")), ..ContainerLimits::default() };
        assert_eq!(resolved(max.clone(), CPU), some(["2", "50m", "2"]));
        assert_eq!(resolved(max, MEMORY), some(["256Mi", "64Mi", "256Mi"]));
        let small = ContainerLimits { default: Some(list("20m", "32Mi")), ..ContainerLimits::default() };
        assert_eq!(resolved(small.clone(), CPU), some(["20m", "20m", ""]));
        assert_eq!(resolved(small, MEMORY), some(["32Mi", "32Mi", ""]));
        let large = ContainerLimits { default_request: Some(list("1", "1024Mi")), ..ContainerLimits::default() };
        assert_eq!(resolved(large.clone(), CPU), some(["", "1", ""]));
        assert_eq!(resolved(large, MEMORY), some(["1Gi", "1Gi", ""]));
    }
}
