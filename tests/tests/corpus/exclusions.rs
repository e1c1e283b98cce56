//! The routes that a tenant may not write, each with what stops it.

/// One of them.
pub struct Exclusion {
    /// As [`crate::manifests::Manifest::id`].
    pub manifest: &'static str,
    /// Why, in the words of the totals.
    pub reason: &'static str,
    /// A part of what the API server says.
    pub says: &'static str,
}

/// A kind that no project here defines: the suite and an example make one up.
const UNKNOWN: &str = "backend of an unknown kind";
/// Another cluster's Service is not the tenant's to name; multi-cluster Services are out of scope.
const IMPORT: &str = "backend of kind ServiceImport (another cluster)";
/// The lab, and Octroi, have the standard channel of the Gateway API.
const FIELD: &str = "field of the experimental channel";
const VERSION: &str = "version that the standard channel does not serve";

const fn excluded(reason: &'static str, says: &'static str, manifest: &'static str) -> Exclusion {
    Exclusion { manifest, reason, says }
}

const fn backend(reason: &'static str, manifest: &'static str) -> Exclusion {
    excluded(reason, "not of kind Service, the only kind that a route of a tenant sends to", manifest)
}

pub const EXCLUSIONS: &[Exclusion] = &[
    backend(
        UNKNOWN,
        "conformance/tests/httproute-invalid-backendref-unknown-kind.yaml HTTPRoute/invalid-backend-ref-unknown-kind",
    ),
    backend(
        UNKNOWN,
        "conformance/tests/tlsroute-invalid-backendref-unknown-kind.yaml TLSRoute/invalid-backend-ref-unknown-kind",
    ),
    backend(UNKNOWN, "examples/standard/default-match-http.yaml HTTPRoute/default-match-route"),
    backend(IMPORT, "examples/standard/multicluster/httproute-gamma.yaml HTTPRoute/store"),
    backend(IMPORT, "examples/standard/multicluster/httproute-hybrid.yaml HTTPRoute/store"),
    backend(IMPORT, "examples/standard/multicluster/httproute-location.yaml HTTPRoute/store"),
    backend(IMPORT, "examples/standard/multicluster/httproute-method.yaml HTTPRoute/api"),
    backend(IMPORT, "examples/standard/multicluster/httproute-referencegrant.yaml HTTPRoute/foo"),
    backend(IMPORT, "examples/standard/multicluster/httproute-simple.yaml HTTPRoute/store"),
    excluded(FIELD, "retry: field not declared in schema", "conformance/tests/httproute-retry.yaml HTTPRoute/retries"),
    excluded(
        VERSION,
        "404 page not found",
        "examples/experimental/v1alpha2/tls-routing/tls-route.yaml TLSRoute/example-route",
    ),
    excluded(
        VERSION,
        "404 page not found",
        "examples/experimental/v1alpha3/tls-routing/tls-route.yaml TLSRoute/example-route",
    ),
];
