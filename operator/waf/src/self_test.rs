//! What a rule set has to show before it is used: that the rules parse does not mean that they protect, or let anybody in.

use std::net::{IpAddr, Ipv4Addr};
use std::time::SystemTime;

use crate::profile::Profile;
use crate::request::Request;
use crate::rules::{RuleSet, RulesError};

/// One of each family that a tenant would be hurt by most.
const ATTACKS: [&str; 4] = [
    "/?id=1%27%20OR%20%271%27=%271%27%20UNION%20SELECT%20password%20FROM%20users--",
    "/?q=%3Cscript%3Ealert(document.cookie)%3C/script%3E",
    "/?file=../../../../etc/passwd",
    "/?host=a;cat%20/etc/passwd",
];
const ORDINARY: [&str; 3] = ["/", "/search?q=blue+shoes&page=2", "/people?name=O%27Brien"];

const HEADERS: [(&[u8], &[u8]); 3] =
    [(b"host", b"www.example.com"), (b"user-agent", b"Mozilla/5.0"), (b"accept", b"*/*")];

/// Sends a few requests through.
///
/// # Errors
/// With the first that is not answered as it must be.
pub(crate) fn prove(rules: &RuleSet) -> Result<(), RulesError> {
    let profile = Profile::default();
    for (target, must_block) in
        ATTACKS.map(|target| (target, true)).into_iter().chain(ORDINARY.map(|target| (target, false)))
    {
        let verdict = rules.inspect(&get(target), &profile, SystemTime::UNIX_EPOCH)?;
        match (verdict.is_block(), must_block) {
            (false, true) => return Err(RulesError::MissesAttack(target)),
            (true, false) => return Err(RulesError::RefusesOrdinary(target)),
            _ => {}
        }
    }
    Ok(())
}

fn get(target: &str) -> Request<'_> {
    let client = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    Request { client, method: b"GET", target: target.as_bytes(), protocol: b"HTTP/1.1", headers: &HEADERS, body: b"" }
}
