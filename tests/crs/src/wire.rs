//! A request as bytes on the wire, and back: written as go-ftw writes it, read as leniently as a web server may.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::suite::Input;

/// Name and value.
type Header = (String, String);

const FORM: &str = "application/x-www-form-urlencoded";

/// A request as a web server understands it. Nothing is decoded but `Transfer-Encoding: chunked`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// `GET`.
    pub method: Vec<u8>,
    /// Path and query.
    pub target: Vec<u8>,
    /// `HTTP/1.1`.
    pub protocol: Vec<u8>,
    /// In their order.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Writes a request of a test. Nothing but what go-ftw adds is added, since many tests are about what is wrong.
///
/// # Errors
/// When `encoded_request` is no base64.
pub fn written(input: &Input) -> Result<Vec<u8>, base64::DecodeError> {
    if let Some(encoded) = &input.encoded_request {
        let encoded: String = encoded.chars().filter(|letter| !letter.is_whitespace()).collect();
        return STANDARD.decode(encoded);
    }
    let method = input.method.as_deref().unwrap_or("GET");
    let mut headers: Vec<Header> = input.headers.clone().into_iter().collect();
    let complete = input.autocomplete_headers.unwrap_or(true);
    let body = body(input, &mut headers, complete);
    if complete {
        complete_headers(method, body.len(), &mut headers);
    }
    let mut out = format!(
        "{method} {} {}\r\n",
        input.uri.as_deref().unwrap_or("/"),
        input.version.as_deref().unwrap_or("HTTP/1.1")
    );
    out.extend(headers.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]));
    out.push_str("\r\n");
    out.push_str(&body);
    Ok(out.into_bytes())
}

fn body(input: &Input, headers: &mut Vec<Header>, complete: bool) -> String {
    let mut body = input.data.clone().unwrap_or_default();
    if !body.is_empty() && complete {
        if find(headers, "content-type").is_none() {
            headers.push(("Content-Type".into(), FORM.into()));
        }
        if find(headers, "content-type").is_some_and(|kind| kind.eq_ignore_ascii_case(FORM)) {
            body = encoded_form(body);
        }
    }
    if find(headers, "content-type").is_some_and(|kind| kind.to_ascii_lowercase().contains("multipart/form-data;")) {
        // Whatever the line ends are: go-ftw puts a carriage return before each line feed.
        body = body.replace('\n', "\r\n");
    }
    body
}

fn complete_headers(method: &str, length: usize, headers: &mut Vec<Header>) {
    if find(headers, "connection").is_none() {
        headers.push(("Connection".into(), "close".into()));
    }
    let may_have_body =
        method.starts_with("POST") || method.contains("PUT") || method.contains("PATCH") || method.ends_with("DELETE");
    if find(headers, "content-length").is_none() && (length > 0 || may_have_body) {
        headers.push(("Content-Length".into(), length.to_string()));
    }
}

fn find<'a>(headers: &'a [Header], name: &str) -> Option<&'a str> {
    headers.iter().find(|(of, _)| of.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// Names and values of a form are encoded, unless something in it is encoded already.
fn encoded_form(body: String) -> String {
    if body.contains('%') || body.contains('+') {
        return body;
    }
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name, value)) => format!("{}={}", encoded(name), encoded(value)),
        None => encoded(pair),
    };
    // A form that ends with & loses it, as in go-ftw.
    let body = body.strip_suffix('&').unwrap_or(&body);
    body.split('&').map(pair).collect::<Vec<_>>().join("&")
}

fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            _ => out.extend(["%".to_owned(), format!("{byte:02X}")]),
        }
    }
    out
}

/// Reads a request. It refuses nothing: what it makes of bytes that are no request is what a careless server would.
pub fn received(bytes: &[u8]) -> Received {
    let (head, rest) = split_once(bytes, b"\r\n\r\n").unwrap_or((bytes, &[]));
    let (line, fields) = split_once(head, b"\r\n").unwrap_or((head, &[]));
    let (method, protocol) = (line.iter().position(|byte| *byte == b' '), line.iter().rposition(|byte| *byte == b' '));
    let mut request = match (method, protocol) {
        (Some(first), Some(last)) if first < last => Received {
            method: line[..first].to_vec(),
            target: line[first + 1..last].to_vec(),
            protocol: line[last + 1..].to_vec(),
            ..Received::default()
        },
        (Some(only), _) => {
            Received { method: line[..only].to_vec(), target: line[only + 1..].to_vec(), ..Received::default() }
        }
        _ => Received { method: line.to_vec(), ..Received::default() },
    };
    request.headers = fields_of(fields);
    let chunked = request.header("transfer-encoding").is_some_and(|kind| kind.eq_ignore_ascii_case(b"chunked"));
    let length = request.header("content-length").and_then(|text| std::str::from_utf8(text).ok()?.trim().parse().ok());
    request.body = match length {
        _ if chunked => dechunked(rest),
        Some(length) if length < rest.len() => rest[..length].to_vec(),
        _ => rest.to_vec(),
    };
    request
}

impl Received {
    /// The first header with that name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let same = |of: &[u8]| of.eq_ignore_ascii_case(name.as_bytes());
        self.headers.iter().find(|(of, _)| same(of)).map(|(_, value)| value.as_slice())
    }
}

fn fields_of(bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut fields: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (line, next) = split_once(rest, b"\r\n").unwrap_or((rest, &[]));
        rest = next;
        // A line that begins with a space goes on with the one before.
        if let (Some((_, value)), Some(b' ' | b'\t')) = (fields.last_mut(), line.first()) {
            value.push(b' ');
            value.extend_from_slice(line.trim_ascii());
        } else {
            let (name, value) = split_once(line, b":").unwrap_or((line, &[]));
            fields.push((name.to_vec(), value.trim_ascii().to_vec()));
        }
    }
    fields
}

fn dechunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some((size, next)) = split_once(rest, b"\r\n") {
        let digits = size.split(|byte| *byte == b';').next().unwrap_or_default();
        let size = std::str::from_utf8(digits).ok().and_then(|text| usize::from_str_radix(text.trim(), 16).ok());
        match size {
            Some(size) if size > 0 && size <= next.len() => {
                body.extend_from_slice(&next[..size]);
                rest = next[size..].strip_prefix(b"\r\n").unwrap_or(&next[size..]);
            }
            _ => break,
        }
    }
    body
}

fn split_once<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let start = bytes.windows(at.len()).position(|window| window == at)?;
    Some((&bytes[..start], &bytes[start + at.len()..]))
}

#[cfg(test)]
mod tests {
    use super::{received, written};
    use crate::suite::Input;

    fn bytes(yaml: &str) -> String {
        let input: Input = serde_saphyr::from_str(yaml).unwrap();
        String::from_utf8(written(&input).unwrap()).unwrap()
    }

    #[test]
    fn a_form_gets_its_headers_and_is_encoded() {
        let post = bytes("{method: POST, headers: {Host: h}, data: 'a=<b>&c d'}");
        assert!(post.starts_with("POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
        assert!(post.ends_with("Content-Length: 13\r\n\r\na=%3Cb%3E&c+d"), "{post}");
    }

    #[test]
    fn what_is_encoded_already_or_not_to_be_completed_stays_as_it_is() {
        assert!(bytes("{method: POST, data: 'a=%3C&b=<'}").ends_with("a=%3C&b=<"));
        assert_eq!(bytes("{data: 'a=<', autocomplete_headers: false}"), "GET / HTTP/1.1\r\n\r\na=<");
    }

    #[test]
    fn a_multipart_body_has_carriage_returns() {
        let post =
            bytes(r#"{method: POST, headers: {Content-Type: "multipart/form-data; boundary=x"}, data: "--x\n\n1"}"#);
        assert!(post.ends_with("Content-Length: 8\r\n\r\n--x\r\n\r\n1"), "{post}");
    }

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let post = received(b"POST /a b?c HTTP/1.1\r\nHost:  h \r\nX: 1\r\n 2\r\nContent-Length: 3\r\n\r\nabcd");
        assert_eq!((post.method.as_slice(), post.target.as_slice()), (&b"POST"[..], &b"/a b?c"[..]));
        assert_eq!((post.header("host"), post.header("x")), (Some(&b"h"[..]), Some(&b"1 2"[..])));
        assert_eq!(post.body, b"abc");
    }

    #[test]
    fn chunks_are_put_together() {
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let post = received(format!("{head}3\r\nHi \r\n3;x=y\r\nCRS\r\n0\r\n\r\n").as_bytes());
        assert_eq!(post.body, b"Hi CRS");
    }

    #[test]
    fn bytes_that_are_no_request_do_no_harm() {
        for odd in [&b""[..], b"\r\n\r\n", b"GET", b"GET /", b"\xff\0 \xfe", b": :\r\n:\r\n"] {
            received(odd);
        }
    }
}
