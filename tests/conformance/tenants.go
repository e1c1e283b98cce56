package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	octroiAPI    = "octroi.dev/v1alpha1"
	tenantClass  = "conformance"
	fieldManager = "conformance"
	poll         = 200 * time.Millisecond
	// patience covers a proxy and a dozen certificates on a small machine.
	patience = 5 * time.Minute
)

// tenants makes, keeps and removes the namespaces of the suite: each is the namespace of a Tenant of the same name.
type tenants struct {
	client client.Client
	// namespaces by name, with the labels that the suite wants beside Octroi's.
	namespaces map[string]map[string]string
}

// up applies the class and the Tenants, and waits until every namespace is in place.
func (t tenants) up(ctx context.Context, gatewayClass, issuer string) error {
	if err := t.apply(ctx, object(octroiAPI, "TenantClass", tenantClass, map[string]any{
		"baseDomain": "conformance.test",
		"gateway": map[string]any{
			"gatewayClassName": gatewayClass,
			"proxy": map[string]any{
				"replicas": map[string]any{"min": int64(1), "max": int64(1)},
				"service":  map[string]any{"type": "ClusterIP"},
			},
		},
		"tls": map[string]any{"issuerRef": map[string]any{"name": issuer}},
	})); err != nil {
		return err
	}
	for name := range t.namespaces {
		if err := t.apply(ctx, object(octroiAPI, "Tenant", name, map[string]any{
			"className": tenantClass,
			"members":   []any{map[string]any{"kind": "Group", "name": "conformance-devs"}},
			"deletion":  map[string]any{"protect": false, "namespaces": "Delete"},
		})); err != nil {
			return err
		}
	}
	for name, labels := range t.namespaces {
		if err := t.ready(ctx, name); err != nil {
			return err
		}
		if len(labels) > 0 {
			namespace := object("v1", "Namespace", name, nil)
			namespace.SetLabels(labels)
			if err := t.apply(ctx, namespace); err != nil {
				return err
			}
		}
	}
	return t.check(ctx)
}

// ready waits for the condition NamespacesReady of the Tenant's own generation.
func (t tenants) ready(ctx context.Context, name string) error {
	seen := "nothing"
	err := wait.PollUntilContextTimeout(ctx, poll, patience, true, func(ctx context.Context) (bool, error) {
		tenant := object(octroiAPI, "Tenant", name, nil)
		if err := t.client.Get(ctx, client.ObjectKeyFromObject(tenant), tenant); err != nil {
			return false, err
		}
		conditions, _, err := unstructured.NestedSlice(tenant.Object, "status", "conditions")
		if err != nil {
			return false, err
		}
		for _, each := range conditions {
			condition, ok := each.(map[string]any)
			if !ok || condition["type"] != "NamespacesReady" {
				continue
			}
			seen = fmt.Sprintf("NamespacesReady=%v, %v: %v", condition["status"], condition["reason"], condition["message"])
			return condition["status"] == string(metav1.ConditionTrue) && condition["observedGeneration"] == tenant.GetGeneration(), nil
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("Tenant %s: %w; seen last: %s", name, err, seen)
	}
	return nil
}

// check says whether every namespace still is what Octroi made it: the suite must not have run anywhere else.
func (t tenants) check(ctx context.Context) error {
	var wrong []error
	for name, extra := range t.namespaces {
		namespace := &corev1.Namespace{}
		if err := t.client.Get(ctx, client.ObjectKey{Name: name}, namespace); err != nil {
			wrong = append(wrong, err)
			continue
		}
		want := map[string]string{
			"octroi.dev/tenant":                  name,
			"octroi.dev/role":                    "tenant",
			"app.kubernetes.io/managed-by":       "octroi",
			"pod-security.kubernetes.io/enforce": "restricted",
		}
		for key, value := range extra {
			want[key] = value
		}
		for key, value := range want {
			if namespace.Labels[key] != value {
				wrong = append(wrong, fmt.Errorf("namespace %s: label %s is %q, not %q", name, key, namespace.Labels[key], value))
			}
		}
	}
	return errors.Join(wrong...)
}

// down removes the Tenants of the class with their namespaces, those of earlier runs too, then the class, and waits until
// all are gone.
func (t tenants) down(ctx context.Context) error {
	all := &unstructured.UnstructuredList{}
	all.SetAPIVersion(octroiAPI)
	all.SetKind("TenantList")
	if err := t.client.List(ctx, all); err != nil {
		return err
	}
	var left []client.Object
	for i := range all.Items {
		tenant := &all.Items[i]
		if class, _, _ := unstructured.NestedString(tenant.Object, "spec", "className"); class != tenantClass {
			continue
		}
		if err := client.IgnoreNotFound(t.client.Delete(ctx, tenant)); err != nil {
			return err
		}
		left = append(left, tenant, object("v1", "Namespace", tenant.GetName(), nil))
	}
	if err := t.gone(ctx, left); err != nil {
		return err
	}
	// The class counts its Tenants in its status: the last one may just have gone.
	class := object(octroiAPI, "TenantClass", tenantClass, nil)
	return wait.PollUntilContextTimeout(ctx, poll, patience, true, func(ctx context.Context) (bool, error) {
		err := client.IgnoreNotFound(t.client.Delete(ctx, class))
		if apierrors.IsForbidden(err) {
			return false, nil
		}
		return err == nil, err
	})
}

func (t tenants) gone(ctx context.Context, objects []client.Object) error {
	err := wait.PollUntilContextTimeout(ctx, poll, patience, true, func(ctx context.Context) (bool, error) {
		var failed error
		objects = slices.DeleteFunc(objects, func(o client.Object) bool {
			err := t.client.Get(ctx, client.ObjectKeyFromObject(o), o)
			if client.IgnoreNotFound(err) != nil {
				failed = err
			}
			return apierrors.IsNotFound(err)
		})
		return len(objects) == 0, failed
	})
	if err != nil {
		var names []string
		for _, o := range objects {
			names = append(names, o.GetObjectKind().GroupVersionKind().Kind+" "+o.GetName())
		}
		return fmt.Errorf("still there: %s: %w", strings.Join(names, ", "), err)
	}
	return nil
}

func (t tenants) apply(ctx context.Context, o *unstructured.Unstructured) error {
	err := t.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(o), client.FieldOwner(fieldManager), client.ForceOwnership)
	if err != nil {
		return fmt.Errorf("applying %s %s: %w", o.GetKind(), o.GetName(), err)
	}
	return nil
}

func object(apiVersion, kind, name string, spec map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{}}
	o.SetAPIVersion(apiVersion)
	o.SetKind(kind)
	o.SetName(name)
	if spec != nil {
		o.Object["spec"] = spec
	}
	return o
}
