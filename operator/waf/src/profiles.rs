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

/// One tenant's profile and its namespaces, as the operator writes them.
#[derive(Clone, Debug)]
pub struct Holding {
    tenant: Arc<Tenant>,
    namespaces: Vec<String>,
}

impl Holding {
    /// Reads YAML, or JSON, which is YAML too. The fields of `waf` are those of a Tenant's, and the Core Rule Set's defaults are what
    /// it leaves out.
    ///
    /// ```yaml
    /// namespaces: [acme, acme-prod]
    /// waf:
    ///   paranoiaLevel: 2
    ///   exclusions:
    ///     - {ruleId: 942100, pathPrefix: /search, parameter: q, reason: a course on SQL, expires: 2027-06-30}
    /// ```
    ///
    /// # Errors
    /// When it cannot be read as a whole: a part of it would be another firewall than the tenant's.
    pub fn parse(tenant: &str, text: &str) -> Result<Self, ProfilesError> {
        file::one(tenant, text)
    }
}

/// The tenants, and whose each namespace is. Immutable: another one replaces it.
#[derive(Debug, Default)]
pub struct Profiles {
    tenants: BTreeMap<String, Arc<Tenant>>,
    namespaces: HashMap<String, Arc<Tenant>>,
}

impl Profiles {
    /// Reads all tenants from one text: a map `tenants` from names to what [`Holding::parse`] reads.
    ///
    /// # Errors
    /// As [`Holding::parse`], and when two tenants hold one namespace.
    pub fn parse(text: &str) -> Result<Self, ProfilesError> {
        let (profiles, contested) = Self::of(&file::all(text)?);
        contested.into_iter().next().map_or(Ok(profiles), |namespace| Err(ProfilesError::SharedNamespace(namespace)))
    }

    /// Those of these tenants, and the namespaces that two of them hold: these are nobody's.
    pub fn of<'a>(holdings: impl IntoIterator<Item = &'a Holding>) -> (Self, Vec<String>) {
        let (mut profiles, mut contested) = (Self::default(), Vec::new());
        for Holding { tenant, namespaces } in holdings {
            for namespace in namespaces {
                if profiles.namespaces.insert(namespace.clone(), Arc::clone(tenant)).is_some() {
                    contested.push(namespace.clone());
                }
            }
            profiles.tenants.insert(tenant.name.clone(), Arc::clone(tenant));
        }
        for namespace in &contested {
            profiles.namespaces.remove(namespace);
        }
        (profiles, contested)
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
