package conformance

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
