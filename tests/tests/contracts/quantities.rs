//! How a real API server writes the quantities that it is sent.

use k8s_openapi::api::core::v1::ResourceQuota;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use octroi_plan::quantity::canonical;
use serde_json::json;

const WHOLE: [&str; 13] =
    ["0", "1", "5", "10", "64", "100", "999", "1000", "1023", "1024", "1500", "1048576", "12345678"];
const FRACTIONS: [&str; 9] = ["0.5", ".5", "5.", "+5", "1.5", "1.25", "0.001", "0.1", "0.0000000001"];
const SUFFIXES: [&str; 20] =
    ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "E-3", "e7", "e-40"];

/// Every number with every suffix: where the API server takes one, it stores what Octroi would have sent.
pub async fn are_written_as_stored(client: &Client) {
    let quotas = Api::<ResourceQuota>::namespaced(client.clone(), "default");
    let texts = WHOLE.iter().chain(&FRACTIONS).flat_map(|number| SUFFIXES.map(|suffix| format!("{number}{suffix}")));
    let (mut taken, mut refused, mut wrong) = (0, Vec::new(), Vec::new());
    for text in texts {
        let body = json!({
            "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "written"}, "spec": {"hard": {"cpu": text}},
        });
        let params = PatchParams::apply("quantities").dry_run();
        let Ok(stored) = quotas.patch("written", &params, &Patch::Apply(&body)).await else {
            refused.push(text);
            continue;
        };
        taken += 1;
        let stored = &stored.spec.unwrap().hard.unwrap()["cpu"].0;
        if canonical(&text) != *stored {
            wrong.push(format!("{text}: stored as {stored}, sent as {}", canonical(&text)));
        }
    }
    println!("{taken} taken, refused: {refused:?}");
    assert!(taken > 300, "{refused:?}");
    assert!(wrong.is_empty(), "{} of {taken}:\n{}", wrong.len(), wrong.join("\n"));
}
