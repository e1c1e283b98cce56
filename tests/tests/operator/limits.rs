//! What a tenant's namespace may hold, and from when on.

use std::time::{Duration, Instant};

use kube::api::{DynamicObject, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::world::{
    CONFIG_MAP, Kind, LIMITS, NAMESPACE, QUOTA, ROUTE, TENANT, World, apply, class, condition, patch, tenant, within,
};

/// New tenants whose first route is timed.
const TENANTS: usize = 20;
/// Kubernetes looks for new kinds every 30 seconds, and not when it is busy.
const COUNTED_WITHIN: Duration = Duration::from_mins(3);
const POD: Kind = Kind::core("Pod", "pods");
const SERVICE: Kind = Kind::core("Service", "services");

async fn create(api: &Api<DynamicObject>, object: &Value, dry_run: bool) -> Result<DynamicObject, String> {
    let object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
    let params = PostParams { dry_run, ..PostParams::default() };
    match api.create(&params, &object).await {
        Err(kube::Error::Api(status)) => Err(status.message.clone()),
        other => other.map_err(|error| error.to_string()),
    }
}

fn route(name: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": name},
        "spec": {"rules": [{"backendRefs": [{"name": "web", "port": 80}]}]},
    })
}

fn service(service_type: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"type": service_type, "ports": [{"port": 80}]},
    })
}

#[tokio::test]
async fn from_ready_on_the_quota_counts_and_containers_have_limits() {
    let (world, client) = World::shared().await;
    let mut offer = class("counted", "counted.test", &json!({}));
    offer["spec"]["namespaces"] = json!({
        "quota": {"count/httproutes.gateway.networking.k8s.io": "2", "requests.cpu": "1500m"},
        "limitRange": {"max": {"memory": "1024Mi"}},
    });
    apply(&client, &offer).await;
    apply(&client, &tenant("counted", "counted", &json!({}))).await;
    world.ready(&client, &["counted"]).await;

    let quota = QUOTA.within(&client, "counted").get("octroi").await.unwrap().data;
    assert_eq!(quota["status"]["hard"], quota["spec"]["hard"]);
    assert_eq!(quota["spec"]["hard"]["pods"], "200");

    let routes = ROUTE.within(&client, "counted");
    for name in ["one", "two"] {
        create(&routes, &route(name), false).await.unwrap_or_else(|error| panic!("{error}"));
    }
    let refused = create(&routes, &route("three"), false).await.unwrap_err();
    assert!(refused.contains("exceeded quota: octroi"), "{refused}");
    let services = SERVICE.within(&client, "counted");
    for service_type in ["LoadBalancer", "NodePort"] {
        let refused = create(&services, &service(service_type), true).await.unwrap_err();
        assert!(refused.contains("exceeded quota: octroi"), "{refused}");
    }
    create(&services, &service("ClusterIP"), true).await.unwrap_or_else(|error| panic!("{error}"));

    let pod = |resources: Value| {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
            "spec": {
                "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [{
                    "name": "web", "image": "web", "resources": resources,
                    "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
                }],
            },
        })
    };
    let pods = POD.within(&client, "counted");
    let taken = create(&pods, &pod(json!({})), true).await.unwrap_or_else(|error| panic!("{error}"));
    let resources = &taken.data["spec"]["containers"][0]["resources"];
    assert_eq!(resources, &json!({"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}));
    let refused = create(&pods, &pod(json!({"limits": {"memory": "2Gi"}})), true).await.unwrap_err();
    assert!(refused.contains("maximum memory usage per Container is 1Gi"), "{refused}");
}

#[tokio::test]
async fn a_class_that_changes_its_limits_changes_them_everywhere_once() {
    let (world, client) = World::shared().await;
    apply(&client, &class("raised", "raised.test", &json!({}))).await;
    let namespaces = json!({"namespaces": [{"name": "raised-a"}, {"name": "raised-b"}]});
    apply(&client, &tenant("raised", "raised", &namespaces)).await;
    world.ready(&client, &["raised"]).await;
    let raise =
        json!({"spec": {"namespaces": {"quota": {"pods": "1000"}, "limitRange": {"default": {"memory": "1024Mi"}}}}});
    patch(&crate::world::CLASS.all(&client), "raised", &raise).await;
    for namespace in ["raised-a", "raised-b"] {
        world
            .eventually("the new limits", async || {
                let quota = QUOTA.within(&client, namespace).get("octroi").await.unwrap().data;
                let limits = LIMITS.within(&client, namespace).get("octroi").await.unwrap().data;
                let is_so = quota["status"]["hard"]["pods"] == "1k"
                    && limits["spec"]["limits"][0]["default"]["memory"] == "1Gi";
                if is_so { Ok(()) } else { Err(format!("{quota} {limits}")) }
            })
            .await;
    }
    world.ready(&client, &["raised"]).await;
}

/// When a new tenant's first route is taken, counted from when its namespace is there; and for how long routes are refused in
/// between, since a quota counts nothing until Kubernetes has looked at it once.
#[tokio::test]
async fn the_first_route_of_a_new_tenant_is_not_kept_waiting() {
    // Of its own: other tests would share the API server's time.
    let world = World::start().await;
    let client = world.lab.client().unwrap();
    apply(&client, &class("quick", "quick.test", &json!({}))).await;
    // Kubernetes begins to count a kind some seconds after its CustomResourceDefinition came, which is no new tenant's matter.
    apply(&client, &tenant("quick", "quick", &json!({}))).await;
    world.ready(&client, &["quick"]).await;
    let counted = within(COUNTED_WITHIN, "HTTPRoutes are counted", async || probe(&client, "quick").await).await;
    counted.unwrap_or_else(|late| panic!("{late}"));

    let mut times = [const { Vec::new() }; 3];
    for index in 0..TENANTS {
        let name = format!("quick-{index}");
        let since = Instant::now();
        apply(&client, &tenant(&name, "quick", &json!({}))).await;
        let (first, refused) = first_route(&client, &name).await;
        times[0].push(first);
        times[1].push(refused);
        times[2].push(since.elapsed());
    }
    for (what, mut times) in
        ["namespace to first route", "refused in between", "Tenant to NamespacesReady"].into_iter().zip(times.clone())
    {
        times.sort();
        println!("{what}: p50 {:?}, slowest {:?}", times[TENANTS / 2], times[TENANTS - 1]);
    }
    times[0].sort();
    assert!(times[0][TENANTS / 2] < Duration::from_secs(1), "{:?}", times[0]);
}

/// Tries until the Tenant is ready; from the namespace to the first route that is taken, and from the first to the last that
/// is refused.
async fn first_route(client: &Client, name: &str) -> (Duration, Duration) {
    let namespaces = NAMESPACE.all(client);
    let there = within(crate::world::LIMIT, "the namespace", async || {
        namespaces.get_opt(name).await.unwrap().map(|_| Instant::now()).ok_or_else(String::new)
    });
    let there = there.await.unwrap_or_else(|late| panic!("{late}"));
    let (mut first, mut refused) = (None, Vec::new());
    loop {
        match probe(client, name).await {
            Ok(()) => drop(first.get_or_insert_with(|| there.elapsed())),
            Err(why) => {
                assert!(why.contains("status unknown for quota"), "{why}");
                refused.push(Instant::now());
            }
        }
        let now = TENANT.all(client).get(name).await.unwrap();
        let is_ready = condition(&now, "NamespacesReady").is_some_and(|c| c["status"] == "True");
        if let Some(first) = first.filter(|_| is_ready) {
            // From here on none is refused.
            probe(client, name).await.unwrap_or_else(|error| panic!("after NamespacesReady: {error}"));
            assert!(CONFIG_MAP.within(client, name).get_opt("octroi-entry").await.unwrap().is_some());
            let window = refused.first().map(Instant::elapsed).zip(refused.last().map(Instant::elapsed));
            return (first, window.map_or(Duration::ZERO, |(from, to)| from.saturating_sub(to)));
        }
        assert!(there.elapsed() < crate::world::LIMIT, "{}", now.data["status"]);
    }
}

async fn probe(client: &Client, namespace: &str) -> Result<(), String> {
    create(&ROUTE.within(client, namespace), &route("first"), true).await.map(drop)
}
