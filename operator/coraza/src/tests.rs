use super::{Config, Error, Exclusion, Transaction, Waf};

const RULES: &str = r#"
SecRuleEngine On
SecRule ARGS "@contains attack" "id:1,phase:2,deny,status:403,log,msg:'an attack',tag:'a tag',severity:'CRITICAL'"
SecRule REQUEST_HEADERS:X-Bad "@rx ." "id:2,phase:1,deny,status:400,log,msg:'a header'"
SecRule TX:strict "@eq 1" "id:3,phase:1,deny,status:451,log,msg:'strict'"
"#;

fn waf() -> Waf {
    Waf::new(&Config { directives: RULES, max_body: 64, files: &[] }).unwrap()
}

fn get(target: &[u8]) -> Transaction<'_> {
    Transaction { client: "192.0.2.1", method: b"GET", target, protocol: b"HTTP/1.1", ..Transaction::default() }
}

#[test]
fn rules_that_do_not_parse_are_refused_with_the_reason() {
    for directives in
        ["SecNonsense On", "SecRule ARGS \"@rx (\" \"id:1\"", "SecRule ARGS \"@rx a\" \"phase:1\"", "Include none.conf"]
    {
        let error = Waf::new(&Config { directives, max_body: 64, files: &[] }).unwrap_err();
        assert!(matches!(&error, Error::Rules(reason) if !reason.is_empty()), "{directives}: {error}");
    }
}

#[test]
fn files_are_those_that_were_given_and_no_others() {
    let files: &[(&str, &[u8])] = &[
        ("rules/a.conf", b"SecRule ARGS \"@pmFromFile words.data\" \"id:9,phase:2,deny\""),
        ("rules/words.data", b"worm\n"),
    ];
    let waf = Waf::new(&Config { directives: "SecRuleEngine On\nInclude rules/*.conf", max_body: 64, files }).unwrap();
    assert_eq!(waf.inspect(&get(b"/?a=worm")).unwrap().interruption.unwrap().rule, 9);
    let outside = "SecRule ARGS \"@pmFromFile /etc/passwd\" \"id:9,phase:2,deny\"";
    assert!(Waf::new(&Config { directives: outside, max_body: 64, files: &[] }).is_err());
}

#[test]
fn a_match_says_what_and_where() {
    let outcome = waf().inspect(&get(b"/?q=an+attack&r=none")).unwrap();
    assert_eq!(outcome.interruption.unwrap().status, 403);
    let [rule] = outcome.rules.as_slice() else { panic!("{outcome:?}") };
    assert_eq!(
        (rule.id, rule.message.as_str(), rule.severity, rule.tags.as_slice()),
        (1, "an attack", 2, &["a tag".to_owned()][..])
    );
    let [found] = rule.matches.as_slice() else { panic!("{rule:?}") };
    assert_eq!((found.variable.as_str(), found.key.as_str(), found.value.as_str()), ("ARGS", "q", "an attack"));
}

#[test]
fn an_exclusion_holds_for_its_target_in_its_request() {
    let (waf, one) = (waf(), [Exclusion { rule: 1, target: Some(("ARGS", "q")) }]);
    let excluded = |target| Transaction { exclusions: &one, ..get(target) };
    assert_eq!(waf.inspect(&excluded(b"/?q=attack")).unwrap().interruption, None);
    assert!(waf.inspect(&excluded(b"/?q=attack&r=attack")).unwrap().interruption.is_some());
    assert!(waf.inspect(&get(b"/?q=attack")).unwrap().interruption.is_some(), "an exclusion outlived its request");
    let all = [Exclusion { rule: 1, target: None }];
    assert_eq!(waf.inspect(&Transaction { exclusions: &all, ..get(b"/?r=attack") }).unwrap().interruption, None);
}

#[test]
fn what_cannot_be_excluded_is_an_error_and_no_pass() {
    for target in [("NONSENSE", "q"), ("ARGS", ""), ("", "q")] {
        let wrong = [Exclusion { rule: 1, target: Some(target) }];
        let transaction = Transaction { exclusions: &wrong, ..get(b"/?q=attack") };
        assert!(matches!(waf().inspect(&transaction), Err(Error::Engine(_))), "{target:?}");
    }
}

#[test]
fn settings_hold_for_their_request_only() {
    let (waf, settings) = (waf(), [("strict", "1".to_owned())]);
    let strict = Transaction { settings: &settings, ..get(b"/") };
    assert_eq!(waf.inspect(&strict).unwrap().interruption.unwrap().status, 451);
    assert_eq!(waf.inspect(&get(b"/")).unwrap().interruption, None);
}

#[test]
fn headers_keep_bytes_that_are_no_text() {
    for value in [&b"\xff\xfe"[..], b"a\0b", b"\0"] {
        let headers: &[(&[u8], &[u8])] = &[(b"x-bad", value)];
        let outcome = waf().inspect(&Transaction { headers, ..get(b"/") }).unwrap();
        assert_eq!(outcome.interruption.map(|end| end.rule), Some(2), "{value:?} was not seen");
    }
}

#[test]
fn a_body_as_long_as_the_limit_is_read_and_a_longer_one_refused() {
    let form: &[(&[u8], &[u8])] = &[(b"Content-Type", b"application/x-www-form-urlencoded")];
    let status = |body: &[u8]| {
        let post = Transaction { method: b"POST", headers: form, body, ..get(b"/") };
        waf().inspect(&post).unwrap().interruption.map(|end| end.status)
    };
    let padded = |length: usize, end: &str| format!("p={}{end}", "x".repeat(length - 2 - end.len())).into_bytes();
    assert_eq!(status(&padded(64, "")), None);
    assert_eq!(status(&padded(64, "&q=attack")), Some(403), "the end of the body was not inspected");
    assert_eq!(status(&padded(65, "")), Some(413));
}

#[test]
fn threads_share_one_rule_set() {
    let waf = waf();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let waf = &waf;
            scope.spawn(move || {
                for round in 0..200 {
                    let attack = (thread + round) % 2 == 0;
                    let target: &[u8] = if attack { b"/?q=attack" } else { b"/?q=peace" };
                    assert_eq!(waf.inspect(&get(target)).unwrap().interruption.is_some(), attack);
                }
            });
        }
    });
}
