//! The admission policies that Octroi's chart installs: what a tenant writes is judged by them, and the operator has no part in it.

/// Their names. Each has a binding that denies.
pub const GUARDS: [&str; 22] = [
    "octroi-claims",
    "octroi-client-keys",
    "octroi-cordon",
    "octroi-endpoints",
    "octroi-gateways",
    "octroi-hold",
    "octroi-namespaces",
    "octroi-operator",
    "octroi-ownership",
    "octroi-platform-kinds",
    "octroi-pods",
    "octroi-route-backends",
    "octroi-route-filters",
    "octroi-route-hosts",
    "octroi-route-metadata",
    "octroi-route-parents",
    "octroi-route-size",
    "octroi-services",
    "octroi-tenant-deletion",
    "octroi-tenant-limits",
    "octroi-tenant-rights",
    "octroi-tenantclass-deletion",
];
