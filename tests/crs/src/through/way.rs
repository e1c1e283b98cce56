//! What became of a request between the client and the firewall.

use std::fmt;

use super::client::Answer;
use super::server::Arrived;
use crate::ledger::Class;
use crate::wire::Received;

/// What became of a request before the firewall had its say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Envoy answered it.
    Refused,
    /// Envoy told the client to ask in other words.
    Redirected,
    /// Another request arrived.
    Changed,
    /// It arrived as it was.
    Same,
}

impl fmt::Display for Way {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Refused => "answered by Envoy",
            Self::Redirected => "redirected by Envoy",
            Self::Changed => "arrived changed",
            Self::Same => "arrived as it was",
        })
    }
}

impl Way {
    /// By what was sent, what was answered and what arrived.
    pub fn of(sent: &Received, answer: Option<&Answer>, arrived: &Arrived) -> Self {
        let there = answer.and_then(|answer| arrived.of(answer.request_id.as_ref()?));
        match there {
            None if answer.is_some_and(|answer| (300..400).contains(&answer.status)) => Self::Redirected,
            None => Self::Refused,
            Some(there) if is_same(sent, &there) => Self::Same,
            Some(_) => Self::Changed,
        }
    }

    /// Whether a deviation can have its reason there: nobody calls a hole of the engine's a refusal by Envoy.
    pub fn may_be(self, class: Class) -> bool {
        match class {
            Class::EnvoyRefuses => self == Self::Refused,
            Class::EnvoyNormalises => matches!(self, Self::Redirected | Self::Changed),
            Class::Harness | Class::Engine => matches!(self, Self::Changed | Self::Same),
        }
    }
}

/// Whether what arrived is what was sent. Envoy's own headers come along. Those of one connection never reach the firewall: the plain
/// `Connection: close` that the tests add is no loss.
fn is_same(sent: &Received, arrived: &Received) -> bool {
    let kept = |(name, value): &(Vec<u8>, Vec<u8>)| match name.to_ascii_lowercase().as_slice() {
        b"connection" => value.eq_ignore_ascii_case(b"close"),
        b"transfer-encoding" => false,
        name => arrived.headers.iter().any(|(of, is)| of.eq_ignore_ascii_case(name) && is == value),
    };
    let line = |request: &Received| (request.method.clone(), request.target.clone(), request.protocol.clone());
    line(sent) == line(arrived) && sent.body == arrived.body && sent.headers.iter().all(kept)
}

#[cfg(test)]
mod tests {
    use super::{Answer, Arrived, Class, Way};
    use crate::wire::received;

    fn way(sent: &[u8], status: u16, there: Option<&[u8]>) -> Way {
        let arrived = Arrived::default();
        if let Some(there) = there {
            arrived.add(received(there));
        }
        let answer = Answer { status, request_id: Some("7".into()), body: Vec::new() };
        Way::of(&received(sent), Some(&answer), &arrived)
    }

    #[test]
    fn a_request_that_is_not_there_was_refused_or_redirected() {
        let sent = b"GET /a HTTP/1.1\r\n\r\n";
        assert_eq!((way(sent, 400, None), way(sent, 307, None)), (Way::Refused, Way::Redirected));
        assert_eq!(Way::of(&received(sent), None, &Arrived::default()), Way::Refused);
    }

    #[test]
    fn a_request_is_the_same_when_nothing_of_it_is_lost() {
        let sent = b"GET /a?b HTTP/1.1\r\nX: 1\r\nConnection: close\r\n\r\n";
        let there = |text: &str| way(sent, 200, Some(format!("{text}x-request-id: 7\r\n\r\n").as_bytes()));
        assert_eq!(there("GET /a?b HTTP/1.1\r\nx: 1\r\nx-more: 2\r\n"), Way::Same);
        for other in ["GET /a?b HTTP/1.1\r\n", "GET /a?b HTTP/1.1\r\nx: 2\r\n", "GET /a HTTP/1.1\r\nx: 1\r\n"] {
            assert_eq!(there(other), Way::Changed, "{other}");
        }
        let chunked = b"GET /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(
            way(chunked, 200, Some(&[&chunked[..chunked.len() - 2], b"x-request-id: 7\r\n\r\n"].concat())),
            Way::Changed
        );
    }

    #[test]
    fn a_class_has_to_be_what_happened() {
        assert!(Way::Refused.may_be(Class::EnvoyRefuses) && !Way::Same.may_be(Class::EnvoyRefuses));
        assert!(Way::Changed.may_be(Class::EnvoyNormalises) && !Way::Same.may_be(Class::EnvoyNormalises));
        assert!(Way::Same.may_be(Class::Engine) && !Way::Refused.may_be(Class::Engine));
    }
}
