//! How a real API server writes the quantities that it is sent.

use k8s_openapi::api::core::v1::ResourceQuota;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use octroi_plan::quantity::canonical;
use serde_json::json;

/// Everything that the schemas let pass: numbers, and suffixes.
const NUMBERS: [&str; 24] = [
    "0",
    "1",
    "5",
    "10",
    "64",
    "100",
    "512",
    "999",
    "1000",
    "1023",
    "1024",
    "1500",
    "2048",
    "1048576",
    "12345",
    "0.5",
    ".5",
    "1.5",
    "1.25",
    "0.001",
    "0.1",
    "0.0001",
    "0.0000000001",
    "2.0",
];
const SUFFIXES: [&str; 10] = ["", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti"];

/// Every number with every suffix: the API server stores what Octroi would have sent.
pub async fn are_written_as_stored(client: &Client) {
    let quotas = Api::<ResourceQuota>::namespaced(client.clone(), "default");
    let texts = NUMBERS.iter().flat_map(|number| SUFFIXES.map(|suffix| format!("{number}{suffix}")));
    let (mut taken, mut wrong) = (0, Vec::new());
    for text in texts {
        let body = json!({
            "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "written"}, "spec": {"hard": {"cpu": text}},
        });
        let params = PatchParams::apply("quantities").dry_run();
        let stored = quotas.patch("written", &params, &Patch::Apply(&body)).await;
        let stored = stored.unwrap_or_else(|error| panic!("{text}: {error}"));
        taken += 1;
        let stored = &stored.spec.unwrap().hard.unwrap()["cpu"].0;
        if canonical(&text) != *stored {
            wrong.push(format!("{text}: stored as {stored}, sent as {}", canonical(&text)));
        }
    }
    println!("{taken} quantities");
    assert!(wrong.is_empty(), "{} of {taken}:\n{}", wrong.len(), wrong.join("\n"));
}
