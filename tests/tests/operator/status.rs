//! A status never says more than what was seen.

use std::time::Duration;

use k8s_openapi::api::events::v1::Event;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use octroi_tests::player::{Order, Part};
use serde_json::{Value, json};

use crate::history::{Entry, History, Scene};
use crate::world::{
    CERTIFICATE, CLAIM, ENTRY, GATEWAY, GATEWAYS, KGATEWAY, TENANT, World, apply, class, condition, delete,
    has_kgateway, patch, tenant, within,
};

#[tokio::test]
async fn ready_is_never_said_of_a_generation_before_all_of_it_was_there_and_served() {
    let (world, client) = World::shared().await;
    let history = History::of(&client, &[TENANT, CLAIM, ENTRY, CERTIFICATE, GATEWAY]).await;
    apply(&client, &class("truth", "truth.test", &json!({}))).await;
    let names = ["truth-a", "truth-b"];
    let modes = [json!({"mode": "Shared"}), json!({"mode": "Dedicated"})];
    for domains in [json!([]), json!(["x"]), json!(["x", "y"]), json!(["y"]), json!(["z"])] {
        for (name, mode) in names.iter().zip(&modes) {
            let hosts = domains
                .as_array()
                .unwrap()
                .iter()
                .map(|d| json!({"host": format!("{}.{name}.example", d.as_str().unwrap())}));
            let spec = json!({"gateway": mode, "domains": hosts.collect::<Vec<_>>()});
            apply(&client, &tenant(name, "truth", &spec)).await;
        }
        // Half of the generations are overtaken by the next one.
        if domains.as_array().unwrap().len() != 1 {
            world.ready(&client, &names).await;
        }
    }
    world.ready(&client, &names).await;
    let mut said = 0;
    for (entry, scene) in history.scenes().await {
        if entry.kind == TENANT && entry.object.name_any().starts_with("truth-") && is_ready(&entry) {
            said += 1;
            let missing = missing(&entry, &scene);
            assert!(missing.is_empty(), "{} at {}: {missing:?}", entry.object.name_any(), entry.version);
        }
    }
    assert!(said >= 6, "Ready was said only {said} times");
}

fn is_ready(entry: &Entry) -> bool {
    let ready = condition(&entry.object, "Ready");
    ready.is_some_and(|c| c["status"] == "True" && c["observedGeneration"].as_i64() == entry.object.metadata.generation)
}

/// What a Tenant that says Ready does not have.
fn missing(entry: &Entry, scene: &Scene) -> Vec<String> {
    let name = entry.object.name_any();
    let own = format!("{name}.truth.test");
    let mut hosts = vec![own.clone(), format!("*.{own}")];
    let domains = entry.object.data["spec"]["domains"].as_array().cloned().unwrap_or_default();
    hosts.extend(domains.iter().map(|domain| domain["host"].as_str().unwrap().to_owned()));
    hosts.sort();
    let mut missing = Vec::new();
    for host in &hosts {
        let claimed = scene
            .iter()
            .any(|((kind, _), o)| *kind == CLAIM && o.data["spec"] == json!({"host": host, "tenant": name}));
        let certified = scene.iter().any(|((kind, path), o)| {
            let names = o.data["spec"]["dnsNames"].as_array();
            *kind == CERTIFICATE
                && path.starts_with(&format!("gw-{name}/"))
                && names.is_some_and(|names| names.contains(&json!(host)))
                && is_true(o, "Ready")
        });
        missing.extend((!claimed).then(|| format!("claim of {host}")));
        missing.extend((!certified).then(|| format!("certificate of {host}")));
    }
    let Some(listeners) = scene.get(&(ENTRY, format!("gw-{name}/{name}"))) else { return vec!["entry".into()] };
    let mut served: Vec<Value> = listeners.data["spec"]["listeners"].as_array().unwrap().clone();
    served.sort_by_key(|listener| listener["hostname"].as_str().unwrap().to_owned());
    let served: Vec<&str> = served.iter().map(|listener| listener["hostname"].as_str().unwrap()).collect();
    missing.extend((served != hosts).then(|| format!("listeners {served:?}")));
    missing.extend((!is_true(listeners, "Programmed")).then(|| "a programmed entry".into()));
    let parent = &listeners.data["spec"]["parentRef"];
    let gateway = format!("{}/{}", parent["namespace"].as_str().unwrap(), parent["name"].as_str().unwrap());
    let is_served = scene.get(&(GATEWAY, gateway)).is_some_and(|gateway| is_true(gateway, "Programmed"));
    missing.extend((!is_served).then(|| "a programmed gateway".into()));
    missing
}

fn is_true(object: &kube::api::DynamicObject, of: &str) -> bool {
    condition(object, of)
        .is_some_and(|c| c["status"] == "True" && c["observedGeneration"].as_i64() == object.metadata.generation)
}

#[tokio::test]
async fn a_data_plane_that_holds_back_is_waited_for_in_words() {
    let (world, client) = World::shared().await;
    apply(&client, &class("slow", "slow.test", &json!({}))).await;
    world.player.order(Part::ListenerSet, "gw-slow-a", "slow-a", Order::Hold);
    apply(&client, &tenant("slow-a", "slow", &json!({}))).await;
    let next = "waiting for the data plane; see kubectl describe listenerset -n gw-slow-a slow-a";
    for of in ["GatewayProgrammed", "Ready"] {
        world.mentions(&client, TENANT, "slow-a", [of, "False", "Progressing"], next).await;
    }

    let why = "listener port is already in use".to_owned();
    world.player.order(Part::ListenerSet, "gw-slow-a", "slow-a", Order::Fail(why.clone()));
    world.mentions(&client, TENANT, "slow-a", ["Ready", "False", "NotProgrammed"], &why).await;

    world.player.order(Part::ListenerSet, "gw-slow-a", "slow-a", Order::Serve);
    world.ready(&client, &["slow-a"]).await;

    // A verdict on the entry as it was says nothing of the entry as it is.
    world.player.order(Part::ListenerSet, "gw-slow-a", "slow-a", Order::Hold);
    apply(&client, &tenant("slow-a", "slow", &json!({"domains": [{"host": "slow.example"}]}))).await;
    world.says(&client, TENANT, "slow-a", "Ready", "False", "Progressing").await;
    world.player.order(Part::ListenerSet, "gw-slow-a", "slow-a", Order::Serve);
    world.ready(&client, &["slow-a"]).await;
}

#[tokio::test]
async fn a_gateway_of_kgateway_serves_only_when_a_pod_of_its_proxy_does() {
    if !has_kgateway() {
        return;
    }
    let (world, client) = World::shared().await;
    world.player.order(Part::Proxy, GATEWAYS, "bare-0", Order::Hold);
    apply(&client, &class("bare", "bare.test", &json!({"gatewayClassName": KGATEWAY}))).await;
    apply(&client, &tenant("bare-a", "bare", &json!({}))).await;
    let is_programmed = async || {
        let gateway = GATEWAY.within(&client, GATEWAYS).get("bare-0").await.map_err(|error| error.to_string())?;
        if is_true(&gateway, "Programmed") { Ok(()) } else { Err(gateway.data["status"].to_string()) }
    };
    world.eventually("its Gateway says Programmed", is_programmed).await;
    let next = "waiting for a pod of the proxy; see kubectl get deployments,pods -n octroi-gateways";
    world.mentions(&client, TENANT, "bare-a", ["Ready", "False", "Progressing"], next).await;
    world.player.order(Part::Proxy, GATEWAYS, "bare-0", Order::Serve);
    world.ready(&client, &["bare-a"]).await;
}

#[tokio::test]
async fn a_certificate_that_fails_is_named_with_what_its_issuer_says() {
    let (world, client) = World::shared().await;
    apply(&client, &class("cert", "cert.test", &json!({}))).await;
    world.player.order(Part::Certificate, "gw-cert-a", "cert-a", Order::Hold);
    apply(&client, &tenant("cert-a", "cert", &json!({}))).await;
    world.says(&client, TENANT, "cert-a", "CertificatesReady", "False", "Progressing").await;

    let why = "the CAA record forbids this issuer".to_owned();
    world.player.order(Part::Certificate, "gw-cert-a", "cert-a", Order::Fail(why.clone()));
    for of in ["CertificatesReady", "Ready"] {
        let message = world.says(&client, TENANT, "cert-a", of, "False", "CertificateNotReady").await;
        assert!(message.contains(&why) && message.contains("describe certificate -n gw-cert-a cert-a"), "{message}");
    }
    world.player.order(Part::Certificate, "gw-cert-a", "cert-a", Order::Serve);
    world.ready(&client, &["cert-a"]).await;

    // Whoever only looks at Events reads the same.
    let events = Api::<Event>::all(client.clone());
    let ours = ListParams::default().fields("regarding.kind=Tenant,regarding.name=cert-a");
    world
        .eventually("an Event for each reason", async || {
            let all = events.list(&ours).await.unwrap().items;
            let mut said: Vec<_> =
                all.iter().map(|e| [e.type_.as_deref(), e.reason.as_deref()].map(Option::unwrap)).collect();
            said.sort_unstable();
            let wanted = [["Normal", "Progressing"], ["Normal", "Ready"], ["Warning", "CertificateNotReady"]];
            if said == wanted { Ok(()) } else { Err(format!("{said:?}")) }
        })
        .await;
}

#[tokio::test]
async fn after_outside_damage_ready_is_false_or_the_child_is_back_within_a_second() {
    const AT_ONCE: Duration = Duration::from_secs(1);
    let (world, client) = World::shared().await;
    apply(&client, &class("hurt", "hurt.test", &json!({}))).await;
    apply(&client, &tenant("hurt-a", "hurt", &json!({}))).await;
    world.ready(&client, &["hurt-a"]).await;
    let tenants = TENANT.all(&client);
    // What comes back is not served any more.
    for (kind, part) in [(ENTRY, Part::ListenerSet), (CERTIFICATE, Part::Certificate)] {
        world.player.order(part, "gw-hurt-a", "hurt-a", Order::Hold);
        delete(&kind.within(&client, "gw-hurt-a"), "hurt-a").await;
        let outcome = within(AT_ONCE, "Ready is False", async || {
            let object = tenants.get("hurt-a").await.map_err(|error| error.to_string())?;
            let ready = condition(&object, "Ready").unwrap();
            if ready["status"] == "False" { Ok(()) } else { Err(ready.to_string()) }
        })
        .await;
        assert_eq!(outcome, Ok(()), "{}", world.operator.log());
        world.player.order(part, "gw-hurt-a", "hurt-a", Order::Serve);
        world.ready(&client, &["hurt-a"]).await;
    }
    // And a data plane that takes its word back is believed.
    world.player.order(Part::ListenerSet, "gw-hurt-a", "hurt-a", Order::Fail("evicted".into()));
    world.says(&client, TENANT, "hurt-a", "Ready", "False", "NotProgrammed").await;
    world.player.order(Part::ListenerSet, "gw-hurt-a", "hurt-a", Order::Serve);
    world.ready(&client, &["hurt-a"]).await;
}

#[tokio::test]
async fn a_status_that_somebody_wrote_by_hand_is_set_right_with_the_next_thing_that_happens() {
    let (world, client) = World::shared().await;
    apply(&client, &class("lies", "lies.test", &json!({}))).await;
    world.player.order(Part::ListenerSet, "gw-lies-a", "lies-a", Order::Hold);
    apply(&client, &tenant("lies-a", "lies", &json!({}))).await;
    world.mentions(&client, TENANT, "lies-a", ["Ready", "False", "Progressing"], "listenerset").await;
    let mut lie = TENANT.all(&client).get("lies-a").await.unwrap().data["status"]["conditions"].clone();
    for condition in lie.as_array_mut().unwrap() {
        condition["status"] = json!("True");
    }
    let params = PatchParams { field_manager: Some("saboteur".into()), ..PatchParams::default() };
    let lie = Patch::Merge(json!({"status": {"conditions": lie}}));
    TENANT.all(&client).patch_status("lies-a", &params, &lie).await.unwrap();
    patch(&TENANT.all(&client), "lies-a", &json!({"spec": {"contact": {"team": "Lies"}}})).await;
    world.mentions(&client, TENANT, "lies-a", ["Ready", "False", "Progressing"], "listenerset").await;
    world.player.order(Part::ListenerSet, "gw-lies-a", "lies-a", Order::Serve);
    world.ready(&client, &["lies-a"]).await;
}
