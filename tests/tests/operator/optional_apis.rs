//! What is not installed yet is named, and picked up when it comes, without a restart. And what must be listed first is
//! waited for.

use std::time::{Duration, Instant};

use octroi_tests::crds::Project;
use octroi_tests::light::LightLab;
use octroi_tests::operator::{self, Operator, Rights};
use octroi_tests::player::Player;
use serde_json::json;

use crate::world::{
    CERTIFICATE, CLIENT_POLICY, DEFINITION, ENVOY, NAMESPACE, TENANT, World, apply, class, delete, eventually,
    gateway_class, install, tenant,
};

const FOLLOWS: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_missing_api_is_named_and_its_arrival_is_enough() {
    let world = without_optional_apis().await;
    let client = world.lab.client().unwrap();
    apply(&client, &class("apis", "apis.test", &json!({}))).await;
    apply(&client, &tenant("apis-a", "apis", &json!({}))).await;
    let message = world.says(&client, TENANT, "apis-a", "Ready", "False", "MissingApi").await;
    for kind in [CERTIFICATE, CLIENT_POLICY] {
        assert!(message.contains(&kind.crd()), "{message}");
    }
    // Everything else is done meanwhile.
    assert!(NAMESPACE.all(&client).get_opt("apis-a").await.unwrap().is_some());

    install(&client, &[Project::CertManager]).await;
    world
        .eventually("only Envoy Gateway's are named", async || {
            let message = world.says(&client, TENANT, "apis-a", "Ready", "False", "MissingApi").await;
            if message.contains(&CERTIFICATE.crd()) { Err(message) } else { Ok(()) }
        })
        .await;
    install(&client, &[Project::EnvoyGateway]).await;
    let since = Instant::now();
    world.ready(&client, &["apis-a"]).await;
    println!("Ready {:?} after the last API came", since.elapsed());
    assert!(since.elapsed() < FOLLOWS);

    // One goes at run time, with everything of its kind.
    delete(&DEFINITION.all(&client), &CLIENT_POLICY.crd()).await;
    let message = world.says(&client, TENANT, "apis-a", "Ready", "False", "MissingApi").await;
    assert!(message.contains(&CLIENT_POLICY.crd()), "{message}");
    eventually("its definition is gone", async || {
        match DEFINITION.all(&client).get_opt(&CLIENT_POLICY.crd()).await.unwrap() {
            None => Ok(()),
            Some(_) => Err("it is there".into()),
        }
    })
    .await;
    install(&client, &[Project::EnvoyGateway]).await;
    let since = Instant::now();
    world.ready(&client, &["apis-a"]).await;
    println!("Ready {:?} after it came again", since.elapsed());
    assert!(since.elapsed() < FOLLOWS);
}

/// With the Gateway API only; and not ready before the operator may list what it needs.
async fn without_optional_apis() -> World {
    let lab = LightLab::start().await.unwrap();
    let client = lab.client().unwrap();
    install(&client, &[Project::Octroi, Project::GatewayApi]).await;
    gateway_class(&client, ENVOY).await;
    operator::install_rights(&lab, Rights::Lease).await.unwrap();
    let operator = Operator::spawn(&lab, "one").await.unwrap();
    eventually("it leads", async || {
        let (_, text) = operator.get("/metrics").await.map_err(|error| error.to_string())?;
        if text.lines().any(|line| line == "octroi_leader 1") { Ok(()) } else { Err(operator.log()) }
    })
    .await;
    assert_eq!(operator.get("/livez").await.unwrap(), (200, "ok".into()));
    let (code, said) = operator.get("/readyz").await.unwrap();
    assert_eq!(code, 503, "{said}");
    operator::install_rights(&lab, Rights::All).await.unwrap();
    operator.wait_until_ready().await.unwrap_or_else(|error| panic!("{error}"));
    World { operator, player: Player::start(&lab).unwrap(), lab }
}
