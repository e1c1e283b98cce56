// Package conformance runs those tests of the Gateway API's conformance suite that bear on isolation, inside namespaces
// that Octroi made: with its labels, its rights and its pod security, each namespace a tenant of its own, so that what
// crosses a namespace crosses a border between tenants.
//
// The suite makes Gateways, ListenerSets and ReferenceGrants, which no tenant may. It therefore runs as a member of the
// break-glass group, whom admission does not judge: what is shown is how the data plane isolates tenants, not admission.
//
// One guard would even so keep the data plane from making the proxies of Gateways in tenants' namespaces, where no tenant
// may have one. It leaves the suite's namespaces out, by name, while the tests run.
//
// Nothing of the suite is changed but this, in its manifests: Namespaces are left out, since Octroi makes them; the image
// of the echo server is one that the lab built from the suite's own source; pods say what Pod Security "restricted" wants;
// and a DNS server is left out that no selected test asks.
//
// Run it with `make conformance`.
package conformance
