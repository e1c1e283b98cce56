//! Whom pods may reach, and who may reach them, by the class.

use std::collections::BTreeSet;

use octroi_api::{EgressAllow, NamespaceNetwork};

/// The network of a class's namespaces.
#[derive(Clone, Debug, Default)]
pub struct ResolvedNetwork {
    /// The rest of the world, by address family: what of it may not be reached.
    pub outside: Vec<Outside>,
    /// What may be reached all the same.
    pub allowed: Vec<EgressAllow>,
    /// Namespaces of the platform that may reach pods, and the metrics of proxies.
    pub ingress_namespaces: Vec<String>,
}

/// All addresses of a family but some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    /// The whole family.
    pub all: &'static str,
    /// But these.
    pub except: BTreeSet<String>,
}

const ALL_V4: &str = "0.0.0.0/0";
const ALL_V6: &str = "::/0";
/// What is no part of the internet (RFC 6890), and with it the metadata addresses of clouds. Two of those lie elsewhere:
/// 192.0.0.192 of Oracle's and 168.63.129.16 of Microsoft's.
const NEVER_V4: [&str; 8] = [
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
];
const NEVER_V6: [&str; 3] = ["::1/128", "fc00::/7", "fe80::/10"];

/// Resolves the network of a class. What it excepts is added to what is never reached: it opens by name only.
pub fn resolve(network: &NamespaceNetwork) -> ResolvedNetwork {
    let families = [(ALL_V4, &NEVER_V4[..], false), (ALL_V6, &NEVER_V6[..], true)];
    let outside = families.into_iter().filter_map(|(all, never, is_v6)| {
        let said = network.egress_except.iter().filter(|cidr| cidr.contains(':') == is_v6);
        let except: BTreeSet<String> = said.cloned().chain(never.iter().map(ToString::to_string)).collect();
        // An exception must be smaller than what it is one of: without a rest there is no rule.
        (!except.iter().any(|cidr| cidr.ends_with("/0"))).then_some(Outside { all, except })
    });
    ResolvedNetwork {
        outside: outside.collect(),
        allowed: network.egress_allow.clone(),
        ingress_namespaces: network.ingress_namespaces.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outside(except: &[&str]) -> Vec<Outside> {
        let egress_except = except.iter().map(ToString::to_string).collect();
        resolve(&NamespaceNetwork { egress_except, ..NamespaceNetwork::default() }).outside
    }

    #[test]
    fn what_a_class_excepts_is_added_in_its_family() {
        let with = outside(&["203.0.113.0/24", "2001:db8::/32", "10.0.0.0/8"]);
        assert_eq!(with[0].except.len(), NEVER_V4.len() + 1);
        assert!(with[0].except.contains("203.0.113.0/24") && with[0].except.contains("169.254.0.0/16"));
        assert_eq!(with[1].except.len(), NEVER_V6.len() + 1);
    }

    #[test]
    fn a_class_may_close_the_internet() {
        assert_eq!(outside(&["0.0.0.0/0"]).iter().map(|o| o.all).collect::<Vec<_>>(), [ALL_V6]);
        assert_eq!(outside(&["0.0.0.0/0", "::/0"]), []);
    }
}
