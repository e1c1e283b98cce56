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

/// Label on a tenant's namespaces: the state in force, for admission policies to select by; see
/// [`TenantState`](crate::TenantState).
pub const STATE: &str = "octroi.dev/state";
/// Annotation on a tenant's own namespaces: the hosts that its routes may name, separated by commas. Admission policies
/// read it.
pub const HOSTS: &str = "octroi.dev/hosts";
/// Annotation on a tenant's own namespaces: the other namespaces of the tenant that a `backendRef` may name, separated by
/// commas. Admission policies read it.
pub const BACKEND_NAMESPACES: &str = "octroi.dev/backend-namespaces";
/// Annotation on a namespace that was there before its Tenant: deleting the Tenant never deletes it.
pub const ADOPTED: &str = "octroi.dev/adopted";

/// Annotation on a Tenant: it is held in this state (`Cordoned` or `Suspended`) whatever `spec.state` says; the stricter
/// of the two wins.
pub const HOLD: &str = "octroi.dev/hold";
/// Annotation on a Tenant: why it is held.
pub const HOLD_REASON: &str = "octroi.dev/hold-reason";
/// Annotation on a Tenant: until when it is held, as in RFC 3339. Default: until the annotation is removed.
pub const HOLD_UNTIL: &str = "octroi.dev/hold-until";

/// The namespace of shared Gateways.
pub const GATEWAYS_NAMESPACE: &str = "octroi-gateways";
/// What the name of a tenant's gateway namespace starts with.
pub const GATEWAY_NAMESPACE_PREFIX: &str = "gw-";
