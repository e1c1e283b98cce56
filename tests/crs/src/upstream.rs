//! The server behind the firewall that the tests are written for (<https://github.com/coreruleset/albedo>): it answers 200 without
//! a body, and what it is told to below `/reflect`.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::wire::Received;

/// What it answered.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// In any order.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reflection {
    #[serde(default)]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    encoded_body: String,
}

/// Answers a request.
pub fn answer(request: &Received) -> Answer {
    let path = request.target.split(|byte| *byte == b'?').next().unwrap_or_default();
    let asked = request.method == b"POST" && (path == b"/reflect" || path.starts_with(b"/reflect/"));
    if !asked {
        return Answer { status: 200, headers: Vec::new(), body: Vec::new() };
    }
    let Ok(told) = serde_json::from_slice::<Reflection>(&request.body) else { return wrong("no JSON") };
    let body = if told.body.is_empty() {
        let Ok(body) = STANDARD.decode(&told.encoded_body) else { return wrong("no base64") };
        body
    } else {
        told.body.into_bytes()
    };
    let mut headers: Vec<_> =
        told.headers.into_iter().map(|(name, value)| (name.into_bytes(), value.into_bytes())).collect();
    // A server in Go names the type of what has none; of which kind of text matters to no rule.
    if !body.is_empty() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"content-type")) {
        headers.push((b"Content-Type".to_vec(), b"text/plain; charset=utf-8".to_vec()));
    }
    Answer { status: if told.status == 0 { 200 } else { told.status }, headers, body }
}

fn wrong(why: &str) -> Answer {
    let headers = vec![(b"Content-Type".to_vec(), b"text/plain".to_vec())];
    Answer { status: 400, headers, body: why.as_bytes().to_vec() }
}

#[cfg(test)]
mod tests {
    use super::answer;
    use crate::wire::received;

    #[test]
    fn it_answers_what_it_is_told_to() {
        let told = br#"{"status": 503, "headers": {"X-A": "1"}, "encodedBody": "aGk="}"#;
        let answered = answer(&received(&[b"POST /reflect HTTP/1.1\r\n\r\n", &told[..]].concat()));
        assert_eq!((answered.status, answered.body.as_slice()), (503, &b"hi"[..]));
        let kind = (b"Content-Type".to_vec(), b"text/plain; charset=utf-8".to_vec());
        assert_eq!(answered.headers, [(b"X-A".to_vec(), b"1".to_vec()), kind]);
    }

    #[test]
    fn anything_else_is_an_empty_page() {
        let answered = answer(&received(b"GET /reflect HTTP/1.1\r\n\r\n"));
        assert_eq!((answered.status, answered.body.len()), (200, 0));
        assert_eq!(answer(&received(b"POST /reflect HTTP/1.1\r\n\r\nno")).status, 400);
    }
}
