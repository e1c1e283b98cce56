//! The manifests, as the Go modules that the lab pins hold them.

use std::path::{Path, PathBuf};
use std::process::Command;

use octroi_tests::manifest;
use serde_json::Value;

use crate::helm;

const KINDS: [&str; 5] = ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"];

/// One route of them.
pub struct Manifest {
    /// File, kind and name; a number where a file has several of one name.
    pub id: String,
    pub object: Value,
}

/// Every route of every file.
pub fn read() -> Vec<Manifest> {
    let mut lab = Command::new(helm::repository().join("lab/lab.sh"));
    let root = PathBuf::from(helm::run(lab.args(["dir", "route-manifests"])).ok().trim_end());
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let mut found = Vec::<Manifest>::new();
    for file in files {
        let documents = manifest::read(&file).unwrap_or_else(|error| panic!("{error}"));
        let routes = documents.into_iter().filter(|document| KINDS.contains(&manifest::kind(&document.object)));
        for document in routes {
            let path = file.strip_prefix(&root).unwrap().display();
            let stem = format!("{path} {}/{}", manifest::kind(&document.object), manifest::name(&document.object));
            let same = found.iter().filter(|manifest| manifest.id.split('#').next() == Some(&stem)).count();
            let id = if same == 0 { stem } else { format!("{stem}#{}", same + 1) };
            found.push(Manifest { id, object: document.object });
        }
    }
    assert!(found.len() > 200, "only {} routes in {}", found.len(), root.display());
    found
}

fn collect(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            into.push(path);
        }
    }
}
