//! From the conditions of one parent to a verdict, in the words of Gateway API 1.6, Envoy Gateway and kgateway.

use octroi_api::RouteProblem;

use super::observed::{Refusal, Said, Verdict};

/// Longest text of a data plane that is kept.
const MAX_TEXT: usize = 300;

/// kgateway in strict validation says by this condition that it dropped a rule.
const KGATEWAY_PROGRAMMED: &str = "kgateway.dev/Programmed";

/// Reasons whose message speaks of the route itself and of what it names. Any other message stays where it is: one about
/// a conflict names the other route, and with it another tenant.
const ABOUT_ITSELF: [&str; 11] = [
    "BackendNotFound",
    "IncompatibleFilters",
    "InvalidAddress",
    "InvalidKind",
    "PortNotFound",
    "PortNotSpecified",
    "RouteRuleDropped",
    "RouteRuleReplaced",
    "UnsupportedAddressType",
    "UnsupportedProtocol",
    "UnsupportedValue",
];

/// The verdict of one parent on a route of this generation.
pub fn of(conditions: &[Said], generation: Option<i64>) -> Verdict {
    let current = |said: &&Said| said.observed_generation.is_none() || said.observed_generation == generation;
    let find = |r#type: &str| conditions.iter().filter(current).find(|said| said.r#type == r#type);
    let Some(accepted) = find("Accepted") else { return Verdict::Pending };
    if accepted.status == "False" {
        return if accepted.reason == "Pending" { Verdict::Pending } else { refused(accepted) };
    }
    if accepted.status != "True" {
        return Verdict::Pending;
    }
    let bad = [("ResolvedRefs", "False"), ("PartiallyInvalid", "True"), (KGATEWAY_PROGRAMMED, "False")];
    let first = bad.into_iter().find_map(|(r#type, status)| find(r#type).filter(|said| said.status == status));
    first.map_or(Verdict::Accepted, refused)
}

fn refused(said: &Said) -> Verdict {
    // Envoy Gateway joins several reasons by commas, and their messages by line breaks.
    let reasons: Vec<&str> = said.reason.split(',').collect();
    let is_about_itself = reasons.iter().all(|reason| ABOUT_ITSELF.contains(reason));
    let text = if is_about_itself { plain(&said.message) } else { String::new() };
    let problem = reasons.first().map_or(RouteProblem::Invalid, |reason| problem(reason));
    Verdict::Refused(Box::new(Refusal { problem, reason: plain(&said.reason).into(), text: text.into() }))
}

fn problem(reason: &str) -> RouteProblem {
    match reason {
        "NoMatchingListenerHostname" | "NoMatchingParent" | "NotAllowedByListeners" => RouteProblem::NotAttached,
        "BackendNotFound" | "PortNotFound" | "PortNotSpecified" => RouteProblem::BackendNotFound,
        "RefNotPermitted" => RouteProblem::BackendNotPermitted,
        _ => RouteProblem::Invalid,
    }
}

/// On one line, bounded, and without characters that a terminal would act on: a regular expression that a tenant wrote
/// comes back in the message that refuses it.
fn plain(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    let mut kept: String = line.chars().take(MAX_TEXT).collect();
    if kept.len() < line.len() {
        kept.push('…');
    }
    kept.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(r#type: &str, status: &str, reason: &str, message: &str) -> Said {
        Said {
            r#type: r#type.into(),
            status: status.into(),
            reason: reason.into(),
            message: message.into(),
            observed_generation: Some(2),
        }
    }

    fn refusal(conditions: &[Said]) -> Refusal {
        match of(conditions, Some(2)) {
            Verdict::Refused(refusal) => *refusal,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_said_of_an_older_generation_or_is_not_sure_is_no_verdict() {
        let good = said("Accepted", "True", "Accepted", "");
        for (conditions, generation) in [
            (vec![], 2),
            (vec![good.clone()], 3),
            (vec![said("Accepted", "Unknown", "Pending", "")], 2),
            (vec![said("Accepted", "False", "Pending", "")], 2),
            (vec![said("ResolvedRefs", "True", "ResolvedRefs", "")], 2),
        ] {
            assert_eq!(of(&conditions, Some(generation)), Verdict::Pending, "{conditions:?}");
        }
        assert_eq!(of(&[good], Some(2)), Verdict::Accepted);
    }

    #[test]
    fn each_way_to_be_refused_has_its_problem() {
        let accepted = said("Accepted", "True", "Accepted", "");
        for (bad, problem) in [
            (said("Accepted", "False", "NoMatchingListenerHostname", ""), RouteProblem::NotAttached),
            (said("Accepted", "False", "NoMatchingParent", ""), RouteProblem::NotAttached),
            (said("Accepted", "False", "NotAllowedByListeners", ""), RouteProblem::NotAttached),
            (said("Accepted", "False", "UnsupportedValue", ""), RouteProblem::Invalid),
            (said("Accepted", "False", "SomethingNew", ""), RouteProblem::Invalid),
            (said("ResolvedRefs", "False", "BackendNotFound", ""), RouteProblem::BackendNotFound),
            (said("ResolvedRefs", "False", "BackendNotFound,PortNotFound", ""), RouteProblem::BackendNotFound),
            (said("ResolvedRefs", "False", "PortNotFound", ""), RouteProblem::BackendNotFound),
            (said("ResolvedRefs", "False", "RefNotPermitted", ""), RouteProblem::BackendNotPermitted),
            (said("ResolvedRefs", "False", "InvalidKind", ""), RouteProblem::Invalid),
            (said("PartiallyInvalid", "True", "UnsupportedValue", ""), RouteProblem::Invalid),
            (said(KGATEWAY_PROGRAMMED, "False", "RouteRuleDropped", ""), RouteProblem::Invalid),
        ] {
            let first = if bad.r#type == "Accepted" { bad.clone() } else { accepted.clone() };
            assert_eq!(refusal(&[first, bad.clone()]).problem, problem, "{bad:?}");
        }
    }

    #[test]
    fn what_is_no_refusal_counts_for_nothing() {
        let conditions = [
            said("Accepted", "True", "Accepted", ""),
            said("ResolvedRefs", "True", "ResolvedRefs", ""),
            said("BackendsAvailable", "False", "EndpointsNotFound", "no ready endpoints"),
            said("RouteRulesOverlap", "True", "RouteRulesOverlap", "Overlapping match conditions with globex/web"),
        ];
        assert_eq!(of(&conditions, Some(2)), Verdict::Accepted);
    }

    #[test]
    fn a_message_that_may_speak_of_others_is_not_passed_on() {
        for reason in ["RouteConflict", "RefNotPermitted", "SomethingNew", "BackendNotFound,RouteConflict"] {
            let found = refusal(&[said("Accepted", "False", reason, "conflicts with globex/web")]);
            assert_eq!((&*found.reason, &*found.text), (reason, ""));
        }
    }

    #[test]
    fn a_message_is_one_plain_bounded_line() {
        let text = |message: &str| refusal(&[said("Accepted", "False", "UnsupportedValue", message)]).text;
        assert_eq!(&*text("rule 0:\n  \u{1b}[31mbad\u{7}\tregex."), "rule 0: [31mbad regex");
        let long = text(&"é".repeat(1000));
        assert_eq!(long.chars().count(), MAX_TEXT + 1);
    }
}
