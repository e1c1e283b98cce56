package conformance

import (
	"context"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

const (
	ownGatewayClass     = "octroi-conformance"
	parametersNamespace = "octroi-gateways"
)

// usedClass is the GatewayClass that a run uses.
type usedClass struct {
	name       string
	controller string
	remove     func(context.Context) error
}

// gatewayClass is the class that the suite's Gateways name. The lab gives a Service of type LoadBalancer no address, and
// the suite's Gateways name no parameters: so on Envoy Gateway the class brings them, and is a copy of the named one.
func gatewayClass(ctx context.Context, t tenants, like string) (usedClass, error) {
	found := &gatewayv1.GatewayClass{}
	if err := t.client.Get(ctx, client.ObjectKey{Name: like}, found); err != nil {
		return usedClass{}, fmt.Errorf("GatewayClass %s: %w (name another by -gateway-class)", like, err)
	}
	controller := string(found.Spec.ControllerName)
	if !strings.HasPrefix(controller, "gateway.envoyproxy.io/") {
		return usedClass{like, controller, func(context.Context) error { return nil }}, nil
	}
	requests := map[string]any{"cpu": "10m", "memory": "64Mi"}
	parameters := object("gateway.envoyproxy.io/v1alpha1", "EnvoyProxy", ownGatewayClass, map[string]any{
		// A proxy of a test's Gateway has nobody to wait for; its namespace cannot go before it.
		"shutdown": map[string]any{"drainTimeout": "2s", "minDrainDuration": "1s"},
		"provider": map[string]any{
			"type": "Kubernetes",
			"kubernetes": map[string]any{
				"envoyService": map[string]any{"type": "ClusterIP"},
				"envoyDeployment": map[string]any{
					"container": map[string]any{"resources": map[string]any{"requests": requests}},
				},
			},
		},
	})
	parameters.SetNamespace(parametersNamespace)
	class := object("gateway.networking.k8s.io/v1", "GatewayClass", ownGatewayClass, map[string]any{
		"controllerName": controller,
		"parametersRef": map[string]any{
			"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy",
			"name": ownGatewayClass, "namespace": parametersNamespace,
		},
	})
	if err := t.apply(ctx, parameters); err != nil {
		return usedClass{}, err
	}
	if err := t.apply(ctx, class); err != nil {
		return usedClass{}, err
	}
	remove := func(ctx context.Context) error {
		for _, o := range []client.Object{class, parameters} {
			if err := client.IgnoreNotFound(t.client.Delete(ctx, o)); err != nil {
				return err
			}
		}
		return nil
	}
	return usedClass{ownGatewayClass, controller, remove}, nil
}
