package conformance

import (
	"strings"

	"sigs.k8s.io/gateway-api/pkg/features"
)

// unclaimed are features that a data plane does not claim to have, by the name of its controller. The suite skips tests
// that need one, and they are reported as skipped.
var unclaimed = []struct {
	controller string
	feature    features.FeatureName
	why        string
}{
	{
		"gateway.envoyproxy.io/", features.SupportGatewayHTTPSListenerDetectMisdirectedRequests,
		"optional, and not claimed by Envoy Gateway: it offers no HTTP/2 on listeners that overlap, over which the test asks",
	},
}

// notClaimed says why a data plane does not claim one of these features; nothing when it claims all.
func notClaimed(controller string, wanted []features.FeatureName) (features.FeatureName, string) {
	for _, one := range unclaimed {
		for _, feature := range wanted {
			if feature == one.feature && strings.HasPrefix(controller, one.controller) {
				return feature, one.why
			}
		}
	}
	return "", ""
}

// isolationTests are the names of the suite's tests that bear on isolation, by what they are about.
var isolationTests = []struct {
	about string
	names []string
}{
	{"listeners are apart", []string{
		"GatewayHTTPListenerIsolation",
		"HTTPRouteHTTPSListenerDetectMisdirectedRequests",
	}},
	{"hostnames of routes and listeners", []string{
		"HTTPRouteHostnameIntersection",
		"HTTPRouteListenerHostnameMatching",
		"GRPCRouteListenerHostnameMatching",
		"TLSRouteHostnameIntersection",
		"TLSRouteInvalidNoMatchingListenerHostname",
	}},
	{"parents in other namespaces", []string{
		"HTTPRouteCrossNamespace",
		"HTTPRouteInvalidCrossNamespaceParentRef",
		"UDPRouteNotAllowedByListeners",
	}},
	{"backends in other namespaces", []string{
		"HTTPRouteInvalidCrossNamespaceBackendRef",
		"TCPRouteInvalidCrossNamespaceBackendRef",
		"UDPRouteInvalidCrossNamespaceBackendRef",
	}},
	{"ReferenceGrants", []string{
		"HTTPRouteReferenceGrant",
		"HTTPRouteInvalidReferenceGrant",
		"HTTPRoutePartiallyInvalidViaInvalidReferenceGrant",
		"TLSRouteInvalidReferenceGrant",
		"TCPRouteReferenceGrant",
		"UDPRouteReferenceGrant",
		"GatewaySecretMissingReferenceGrant",
		"GatewaySecretInvalidReferenceGrant",
		"GatewaySecretReferenceGrantSpecific",
		"GatewaySecretReferenceGrantAllInNamespace",
		"ListenerSetReferenceGrant",
	}},
	{"who may bring listeners", []string{
		"ListenerSetDefaultNotAllowed",
		"ListenerSetAllowedNamespaceNone",
		"ListenerSetAllowedNamespaceSame",
		"ListenerSetAllowedNamespaceSelector",
		"ListenerSetHostnameConflict",
		"ListenerSetProtocolConflict",
	}},
	{"who may attach to a ListenerSet", []string{
		"ListenerSetAllowedRoutesNamespaces",
		"ListenerSetRouteStatusScopedToParentRef",
		"ListenerSetDualParentRefIndependence",
	}},
	{"kinds of routes", []string{
		"HTTPRouteDisallowedKind",
		"GatewayInvalidRouteKind",
		"ListenerSetAllowedRoutesSupportedKinds",
	}},
}
