//! Modes, levels, thresholds, bodies, and what the findings tell.

mod support;

use std::num::NonZeroU16;

use octroi_waf::{Mode, Paranoia, Profile, Request, Verdict};
use support::{NOW, SQL, get, request, rules};

fn status(verdict: &Verdict) -> Option<u16> {
    match verdict {
        Verdict::Block { status, .. } => Some(*status),
        Verdict::Pass(_) => None,
    }
}

#[test]
fn detect_never_blocks_and_says_what_it_would_have() {
    let (rules, profile) = (rules(), Profile { mode: Mode::Detect, max_body: 8, ..Profile::default() });
    let verdict = get(&rules, &profile, &format!("/?id={SQL}&q=../../etc/passwd"));
    assert!(!verdict.is_block() && verdict.findings().is_attack);
    assert!(verdict.findings().rules.iter().any(|rule| rule.id == 942_100));
    let json: &[(&[u8], &[u8])] = &[(b"host", b"h.example"), (b"content-type", b"application/json")];
    for body in [&b"{\"a\":"[..], b"{\"a\": \"longer than the cap\"}"] {
        let post = Request { method: b"POST", body, ..request("/", json) };
        let verdict = rules.inspect(&post, &profile, NOW).unwrap();
        assert!(!verdict.is_block(), "{verdict:?}");
        assert_eq!(verdict.findings().body_too_long, body.len() > 8);
    }
}

#[test]
fn a_body_above_the_cap_is_refused() {
    let (rules, profile) = (rules(), Profile { max_body: 32, ..Profile::default() });
    let form: &[(&[u8], &[u8])] = &[(b"host", b"h.example"), (b"content-type", b"application/x-www-form-urlencoded")];
    let of = |length: usize| {
        let body = [b"a=", "x".repeat(length - 2).as_bytes()].concat();
        let verdict =
            rules.inspect(&Request { method: b"POST", body: &body, ..request("/", form) }, &profile, NOW).unwrap();
        (status(&verdict), verdict.findings().body_too_long)
    };
    assert_eq!(of(32), (None, false));
    assert_eq!(of(33), (Some(413), true));
}

#[test]
fn no_profile_lifts_the_cap_of_all() {
    let (rules, profile) = (rules(), Profile { max_body: u32::MAX, ..Profile::default() });
    let body = vec![b'a'; octroi_waf::MAX_BODY as usize + 1];
    let text: &[(&[u8], &[u8])] = &[(b"host", b"h.example"), (b"content-type", b"text/plain")];
    let verdict =
        rules.inspect(&Request { method: b"POST", body: &body, ..request("/", text) }, &profile, NOW).unwrap();
    assert_eq!(status(&verdict), Some(413));
}

#[test]
fn the_end_of_a_long_body_is_inspected_too() {
    let rules = rules();
    let form: &[(&[u8], &[u8])] = &[(b"host", b"h.example"), (b"content-type", b"application/x-www-form-urlencoded")];
    let body = format!("a={}&b={SQL}", "x".repeat(Profile::DEFAULT_MAX_BODY as usize - 64));
    let verdict = rules.inspect(
        &Request { method: b"POST", body: body.as_bytes(), ..request("/", form) },
        &Profile::default(),
        NOW,
    );
    assert_eq!(status(&verdict.unwrap()), Some(403));
}

#[test]
fn a_body_that_cannot_be_parsed_is_refused() {
    let rules = rules();
    let broken: [(&[u8], &[u8]); 2] = [
        (b"application/json", b"{\"a\":"),
        (b"multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1"),
    ];
    for (kind, body) in broken {
        let headers: &[(&[u8], &[u8])] = &[(b"host", b"h.example"), (b"content-type", kind)];
        let verdict = rules
            .inspect(&Request { method: b"POST", body, ..request("/", headers) }, &Profile::default(), NOW)
            .unwrap();
        assert_eq!(status(&verdict), Some(400), "{}: {verdict:?}", String::from_utf8_lossy(kind));
    }
}

/// The engine reads XML like a browser reads HTML: what is not well-formed is no error, so it must be inspected.
#[test]
fn xml_that_is_not_well_formed_is_inspected_all_the_same() {
    let rules = rules();
    let xml: &[(&[u8], &[u8])] = &[(b"host", b"h.example"), (b"content-type", b"application/xml")];
    for body in ["<a><b></a><c>1' OR '1'='1</c>", "<a>1' OR '1'='1", "<a><![CDATA[1' OR '1'='1]]></a>"] {
        let post = Request { method: b"POST", body: body.as_bytes(), ..request("/", xml) };
        assert!(rules.inspect(&post, &Profile::default(), NOW).unwrap().is_block(), "{body}");
    }
}

#[test]
fn attacks_are_found_wherever_they_are() {
    let rules = rules();
    let post = |kind: &[u8], body: &[u8]| {
        let headers: &[(&[u8], &[u8])] = &[(b"host", b"h.example"), (b"content-type", kind)];
        rules
            .inspect(&Request { method: b"POST", body, ..request("/", headers) }, &Profile::default(), NOW)
            .unwrap()
            .is_block()
    };
    assert!(post(b"application/json", b"{\"user\": {\"id\": [\"1' OR '1'='1\"]}}"));
    assert!(post(b"application/vnd.api+json; charset=utf-8", b"{\"id\": \"1' OR '1'='1\"}"));
    assert!(post(b"application/x-www-form-urlencoded", b"a=1&id=1%27+OR+%271%27%3D%271"));
    let part = b"--x\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n1' OR '1'='1\r\n--x--\r\n";
    assert!(post(b"multipart/form-data; boundary=x", part));
}

#[test]
fn a_level_adds_its_rules() {
    let rules = rules();
    let at = |paranoia, target| get(&rules, &Profile { paranoia, ..Profile::default() }, target).is_block();
    for (level, two, four) in [
        (Paranoia::One, false, false),
        (Paranoia::Two, true, false),
        (Paranoia::Three, true, false),
        (Paranoia::Four, true, true),
    ] {
        assert_eq!((at(level, "/?q=select"), at(level, "/?q=four")), (two, four), "{level:?}");
    }
}

#[test]
fn the_threshold_is_the_profiles() {
    let rules = rules();
    let at = |threshold, target| {
        let profile = Profile { threshold: NonZeroU16::new(threshold).unwrap(), ..Profile::default() };
        get(&rules, &profile, target)
    };
    assert_eq!(at(5, "/?q=warn").findings().score, 3);
    assert!(!at(5, "/?q=warn").is_block() && at(3, "/?q=warn").is_block());
    assert!(at(10, "/?q=../../etc/passwd").is_block() && !at(100, "/?q=../../etc/passwd").is_block());
}

#[test]
fn findings_name_rules_and_places_and_show_no_value() {
    let verdict = get(&rules(), &Profile::default(), "/?note=Geheim1%27%20OR%20%271%27%3D%271--");
    let shown = format!("{:?}", verdict.findings());
    assert!(!shown.contains("Geheim"), "{shown}");
    let [rule] = verdict.findings().rules.as_slice() else { panic!("{shown}") };
    assert_eq!((rule.id, rule.message.as_str()), (942_100, "SQL Injection"));
    let [place] = rule.places.as_slice() else { panic!("{shown}") };
    assert_eq!((place.variable.as_str(), place.name.as_str()), ("ARGS", "note"));
    assert!(place.masked.contains("' xx '"), "{shown}");
}

#[test]
fn bytes_that_are_no_text_get_a_verdict() {
    let rules = rules();
    let odd: &[(&[u8], &[u8])] = &[(b"host", b"h.example"), (b"x-odd", b"\xff\0\xc0\xaf"), (b"\xff", b"")];
    let verdict = rules.inspect(&request("/\u{ff}?%ff=%00", odd), &Profile::default(), NOW).unwrap();
    assert!(verdict.findings().score < 100);
}
