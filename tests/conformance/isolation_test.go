package conformance

import (
	"context"
	"flag"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	gwconformance "sigs.k8s.io/gateway-api/conformance"
	suitetests "sigs.k8s.io/gateway-api/conformance/tests"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/pkg/features"
)

// The suite's own flag is -gateway-class; its default here is the class of Octroi's chart.
var (
	echo   = flag.String("echo-image", "", "the image of the suite's echo server")
	issuer = flag.String("issuer", "lab-ca", "the ClusterIssuer of the tenants' certificates")
	only   = flag.String("only", "", "a regular expression: run only the tests with such a name")
	keep   = flag.Bool("keep", false, "leave tenants and backends for a next run")
	file   = flag.String("results", "results.json", "where results are kept; those of other tests stay")
)

func TestIsolation(t *testing.T) {
	options := gwconformance.DefaultOptions(t)
	chosen := choose(t, *only)
	manifests := tenantManifests{suite: &gwconformance.Manifests, image: *echo}
	require.NotEmpty(t, *echo, "-echo-image names no image")

	named := []string{"base/manifests.yaml"}
	for _, test := range chosen {
		named = append(named, test.Manifests...)
	}
	namespaces, err := manifests.namespaces(named)
	require.NoError(t, err)
	made := tenants{client: options.Client, namespaces: namespaces}
	like := options.GatewayClassName
	if like == "gateway-conformance" {
		like = "octroi-envoy-gateway"
	}
	class := raise(t, made, like)
	options.SupportedFeatures = supported(chosen, class.controller)

	collected, err := readResults(*file)
	require.NoError(t, err)
	began := time.Time{}
	for i := range chosen {
		// The suite says when a test is over, not when it begins.
		run := chosen[i].Test
		chosen[i].Test = func(t *testing.T, s *suite.ConformanceTestSuite) {
			began = time.Now()
			run(t, s)
		}
	}
	options.Hook = func(t *testing.T, test suite.ConformanceTest, _ *suite.ConformanceTestSuite) {
		took, why := time.Since(began), ""
		if t.Skipped() {
			_, why = notClaimed(class.controller, test.Features)
			took = 0
		}
		collected.add(test.ShortName, t.Failed(), t.Skipped(), took, why)
		if err := collected.write(*file); err != nil {
			t.Errorf("keeping the results: %v", err)
		}
	}
	options.GatewayClassName = class.name
	options.ManifestFS = []fs.FS{manifests}
	options.CleanupBaseResources = !*keep
	options.DisableParallelTests = true

	s, err := suite.NewConformanceTestSuite(options)
	require.NoError(t, err)
	s.Setup(t, chosen)
	require.NoError(t, s.Run(t, chosen))
	t.Run("NamespacesAreOctrois", func(t *testing.T) { require.NoError(t, made.check(context.Background())) })
	collected.table(os.Stdout)
}

// raise makes the tenants; they go when the test ends, after everything that the suite put into them.
func raise(t *testing.T, made tenants, like string) usedClass {
	t.Helper()
	ctx := context.Background()
	class, err := gatewayClass(ctx, made, like)
	require.NoError(t, err)
	guard, err := made.allowProxies(ctx)
	require.NoError(t, err)
	t.Cleanup(func() {
		if *keep {
			return
		}
		if err := guard(ctx); err != nil {
			t.Errorf("putting %s back: %v", proxyGuard, err)
		}
		if err := made.down(ctx); err != nil {
			t.Errorf("removing the tenants: %v", err)
		}
		if err := class.remove(ctx); err != nil {
			t.Errorf("removing the GatewayClass: %v", err)
		}
	})
	require.NoError(t, made.up(ctx, class.name, *issuer))
	return class
}

// supported are the features that the tests need and the data plane claims: the class's status does not list them on
// every data plane, so a feature that is missing without being named in unclaimed shows as a failure.
func supported(chosen []suite.ConformanceTest, controller string) []features.FeatureName {
	var found []features.FeatureName
	for _, test := range chosen {
		for _, feature := range test.Features {
			if missing, _ := notClaimed(controller, []features.FeatureName{feature}); missing == "" {
				found = append(found, feature)
			}
		}
	}
	return found
}

// choose finds the selected tests in the suite: one that the suite does not have any more is a mistake of ours.
func choose(t *testing.T, only string) []suite.ConformanceTest {
	t.Helper()
	wanted, err := regexp.Compile(only)
	require.NoError(t, err)
	var chosen []suite.ConformanceTest
	for _, group := range isolationTests {
		for _, name := range group.names {
			at := slices.IndexFunc(suitetests.ConformanceTests, func(test suite.ConformanceTest) bool {
				return test.ShortName == name
			})
			require.GreaterOrEqual(t, at, 0, "the suite has no test %s", name)
			if wanted.MatchString(name) {
				chosen = append(chosen, suitetests.ConformanceTests[at])
			}
		}
	}
	require.NotEmpty(t, chosen, "no test has a name like %s", only)
	return chosen
}
