//! Rules that must not come into use, and those in use meanwhile.

mod support;

use std::sync::Arc;

use octroi_waf::{Profile, Rules, RulesError};
use support::{SQL, changed, get, rules, sources};

#[test]
fn rules_that_do_not_parse_are_refused() {
    let broken = changed(|rules| rules + "\nSecRule ARGS \"@rx (\" \"id:1,phase:2,deny\"\n");
    assert!(matches!(octroi_waf::RuleSet::new(&broken), Err(RulesError::Engine(_))));
}

#[test]
fn rules_that_protect_from_nothing_are_refused() {
    for change in [|_| String::new(), |rules: String| rules.replace("phase:2,deny,log", "phase:2,pass,log")] {
        let error = octroi_waf::RuleSet::new(&changed(change)).unwrap_err();
        assert!(matches!(error, RulesError::MissesAttack(_)), "{error}");
    }
}

#[test]
fn rules_that_let_nobody_in_are_refused() {
    let strict =
        changed(|rules| rules + "\nSecRule REQUEST_METHOD \"@streq GET\" \"id:910001,phase:2,deny,status:403,log\"\n");
    // Attacks are refused by them too, so that only the ordinary requests tell.
    let error = octroi_waf::RuleSet::new(&strict).unwrap_err();
    assert!(matches!(error, RulesError::RefusesOrdinary(_)), "{error}");
}

#[test]
fn a_bad_reload_keeps_the_old_rules() {
    let rules = Rules::new(rules());
    let before = rules.current();
    for bad in [changed(|_| String::new()), changed(|rules| rules + "\nSecNonsense\n")] {
        rules.reload(&bad).unwrap_err();
    }
    assert!(Arc::ptr_eq(&before, &rules.current()));
    assert!(get(&rules.current(), &Profile::default(), &format!("/?id={SQL}")).is_block());
}

#[test]
fn a_good_reload_leaves_requests_under_way_their_rules() {
    let rules = Rules::new(rules());
    let before = rules.current();
    rules.reload(&changed(|rules| rules.replace("@contains four", "@contains worm"))).unwrap();
    let profile = Profile { paranoia: octroi_waf::Paranoia::Four, ..Profile::default() };
    assert!(get(&rules.current(), &profile, "/?q=worm").is_block());
    assert!(!get(&before, &profile, "/?q=worm").is_block());
    assert!(get(&before, &profile, "/?q=four").is_block());
}

#[test]
fn reloads_beside_requests_lose_none() {
    let rules = Rules::new(rules());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..300 {
                    assert!(get(&rules.current(), &Profile::default(), &format!("/?id={SQL}")).is_block());
                    assert!(!get(&rules.current(), &Profile::default(), "/?id=7").is_block());
                }
            });
        }
        for _ in 0..5 {
            rules.reload(&sources()).unwrap();
        }
    });
}
