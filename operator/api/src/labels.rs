//! Labels, annotations and names that Octroi writes or reads. Only the operator may write those on objects.

/// The finalizer on Tenants and TenantClasses.
pub const FINALIZER: &str = "octroi.dev/finalizer";
/// The field manager of everything but status.
pub const FIELD_MANAGER: &str = "octroi";
/// The field manager of status.
pub const STATUS_MANAGER: &str = "octroi-status";

/// Label, and on namespaces also annotation: the Tenant an object belongs to.
pub const TENANT: &str = "octroi.dev/tenant";
/// Label: the TenantClass an object belongs to.
pub const CLASS: &str = "octroi.dev/class";
/// Label on a namespace: what it is for; see [`ROLE_GATEWAY`] and [`ROLE_TENANT`].
pub const ROLE: &str = "octroi.dev/role";
/// Value of [`ROLE`] on `gw-<tenant>`.
pub const ROLE_GATEWAY: &str = "gateway";
/// Value of [`ROLE`] on a tenant's own namespaces.
pub const ROLE_TENANT: &str = "tenant";
/// The well-known label for the tool that manages an object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY`].
pub const MANAGED_BY_VALUE: &str = "octroi";

/// Annotation on a TenantClass: it serves Tenants that name no class.
pub const DEFAULT_CLASS: &str = "octroi.dev/is-default-class";
/// Annotation on a Tenant: the run team accepts that moving its entry to the named mode (`Shared` or `Dedicated`)
/// changes its address, and that the old address stops answering before clients' DNS follows.
pub const ACCEPT_GAP: &str = "octroi.dev/accept-gap";

/// Annotation on a Tenant: holds it at `Cordoned` or `Suspended`, whatever its spec says; the stricter wins.
pub const HOLD: &str = "octroi.dev/hold";
/// Annotation beside [`HOLD`]: why, in words for whoever reads the Tenant.
pub const HOLD_REASON: &str = "octroi.dev/hold-reason";
/// Annotation beside [`HOLD`]: until when, as an RFC 3339 time.
pub const HOLD_UNTIL: &str = "octroi.dev/hold-until";

/// The namespace of shared Gateways.
pub const GATEWAYS_NAMESPACE: &str = "octroi-gateways";
/// What the name of a tenant's gateway namespace starts with.
pub const GATEWAY_NAMESPACE_PREFIX: &str = "gw-";
