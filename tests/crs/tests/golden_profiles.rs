//! What the operator writes is what the firewall reads: every profile in the golden files.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::fs;
use std::path::Path;

use octroi_waf::Holding;

/// The profiles in a golden file: whose, and the text. They are the only blocks of text under this key.
fn profiles(golden: &str) -> Vec<(String, String)> {
    let documents = golden.split("\n---\n").filter(|document| document.contains("\n  profile.yaml: |\n"));
    let profile = |document: &str| {
        let (_, block) = document.split_once("  profile.yaml: |\n").unwrap();
        let text = block.lines().take_while(|line| line.starts_with("    ")).map(|line| line[4..].to_owned() + "\n");
        let name = document.lines().find_map(|line| line.strip_prefix("  name: waf-")).unwrap();
        (name.to_owned(), text.collect())
    };
    documents.map(profile).collect()
}

#[test]
fn every_profile_in_the_golden_files_is_read() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden");
    let mut read = 0;
    for plane in ["envoy-gateway", "kgateway"] {
        for entry in fs::read_dir(golden.join(plane)).unwrap() {
            let path = entry.unwrap().path();
            for (tenant, text) in profiles(&fs::read_to_string(&path).unwrap()) {
                let holding = Holding::parse(&tenant, &text);
                assert!(holding.is_ok(), "{}: {}\n{text}", path.display(), holding.unwrap_err());
                read += 1;
            }
        }
    }
    assert!(read >= 10, "only {read} profiles were found");
}
