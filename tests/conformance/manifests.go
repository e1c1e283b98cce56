package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

// echoImage finds the suite's echo server, whichever version and registry a manifest names.
var echoImage = regexp.MustCompile(`^.*/echo-basic:.*$`)

// unusedBackend is a DNS server with a port of root's; no selected test asks it anything.
const unusedBackend = "coredns"

// tenantManifests serves the suite's manifests as they can be applied in namespaces that Octroi made.
type tenantManifests struct {
	suite fs.FS
	image string
}

// Open is not what the suite reads by.
func (m tenantManifests) Open(name string) (fs.File, error) { return m.suite.Open(name) }

// ReadFile adapts every document of a file.
func (m tenantManifests) ReadFile(name string) ([]byte, error) {
	objects, err := m.objects(name)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, object := range objects {
		if isNamespace(object) || (object.GetKind() == "Deployment" && object.GetName() == unusedBackend) {
			continue
		}
		if template, found, _ := unstructured.NestedMap(object.Object, "spec", "template", "spec"); found {
			if err := m.adaptPod(template); err != nil {
				return nil, fmt.Errorf("%s: %s %s: %w", name, object.GetKind(), object.GetName(), err)
			}
			if err := unstructured.SetNestedMap(object.Object, template, "spec", "template", "spec"); err != nil {
				return nil, err
			}
		}
		document, err := sigsyaml.Marshal(object.Object)
		if err != nil {
			return nil, err
		}
		out.WriteString("---\n")
		out.Write(document)
	}
	return out.Bytes(), nil
}

func (m tenantManifests) adaptPod(pod map[string]any) error {
	pod["securityContext"] = map[string]any{
		"runAsNonRoot":   true,
		"seccompProfile": map[string]any{"type": "RuntimeDefault"},
	}
	containers, found, err := unstructured.NestedSlice(pod, "containers")
	if err != nil || !found {
		return errors.Join(errors.New("a pod without containers"), err)
	}
	for _, each := range containers {
		container, ok := each.(map[string]any)
		if !ok {
			return errors.New("a container that is no object")
		}
		image, _, _ := unstructured.NestedString(container, "image")
		if !echoImage.MatchString(image) {
			return fmt.Errorf("the lab has no image for %q", image)
		}
		container["image"] = m.image
		container["securityContext"] = map[string]any{
			"allowPrivilegeEscalation": false,
			"capabilities":             map[string]any{"drop": []any{"ALL"}},
		}
	}
	return unstructured.SetNestedSlice(pod, containers, "containers")
}

// namespaces are those that the files would make, with the labels that they would give them.
func (m tenantManifests) namespaces(names []string) (map[string]map[string]string, error) {
	found := map[string]map[string]string{}
	for _, name := range names {
		objects, err := m.objects(name)
		if err != nil {
			return nil, err
		}
		for _, object := range objects {
			if isNamespace(object) {
				found[object.GetName()] = object.GetLabels()
			}
		}
	}
	return found, nil
}

func (m tenantManifests) objects(name string) ([]*unstructured.Unstructured, error) {
	content, err := fs.ReadFile(m.suite, name)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	for {
		object := &unstructured.Unstructured{}
		switch err := decoder.Decode(object); {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, fmt.Errorf("%s: %w", name, err)
		case len(object.Object) > 0:
			objects = append(objects, object)
		}
	}
}

func isNamespace(object *unstructured.Unstructured) bool {
	return object.GetKind() == "Namespace" && object.GetAPIVersion() == "v1"
}
