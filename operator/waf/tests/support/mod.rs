//! A small rule set, and requests to it.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses a part of it, and helpers of tests fail the test"
)]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::{Duration, SystemTime};

use octroi_waf::{Exclusion, Parameter, PathPrefix, Profile, Request, RuleId, RuleSet, Sources, Verdict};

pub const NOW: SystemTime = SystemTime::UNIX_EPOCH;
pub const DAY: Duration = Duration::from_hours(24);
pub const SQL: &str = "1%27%20OR%20%271%27%3D%271";
const RULES: &str = "@owasp_crs/rules.conf";

pub fn sources() -> Sources {
    Sources::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules")).unwrap()
}

/// The rule set with something done to its rules.
pub fn changed(change: impl FnOnce(String) -> String) -> Sources {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let setup = "@crs-setup.conf.example";
    let files = [(setup, read(setup)), (RULES, change(read(RULES)))];
    Sources::new(files.into_iter().map(|(name, text)| (name.to_owned(), text.into_bytes())).collect::<BTreeMap<_, _>>())
        .unwrap()
}

pub fn rules() -> RuleSet {
    RuleSet::new(&sources()).unwrap()
}

pub fn request<'a>(target: &'a str, headers: &'a [(&'a [u8], &'a [u8])]) -> Request<'a> {
    let client = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    Request { client, method: b"GET", target: target.as_bytes(), protocol: b"HTTP/1.1", headers, body: b"" }
}

/// What becomes of a GET.
pub fn get(rules: &RuleSet, profile: &Profile, target: &str) -> Verdict {
    rules.inspect(&request(target, &[(b"host", b"www.example.com")]), profile, NOW).unwrap()
}

pub fn excluding(rule: u32, path: &str, parameter: Parameter) -> Profile {
    let (rule, path) = (RuleId::new(rule).unwrap(), PathPrefix::new(path).unwrap());
    let exclusion = Exclusion::new(rule, path, parameter, "a test".to_owned(), NOW + DAY).unwrap();
    Profile { exclusions: vec![exclusion], ..Profile::default() }
}
