//! A request as Envoy hands it over, made what the engine reads.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use envoy_types::pb::envoy::config::core::v3::HeaderMap;

use octroi_coraza::Response;

use super::identity::Attributes;
use crate::request::Request;

/// A request that outlives the message it came in.
#[derive(Debug, Default)]
pub struct Received {
    client: Option<IpAddr>,
    method: Vec<u8>,
    target: Vec<u8>,
    protocol: Option<String>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body, when it has come.
    pub body: Vec<u8>,
}

/// What an upstream answered.
#[derive(Debug, Default)]
pub struct Answered {
    status: u16,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body, when it has come.
    pub body: Vec<u8>,
}

impl Answered {
    /// Out of the headers, the status among them.
    pub fn new(sent: HeaderMap) -> Self {
        let mut answer = Self::default();
        for header in sent.headers {
            let value = if header.raw_value.is_empty() { header.value.into_bytes() } else { header.raw_value };
            match header.key.as_str() {
                ":status" => {
                    answer.status = String::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
                }
                _ => answer.headers.push((header.key.into_bytes(), value)),
            }
        }
        answer
    }

    /// Calls `judge` with what the engine reads.
    pub fn with<T>(&self, judge: impl FnOnce(Response<'_>) -> T) -> T {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
        judge(Response { status: self.status, headers: &headers, body: &self.body })
    }
}

impl Received {
    /// Out of the headers, pseudo-headers among them, and Envoy's attributes.
    pub fn new(sent: HeaderMap, attributes: &Attributes) -> Self {
        let mut request = Self { protocol: attributes.protocol.clone(), ..Self::default() };
        let source = attributes.source.as_deref().and_then(|address| address.parse::<SocketAddr>().ok());
        request.client = source.map(|address| address.ip());
        let mut authority = None;
        for header in sent.headers {
            // Envoy fills in one of the two, by its configuration.
            let value = if header.raw_value.is_empty() { header.value.into_bytes() } else { header.raw_value };
            match header.key.as_str() {
                ":method" => request.method = value,
                ":path" => request.target = value,
                ":authority" => authority = Some(value),
                name if name.starts_with(':') => {}
                _ => request.headers.push((header.key.into_bytes(), value)),
            }
        }
        if let Some(host) = authority.filter(|_| request.header("host").is_none()) {
            request.headers.push((b"host".to_vec(), host));
        }
        request
    }

    /// The first header with that name, in lower case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let same = |of: &[u8]| of.eq_ignore_ascii_case(name.as_bytes());
        self.headers.iter().find(|(of, _)| same(of)).map(|(_, value)| value.as_slice())
    }

    /// The length that it announces.
    pub fn content_length(&self) -> Option<u64> {
        std::str::from_utf8(self.header("content-length")?).ok()?.parse().ok()
    }

    /// Whether it opens a WebSocket: a GET that announces no body. Envoy sends what follows it upstream only after a 101.
    pub fn is_websocket(&self) -> bool {
        let says = |name, word: &str| {
            let value = self.header(name).unwrap_or_default();
            value.split(|byte| *byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
        };
        let is_framed = self.header("content-length").is_some() || self.header("transfer-encoding").is_some();
        self.method == b"GET" && !is_framed && says("upgrade", "websocket") && says("connection", "upgrade")
    }

    /// An id that is safe to show, to log and to search for; `-` for none.
    pub fn id(&self) -> String {
        let id = self.header("x-request-id").unwrap_or_default();
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
        match String::from_utf8(id.to_vec()) {
            Ok(id) if !id.is_empty() && id.len() <= 64 && id.as_bytes().iter().all(is_plain) => id,
            _ => "-".to_owned(),
        }
    }

    /// Whether it is a call of gRPC, whose clients read a status of their own.
    pub fn is_grpc(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.starts_with(b"application/grpc"))
    }

    /// Calls `judge` with what the engine reads.
    pub fn with<T>(&self, judge: impl FnOnce(&Request<'_>) -> T) -> T {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
        judge(&Request {
            client: self.client.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            method: &self.method,
            target: &self.target,
            protocol: self.protocol().as_bytes(),
            headers: &headers,
            body: &self.body,
        })
    }

    /// Envoy's own word, or what must have been: in HTTP/1 a body has one of two headers, and rules ask for them.
    fn protocol(&self) -> &str {
        let framed = self.header("content-length").is_some() || self.header("transfer-encoding").is_some();
        match &self.protocol {
            Some(protocol) => protocol,
            None if !self.body.is_empty() && !framed => "HTTP/2",
            None => "HTTP/1.1",
        }
    }
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};

    use super::{Attributes, Received};

    fn received(headers: &[(&str, &[u8])]) -> Received {
        let header = |(key, value): &(&str, &[u8])| HeaderValue {
            key: (*key).to_owned(),
            raw_value: value.to_vec(),
            ..HeaderValue::default()
        };
        Received::new(HeaderMap { headers: headers.iter().map(header).collect() }, &Attributes::default())
    }

    #[test]
    fn pseudo_headers_become_what_they_stand_for() {
        let request = received(&[
            (":method", b"GET"),
            (":path", b"/a?b"),
            (":authority", b"h"),
            (":scheme", b"https"),
            ("x", b"\xff"),
        ]);
        request.with(|request| {
            assert_eq!((request.method, request.target), (&b"GET"[..], &b"/a?b"[..]));
            assert_eq!(request.headers, [(&b"x"[..], &b"\xff"[..]), (b"host", b"h")]);
        });
    }

    #[test]
    fn a_request_id_is_shown_only_when_it_is_plain() {
        assert_eq!(received(&[("x-request-id", b"5be1b1f1-a2f5")]).id(), "5be1b1f1-a2f5");
        for odd in [&b""[..], b"a b", b"a\n", b"<b>", b"\xff", &[b'a'; 65]] {
            assert_eq!(received(&[("x-request-id", odd)]).id(), "-", "{odd:?}");
        }
    }

    #[test]
    fn only_a_get_without_a_body_opens_a_websocket() {
        let opens = |more: &[(&str, &[u8])]| {
            let upgrade: [(&str, &[u8]); 2] = [("connection", b"keep-alive, Upgrade"), ("upgrade", b"WebSocket")];
            received(&[&upgrade, more].concat()).is_websocket()
        };
        assert!(opens(&[(":method", b"GET")]));
        assert!(!opens(&[(":method", b"POST")]));
        assert!(!opens(&[(":method", b"GET"), ("content-length", b"5")]));
        assert!(!opens(&[(":method", b"GET"), ("transfer-encoding", b"chunked")]));
        assert!(!received(&[(":method", b"GET"), ("upgrade", b"websocket")]).is_websocket());
        assert!(!received(&[(":method", b"GET"), ("connection", b"upgrade"), ("upgrade", b"h2c")]).is_websocket());
    }

    #[test]
    fn a_body_without_a_length_came_by_a_later_http() {
        let mut request = received(&[(":method", b"POST")]);
        assert_eq!(request.protocol(), "HTTP/1.1");
        request.body = b"x".to_vec();
        assert_eq!(request.protocol(), "HTTP/2");
    }
}
