//! A GitOps tool and a person with kubectl apply the same files again and again: nobody fights, nothing differs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kube::ResourceExt as _;
use octroi_tests::manifest;
use serde_json::Value;

use crate::world::{CLASS, Kind, TENANT, World};

/// Octroi's field managers.
const OURS: [&str; 2] = ["octroi", "octroi-status"];

fn examples(folder: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(folder);
    let files = manifest::files(&dir).unwrap();
    assert!(!files.is_empty(), "{}", dir.display());
    files
}

async fn kubectl(world: &World, args: &[&str], file: &Path) -> (Option<i32>, String) {
    let mut command = Command::new("kubectl");
    command.args(args).arg("-f").arg(file).env("KUBECONFIG", world.lab.kubeconfig()).stdin(Stdio::null());
    let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code(), text(&done.stdout) + &text(&done.stderr))
}

#[tokio::test]
async fn every_example_applied_by_two_managers_differs_from_nothing_and_conflicts_with_nobody() {
    let (world, client) = World::shared().await;
    let files: Vec<_> = examples("classes").into_iter().chain(examples("tenants")).collect();
    let clients = ["apply"];
    let servers = ["apply", "--server-side", "--field-manager=argocd"];
    for round in 0..2 {
        for args in [&clients[..], &servers[..]] {
            for file in &files {
                let (code, said) = kubectl(world, args, file).await;
                assert_eq!(code, Some(0), "round {round}, {args:?} {}: {said}", file.display());
            }
            for file in &files {
                for (kind, name) in named(file) {
                    world.says(&client, kind, &name, "Ready", "True", "Ready").await;
                }
                for more in [&[][..], &servers[1..]] {
                    let (code, said) = kubectl(world, &[&["diff"], more].concat(), file).await;
                    assert_eq!(code, Some(0), "round {round}, after {args:?}, {more:?} {}: {said}", file.display());
                }
            }
        }
    }
    for (kind, name) in files.iter().flat_map(|file| named(file)) {
        let object = kind.all(&client).get(&name).await.unwrap();
        for entry in object.managed_fields() {
            if !OURS.contains(&entry.manager.as_deref().unwrap_or_default()) {
                continue;
            }
            let fields = serde_json::to_value(entry.fields_v1.as_ref().unwrap()).unwrap();
            let owned = flatten("", &fields);
            let is_ours = |path: &String| path.starts_with("/f:status") || path.starts_with("/f:metadata/f:finalizers");
            assert!(owned.iter().all(is_ours), "{} {name}: {owned:?}", kind.name);
        }
        assert_eq!(object.finalizers(), ["octroi.dev/finalizer"], "{name}");
        let ours = |key: &&String| key.contains("octroi.dev") && *key != "octroi.dev/is-default-class";
        let written: Vec<_> = object.labels().keys().chain(object.annotations().keys()).filter(ours).collect();
        assert!(written.is_empty(), "{name}: {written:?}");
    }
}

fn named(file: &Path) -> Vec<(Kind, String)> {
    let of = |object: &Value| match manifest::kind(object) {
        "Tenant" => Some(TENANT),
        "TenantClass" => Some(CLASS),
        _ => None,
    };
    let documents = manifest::read(file).unwrap();
    let kinds = documents.iter().filter_map(|d| Some((of(&d.object)?, manifest::name(&d.object).to_owned())));
    kinds.collect()
}

fn flatten(path: &str, fields: &Value) -> Vec<String> {
    match fields.as_object().filter(|object| !object.is_empty()) {
        Some(object) => object.iter().flat_map(|(key, inner)| flatten(&format!("{path}/{key}"), inner)).collect(),
        None => vec![path.to_owned()],
    }
}
