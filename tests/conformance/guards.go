package conformance

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// proxyGuard refuses Services and pods with a data plane's labels in tenants' namespaces. The suite wants its Gateways
// there, where no tenant may have one, and the data plane makes their proxies beside them.
const proxyGuard = "octroi-route-metadata"

// allowProxies has that one guard leave out the suite's namespaces, by name. It returns what puts the guard back.
func (t tenants) allowProxies(ctx context.Context) (func(context.Context) error, error) {
	binding := object("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", proxyGuard, nil)
	if err := t.client.Get(ctx, client.ObjectKeyFromObject(binding), binding); err != nil {
		if client.IgnoreNotFound(err) == nil {
			return func(context.Context) error { return nil }, nil
		}
		return nil, err
	}
	all := binding.DeepCopy()
	unstructured.RemoveNestedField(all.Object, "spec", "matchResources", "namespaceSelector")
	selector := map[string]any{"matchExpressions": []any{map[string]any{
		"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": names(t.namespaces),
	}}}
	if err := unstructured.SetNestedMap(binding.Object, selector, "spec", "matchResources", "namespaceSelector"); err != nil {
		return nil, err
	}
	if err := t.client.Update(ctx, binding); err != nil {
		return nil, fmt.Errorf("%s: %w", proxyGuard, err)
	}
	return func(ctx context.Context) error {
		all.SetResourceVersion(binding.GetResourceVersion())
		return t.client.Update(ctx, all)
	}, nil
}

func names(namespaces map[string]map[string]string) []any {
	var found []any
	for _, name := range slices.Sorted(maps.Keys(namespaces)) {
		found = append(found, name)
	}
	return found
}
