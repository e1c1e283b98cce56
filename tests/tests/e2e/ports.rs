//! Nothing but 80 and 443 answers at a Gateway's address, and no proxy shows its admin interface to a pod beside it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::ListParams;
use octroi_tests::stage::{LIMIT, Stage};
use octroi_tests::{Error, Result};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::on_stage;
use crate::sample;

/// Envoy's admin and readiness, the ports its listeners have inside the pod, xDS, metrics, and what people try.
const OTHERS: [u16; 14] = [22, 8000, 8080, 8081, 8443, 9090, 9091, 9901, 10080, 10443, 15000, 18000, 19000, 19001];
/// Envoy's admin interface on both data planes.
const ADMIN: u16 = 19000;
const PATIENCE: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_80_and_443_answer() {
    on_stage("ports", async |stage| {
        let class = stage.class("c", |_| {}).await?;
        let shared = stage.tenant(&class, "a", |_| {}).await?;
        let dedicated = stage.tenant(&class, "b", |spec| spec["gateway"] = json!({"mode": "Dedicated"})).await?;
        for guest in [&shared, &dedicated] {
            guest.deploy_all(&sample::echo(&guest.name)).await?;
            guest.deploy(&sample::route(&guest.name, "www", &[guest.www()])).await?;
            stage.probe.until_status(&guest.ask(&guest.www(), "/").await?, 200, LIMIT).await?;
            let address = guest.address().await?.ip();
            assert_eq!(open(address, &[80, 443]).await, [80, 443], "{address}");
            let found = open(address, &OTHERS).await;
            println!("{}: of {OTHERS:?} at its address, open: {found:?}", guest.name);
            assert_eq!(found, [0; 0], "{address}");
            for pod in behind(stage, address).await? {
                let found = open(pod, &OTHERS).await;
                println!("{}: of {OTHERS:?} at its proxy pod, open: {found:?}", guest.name);
                assert!(!found.contains(&ADMIN), "the admin interface of {pod} answers");
            }
        }
        Ok(())
    })
    .await;
}

async fn open(address: IpAddr, ports: &[u16]) -> Vec<u16> {
    let tried = join_all(ports.iter().map(async |port| {
        let connected = timeout(PATIENCE, TcpStream::connect(SocketAddr::new(address, *port))).await;
        connected.is_ok_and(|connected| connected.is_ok()).then_some(*port)
    }));
    tried.await.into_iter().flatten().collect()
}

/// The pods behind an address that is a Service's own; none where a load balancer stands before it.
async fn behind(stage: &Stage, address: IpAddr) -> Result<Vec<IpAddr>> {
    let services = Api::<Service>::all(stage.client.clone());
    let services = services.list(&ListParams::default()).await.map_err(Error::kube("Services"))?;
    let wanted = address.to_string();
    let own = services.into_iter().find(|service| {
        service.spec.as_ref().and_then(|spec| spec.cluster_ip.as_ref()).is_some_and(|ip| *ip == wanted)
    });
    let Some(metadata) = own.map(|service| service.metadata) else { return Ok(Vec::new()) };
    let namespace = metadata.namespace.unwrap_or_default();
    let of_service = format!("kubernetes.io/service-name={}", metadata.name.unwrap_or_default());
    let slices = Api::<EndpointSlice>::namespaced(stage.client.clone(), &namespace);
    let slices =
        slices.list(&ListParams::default().labels(&of_service)).await.map_err(Error::kube("EndpointSlices"))?;
    let endpoints = slices.into_iter().flat_map(|slice| slice.endpoints.into_iter().flatten());
    Ok(endpoints.flat_map(|endpoint| endpoint.addresses).filter_map(|ip| ip.parse().ok()).collect())
}
