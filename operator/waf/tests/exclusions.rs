//! What is excluded, and what is not for all that.

mod support;

use std::time::Duration;

use octroi_waf::{Exclusion, InvalidExclusion, Parameter, PathPrefix, Profile, RuleId};
use support::{DAY, NOW, SQL, excluding, get, request, rules};

fn argument(name: &str) -> Parameter {
    Parameter::Argument(name.to_owned())
}

#[test]
fn it_holds_for_its_path_only() {
    let (rules, profile) = (rules(), excluding(942_100, "/notes", argument("text")));
    for target in ["/notes?text=", "/notes/7?text="] {
        assert!(!get(&rules, &profile, &format!("{target}{SQL}")).is_block(), "{target}");
    }
    for target in
        ["/?text=", "/notes2?text=", "/admin/notes?text=", "/notes/../admin?text=", "/notes/%2e%2e/admin?text="]
    {
        assert!(get(&rules, &profile, &format!("{target}{SQL}")).is_block(), "{target}");
    }
}

#[test]
fn it_holds_for_its_parameter_only() {
    let (rules, profile) = (rules(), excluding(942_100, "/", argument("text")));
    assert!(!get(&rules, &profile, &format!("/?text={SQL}&id=7")).is_block());
    assert!(get(&rules, &profile, &format!("/?text=fine&id={SQL}")).is_block());
    assert!(get(&rules, &profile, &format!("/?text={SQL}&id={SQL}")).is_block(), "another parameter went along");
    assert!(get(&rules, &profile, &format!("/?text2={SQL}")).is_block());
}

#[test]
fn it_holds_for_its_rule_only() {
    let (rules, profile) = (rules(), excluding(942_100, "/", argument("text")));
    assert!(get(&rules, &profile, "/?text=%3Cscript%3Ealert(1)%3C/script%3E").is_block());
}

#[test]
fn an_argument_is_no_cookie_and_no_header() {
    let rules = rules();
    let cookie: &[(&[u8], &[u8])] = &[(b"host", b"h.example"), (b"cookie", b"text=1' OR '1'='1")];
    let referer: &[(&[u8], &[u8])] = &[(b"host", b"h.example"), (b"referer", b"1' OR '1'='1")];
    let is_block = |headers, parameter| {
        rules.inspect(&request("/", headers), &excluding(942_100, "/", parameter), NOW).unwrap().is_block()
    };
    assert!(is_block(cookie, argument("text")));
    assert!(!is_block(cookie, Parameter::Cookie("text".into())));
    assert!(is_block(referer, argument("referer")));
    assert!(!is_block(referer, Parameter::Header("Referer".into())));
}

#[test]
fn a_whole_rule_can_be_left_out_under_a_path() {
    let (rules, profile) = (rules(), excluding(911_100, "/dav", Parameter::Any));
    let refused = |target| {
        let lock = octroi_waf::Request { method: b"LOCK", ..request(target, &[(b"host", b"h.example")]) };
        rules.inspect(&lock, &profile, NOW).unwrap().is_block()
    };
    assert!(!refused("/dav/file"));
    assert!(refused("/file"));
}

#[test]
fn an_expired_one_does_nothing() {
    let (rules, profile) = (rules(), excluding(942_100, "/", argument("text")));
    let target = format!("/?text={SQL}");
    let is_block =
        |now| rules.inspect(&request(&target, &[(b"host", b"h.example")]), &profile, now).unwrap().is_block();
    assert!(!is_block(NOW + DAY - Duration::from_nanos(1)));
    assert!(is_block(NOW + DAY));
    assert!(is_block(NOW + 2 * DAY));
}

#[test]
fn it_holds_for_its_own_profile_only() {
    let rules = rules();
    let target = format!("/?text={SQL}");
    assert!(!get(&rules, &excluding(942_100, "/", argument("text")), &target).is_block());
    assert!(get(&rules, &Profile::default(), &target).is_block(), "another tenant's exclusion holds here");
}

#[test]
fn a_name_that_would_mean_all_of_them_is_refused() {
    for name in ["", " ", "a b", "a\nb", &"a".repeat(129)] {
        for parameter in [argument(name), Parameter::Cookie(name.into()), Parameter::Header(name.into())] {
            let (rule, path) = (RuleId::new(942_100).unwrap(), PathPrefix::new("/").unwrap());
            let refused = Exclusion::new(rule, path, parameter, String::new(), NOW + DAY);
            assert_eq!(refused, Err(InvalidExclusion::Name(name.to_owned())));
        }
    }
}
