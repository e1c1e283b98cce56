//! Who is served, and how: the profiles of all tenants at one moment.

mod file;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub use file::ProfilesError;

use crate::profile::Profile;

/// The namespace of a tenant's entry is this and the tenant's name.
const ENTRY: &str = "gw-";

/// A tenant that is known.
#[derive(Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its name.
    pub name: String,
    /// Its firewall.
    pub profile: Profile,
}

/// The tenants, and whose each namespace is. Immutable: another one replaces it.
#[derive(Debug, Default)]
pub struct Profiles {
    tenants: BTreeMap<String, Arc<Tenant>>,
    namespaces: HashMap<String, Arc<Tenant>>,
}

impl Profiles {
    /// Reads the file that the operator writes: YAML, or JSON, which is YAML too. The fields are those of a Tenant's `waf`; a class
    /// gives what a tenant leaves out, and the Core Rule Set's defaults what both do.
    ///
    /// ```yaml
    /// classes:
    ///   gold: {paranoiaLevel: 2}
    /// tenants:
    ///   acme:
    ///     class: gold
    ///     namespaces: [acme, acme-prod]
    ///     waf:
    ///       exclusions:
    ///         - {ruleId: 942100, pathPrefix: /search, parameter: q, reason: a course on SQL, expires: 2027-06-30}
    /// ```
    ///
    /// # Errors
    /// When it cannot be read as a whole: a part of it would leave somebody with another firewall than theirs.
    pub fn parse(text: &str) -> Result<Self, ProfilesError> {
        file::parse(text)
    }

    /// # Errors
    /// When two tenants hold one namespace.
    fn new(tenants: Vec<(Tenant, Vec<String>)>) -> Result<Self, ProfilesError> {
        let mut profiles = Self::default();
        for (tenant, namespaces) in tenants {
            let tenant = Arc::new(tenant);
            for namespace in namespaces {
                if profiles.namespaces.insert(namespace.clone(), Arc::clone(&tenant)).is_some() {
                    return Err(ProfilesError::SharedNamespace(namespace));
                }
            }
            profiles.tenants.insert(tenant.name.clone(), tenant);
        }
        Ok(profiles)
    }

    /// The tenant of that name.
    pub fn tenant(&self, name: &str) -> Option<&Arc<Tenant>> {
        self.tenants.get(name)
    }

    /// The tenant that holds a namespace: one of its own, or that of its entry.
    pub fn of_namespace(&self, namespace: &str) -> Option<&Arc<Tenant>> {
        self.namespaces.get(namespace).or_else(|| self.tenants.get(namespace.strip_prefix(ENTRY)?))
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tenants.keys().map(String::as_str)
    }
}
