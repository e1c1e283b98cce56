//! The other ways to write than a create and a replace: applies, patches, collections, connects; and the size of things.

use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use octroi_tests::{manifest, strict};
use serde_json::{Value, json};

use crate::case::created;
use crate::world::{DEVELOPER, World};

const FOREIGN: &str = "spec.hostnames[0] \"www.globex.apps.test\" is not a host of Tenant acme";

fn route(name: &str, host: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": "acme-prod"},
        "spec": {"hostnames": [host], "rules": [{"backendRefs": [{"name": "web", "port": 80}]}]},
    })
}

fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "acme-prod"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    })
}

async fn api(client: &Client, object: &Value) -> Api<DynamicObject> {
    strict::endpoint(client, object).await.unwrap()
}

fn said<T: std::fmt::Debug>(outcome: kube::Result<T>) -> String {
    match outcome.unwrap_err() {
        kube::Error::Api(status) => status.message,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn every_kind_of_patch_is_judged_by_what_comes_out() {
    let world = World::shared().await;
    let dev = world.client(DEVELOPER).await;
    let routes = api(&dev, &route("patched", "")).await;
    let manager = PatchParams::apply("dev").force();
    let apply = |host: &str| Patch::Apply(route("patched", host));
    assert!(said(routes.patch("patched", &manager, &apply("www.globex.apps.test")).await).contains(FOREIGN));
    routes.patch("patched", &manager, &apply("www.acme.apps.test")).await.unwrap();
    assert!(said(routes.patch("patched", &manager, &apply("www.globex.apps.test")).await).contains(FOREIGN));

    let plain = PatchParams::default();
    let merge = |host: &str| Patch::Merge(json!({"spec": {"hostnames": [host]}}));
    assert!(said(routes.patch("patched", &plain, &merge("www.globex.apps.test")).await).contains(FOREIGN));
    routes.patch("patched", &plain, &merge("shop.acme.example")).await.unwrap();

    let json_patch = |host: &str| {
        let operations = json!([{"op": "replace", "path": "/spec/hostnames/0", "value": host}]);
        Patch::<()>::Json(serde_json::from_value(operations).unwrap())
    };
    assert!(said(routes.patch("patched", &plain, &json_patch("www.globex.apps.test")).await).contains(FOREIGN));
    routes.patch("patched", &plain, &json_patch("acme.apps.test")).await.unwrap();

    let services = api(&dev, &service("patched")).await;
    created(&dev, &service("patched")).await;
    let strategic = |spec: Value| Patch::Strategic(json!({"spec": spec}));
    let outside = strategic(json!({"type": "ExternalName", "externalName": "a.b", "clusterIP": null}));
    assert!(
        said(services.patch("patched", &plain, &outside).await).contains("spec.type ExternalName is not for Services")
    );
    let moved = strategic(json!({"selector": {"app": "api"}}));
    services.patch("patched", &plain, &moved).await.unwrap();
}

#[tokio::test]
async fn a_data_plane_reports_on_every_route_whatever_it_holds() {
    let world = World::shared().await;
    let mut old = route("reported", "withdrawn.example");
    created(&world.rescue, &old).await;
    // Not exempt by name: any data plane's account is like this one.
    let plane = world.client("system:serviceaccount:envoy-gateway-system:envoy-gateway").await;
    let parent =
        json!({"group": "gateway.networking.k8s.io", "kind": "ListenerSet", "name": "acme", "namespace": "gw-acme"});
    let accepted = json!({"type": "Accepted", "status": "True", "reason": "Accepted", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z"});
    old["status"] =
        json!({"parents": [{"controllerName": "example.com/gateway", "parentRef": parent, "conditions": [accepted]}]});
    let stored =
        api(&plane, &old).await.patch_status("reported", &PatchParams::apply("plane"), &Patch::Apply(&old)).await;
    assert_eq!(stored.unwrap().data["status"]["parents"][0]["controllerName"], "example.com/gateway");
}

#[tokio::test]
async fn a_collection_goes_as_far_as_it_is_the_tenants_own() {
    let world = World::shared().await;
    let dev = world.client(DEVELOPER).await;
    for name in ["many-a", "many-b"] {
        let mut object = route(name, "www.acme.apps.test");
        object["metadata"]["labels"] = json!({"test": "many"});
        created(&dev, &object).await;
    }
    let ours = ListParams::default().labels("test=many");
    let routes = api(&dev, &route("many-a", "")).await;
    routes.delete_collection(&DeleteParams::default(), &ours).await.unwrap();
    assert_eq!(routes.list(&ours).await.unwrap().items.len(), 0);

    let map = |name: &str, labels: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "acme-two", "labels": labels}});
    let theirs = map("octroi-entry", json!({"test": "many", "app.kubernetes.io/managed-by": "octroi"}));
    created(&world.rescue, &theirs).await;
    created(&dev, &map("own", json!({"test": "many"}))).await;
    let maps = api(&dev, &theirs).await;
    let refused = said(maps.delete_collection(&DeleteParams::default(), &ours).await);
    assert!(refused.contains("ConfigMap octroi-entry belongs to Octroi"), "{refused}");
    assert!(maps.get_opt("octroi-entry").await.unwrap().is_some());
}

#[tokio::test]
async fn nobody_but_break_glass_gets_into_a_proxy() {
    let world = World::shared().await;
    let admin = world.lab.client().unwrap();
    let ways = [
        ("pods/proxy/exec?command=sh&stdout=true", "pods/exec"),
        ("pods/proxy/attach?stdout=true", "pods/attach"),
        ("pods/proxy/portforward?ports=19000", "pods/portforward"),
        ("pods/proxy:19000/proxy/config_dump", "pods/proxy"),
        ("services/proxy:19000/proxy/", "services/proxy"),
    ];
    for namespace in ["gw-acme", "octroi-gateways"] {
        for (way, name) in ways {
            let expected =
                format!("{name} is not admitted in namespace {namespace}, where keys of certificates are in use");
            let refused = post(&admin, namespace, way).await;
            assert!(refused.contains(&expected), "{namespace} {way}: {refused}");
            let rescue = post(&world.rescue, namespace, way).await;
            assert!(!rescue.contains("octroi-gateways' with binding"), "{namespace} {way}: {rescue}");
        }
    }
    // A tenant's own pods are its own.
    let own = post(&world.client(DEVELOPER).await, "acme-prod", ways[0].0).await;
    assert!(own.contains("not found") && !own.contains("ValidatingAdmissionPolicy"), "{own}");
}

/// What the API server says to a POST, of which none succeeds: there is no pod behind it.
async fn post(client: &Client, namespace: &str, path: &str) -> String {
    let request = hyper::Request::post(format!("/api/v1/namespaces/{namespace}/{path}")).body(Vec::new()).unwrap();
    client
        .request_text(request)
        .await
        .map_err(|error| match error {
            kube::Error::Api(status) => status.message,
            other => other.to_string(),
        })
        .unwrap_err()
}

#[tokio::test]
async fn only_a_kubelet_gets_a_token_of_a_proxys_account() {
    let world = World::shared().await;
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "proxy", "namespace": "gw-acme"}});
    created(&world.rescue, &account).await;
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    for (user, passes) in [("admin", false), ("operator", false), ("system:node:one", true), ("rescue", true)] {
        let accounts = api(&world.client(user).await, &account).await;
        let outcome: kube::Result<Value> =
            accounts.create_subresource("token", "proxy", &PostParams::default(), &request).await;
        match outcome {
            Ok(token) => assert!(passes && token["status"]["token"].is_string(), "{user}: {token}"),
            Err(error) => assert!(
                !passes && error.to_string().contains("serviceaccounts/token is not admitted in namespace gw-acme"),
                "{user}: {error}"
            ),
        }
    }
}

#[tokio::test]
async fn a_reason_for_a_hold_is_short() {
    let world = World::shared().await;
    let admin = world.lab.client().unwrap();
    for (length, passes) in [(256, true), (257, false)] {
        let annotations = json!({"octroi.dev/hold": "Cordoned", "octroi.dev/hold-reason": "x".repeat(length)});
        let tenant = json!({"apiVersion": "octroi.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": "long", "annotations": annotations},
            "spec": {"members": [{"kind": "Group", "name": "devs"}]}});
        let tenants = api(&admin, &tenant).await;
        let outcome = tenants.patch("long", &PatchParams::apply("a").dry_run(), &Patch::Apply(&tenant)).await;
        match outcome {
            Ok(_) => assert!(passes, "{length}"),
            Err(error) => {
                assert!(!passes && error.to_string().contains("has 257 characters, and at most 256 fit"), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn a_policy_of_kgateway_is_the_platforms_too() {
    let world = World::shared().await;
    if !world.has_kgateway {
        println!("skipped: kgateway's CRDs are absent");
        return;
    }
    let dev = world.client(DEVELOPER).await;
    let target = json!({"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "a"});
    let specs = [
        ("TrafficPolicy", json!({"targetRefs": [target], "extProc": {"disable": {}}})),
        ("Backend", json!({"type": "Static", "static": {"hosts": [{"host": "169.254.169.254", "port": 80}]}})),
        ("DirectResponse", json!({"status": 200})),
    ];
    for (kind, spec) in specs {
        let object = json!({"apiVersion": "gateway.kgateway.dev/v1alpha1", "kind": kind,
            "metadata": {"name": "own", "namespace": "acme-prod"}, "spec": spec});
        let refused = said(
            api(&dev, &object).await.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await,
        );
        assert!(refused.contains(&format!("{kind} (gateway.kgateway.dev) is the platform's")), "{refused}");
    }
}

/// A group in a policy's rules is harmless while nothing of it is installed (every other test shows that), and guarded
/// from the moment on when something is.
#[tokio::test]
async fn a_group_that_is_installed_later_is_guarded_then() {
    let world = World::shared().await;
    let dev = world.client(DEVELOPER).await;
    for (group, kind, plural, guard) in [
        ("agentgateway.dev", "AgentgatewayPolicy", "agentgatewaypolicies", "octroi-platform-kinds"),
        ("gateway.networking.x-k8s.io", "XBackendTrafficPolicy", "xbackendtrafficpolicies", "octroi-platform-kinds"),
        ("cilium.io", "CiliumNetworkPolicy", "ciliumnetworkpolicies", "octroi-tenant-limits"),
        ("crd.projectcalico.org", "NetworkPolicy", "networkpolicies", "octroi-tenant-limits"),
    ] {
        crate::helm::apply(&world.rescue, &definition(group, kind, plural)).await;
        let object = json!({"apiVersion": format!("{group}/v1"), "kind": kind, "metadata": {"name": "own", "namespace": "acme-prod"}});
        let refused = async || {
            let Ok(api) = strict::endpoint(&dev, &object).await else { return false };
            let attempt = api.create(&PostParams::default(), &serde_json::from_value(object.clone()).unwrap()).await;
            match attempt {
                Err(kube::Error::Api(status)) if status.message.contains(&format!("'{guard}'")) => true,
                Err(_) => false,
                Ok(stored) => panic!("{group} {}: let through", stored.name_any()),
            }
        };
        crate::helm::eventually(&format!("{kind} of {group} is guarded"), refused).await;
    }
}

/// A kind of any content. Some groups are the Kubernetes project's own, which wants to know who approved them.
fn definition(group: &str, kind: &str, plural: &str) -> Value {
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let mut object = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
        },
    });
    if manifest::name(&object).ends_with("k8s.io") {
        object["metadata"]["annotations"] = json!({"api-approved.kubernetes.io": "unapproved, for a test"});
    }
    object
}
