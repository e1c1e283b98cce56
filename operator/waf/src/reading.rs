//! What the engine is given of a request where its own parsers cannot read it as the upstream does. Nothing that could be an attack is
//! left out: what is not understood as a whole stays as it came.

use std::borrow::Cow;
use std::fmt;

use apollo_parser::cst::{CstNode, Definition, StringValue};
use apollo_parser::{Parser, SyntaxElement, SyntaxKind};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::request::Request;

/// Types whose parser is that of JSON, one value a line: `directives.conf` has the same.
const LINES: [&str; 4] = ["application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"];
/// A document of GraphQL, as it is.
const GRAPHQL: &str = "application/graphql";
/// The parameter that holds a document of GraphQL, in a query and in JSON.
const QUERY: &str = "query";
/// Documents are nested a few levels deep and have some thousand signs; longer ones are left as they are.
const MAX_DEPTH: usize = 64;
const MAX_TOKENS: usize = 50_000;

/// The two parts that may be read in another way.
pub(crate) struct Reading<'a> {
    /// Path and query.
    pub(crate) target: Cow<'a, [u8]>,
    /// The body.
    pub(crate) body: Cow<'a, [u8]>,
}

/// Reads a request.
pub(crate) fn read<'a>(request: &Request<'a>) -> Reading<'a> {
    let (kind, is_graphql) = (kind_of(request), is_graphql(request.target));
    let target = is_graphql.then(|| target_of(request.target)).flatten();
    let body = match kind.as_str() {
        GRAPHQL => {
            std::str::from_utf8(request.body).ok().and_then(texts).and_then(|texts| serde_json::to_vec(&texts).ok())
        }
        kind if LINES.contains(&kind) => joined(request.body),
        kind if is_json(kind) && is_graphql => with_texts(request.body),
        kind if is_json(kind) && !is_valid(request.body) => joined(request.body),
        _ => None,
    };
    Reading {
        target: target.map_or(Cow::Borrowed(request.target), Cow::Owned),
        body: body.map_or(Cow::Borrowed(request.body), Cow::Owned),
    }
}

/// The type of the body, without parameters; empty where it is not told once.
fn kind_of(request: &Request<'_>) -> String {
    let mut kinds = request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"content-type"));
    let (Some((_, kind)), None) = (kinds.next(), kinds.next()) else { return String::new() };
    let kind = String::from_utf8_lossy(kind).to_ascii_lowercase();
    kind.split(';').next().unwrap_or_default().trim().to_owned()
}

fn is_json(kind: &str) -> bool {
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// Whether the path is that of an interface of GraphQL.
fn is_graphql(target: &[u8]) -> bool {
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    path.split(|byte| *byte == b'/').any(|segment| segment.eq_ignore_ascii_case(b"graphql"))
}

fn is_valid(body: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

/// One value of JSON a line, as an array. None when a line is none: the parser then refuses the body as it is.
fn joined(body: &[u8]) -> Option<Vec<u8>> {
    let lines: Vec<_> =
        body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()).collect();
    lines.iter().all(|line| is_valid(line)).then(|| [b"[", lines.join(&b',').as_slice(), b"]"].concat())
}

/// The target with the texts of its document instead of the document, each a parameter of the same name.
fn target_of(target: &[u8]) -> Option<Vec<u8>> {
    let (path, query) = std::str::from_utf8(target).ok()?.split_once('?')?;
    let pairs: Vec<String> = query.split('&').map(|pair| pair_of(pair).unwrap_or_else(|| pair.to_owned())).collect();
    Some(format!("{path}?{}", pairs.join("&")).into_bytes())
}

fn pair_of(pair: &str) -> Option<String> {
    let (name, document) = form_urlencoded::parse(pair.as_bytes()).next()?;
    let texts = (name == QUERY).then(|| texts(&document)).flatten()?;
    let encoded =
        |text: &String| format!("{QUERY}={}", form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>());
    Some(if texts.is_empty() { format!("{QUERY}=") } else { texts.iter().map(encoded).collect::<Vec<_>>().join("&") })
}

/// The body with the texts of its documents instead of the documents; every other member stays, also one that is there twice.
fn with_texts(body: &[u8]) -> Option<Vec<u8>> {
    if let Ok(one) = serde_json::from_slice::<Members<'_>>(body) {
        return one.written().map(String::into_bytes);
    }
    let all: Vec<Members<'_>> = serde_json::from_slice(body).ok()?;
    let all: Option<Vec<String>> = all.iter().map(Members::written).collect();
    Some(format!("[{}]", all?.join(",")).into_bytes())
}

/// An object's members in their order, values as they are written.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl Members<'_> {
    fn written(&self) -> Option<String> {
        let members: Option<Vec<String>> = self.0.iter().map(|(name, value)| member(name, value)).collect();
        Some(format!("{{{}}}", members?.join(",")))
    }
}

fn member(name: &str, value: &RawValue) -> Option<String> {
    let document = (name == QUERY).then(|| serde_json::from_str::<String>(value.get()).ok()).flatten();
    let name = serde_json::to_string(name).ok()?;
    match document.and_then(|document| texts(&document)) {
        Some(texts) => Some(format!("{name}:{}", serde_json::to_string(&texts).ok()?)),
        None => Some(format!("{name}:{}", value.get())),
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// All of a GraphQL document that is free text: strings, and comments. What is left are names, numbers and the signs between them, by
/// the grammar. None when it is no document that can be executed, by all of the grammar.
fn texts(document: &str) -> Option<Vec<String>> {
    let tree = Parser::new(document).recursion_limit(MAX_DEPTH).token_limit(MAX_TOKENS).parse();
    let executable =
        |definition| matches!(definition, Definition::OperationDefinition(_) | Definition::FragmentDefinition(_));
    let parsed = tree.document();
    if tree.errors().len() > 0 || parsed.definitions().count() == 0 || !parsed.definitions().all(executable) {
        return None;
    }
    let nodes = parsed.syntax().descendants().filter_map(StringValue::cast).map(|text| String::from(&text));
    let tokens = parsed.syntax().descendants_with_tokens().filter_map(SyntaxElement::into_token);
    let comments = tokens.filter(|token| token.kind() == SyntaxKind::COMMENT).map(|token| token.text().to_owned());
    Some(nodes.chain(comments).collect())
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::{read, texts};
    use crate::request::Request;

    /// What is made of a target and a body.
    fn made(kind: &str, target: &str, body: &str) -> (String, String) {
        let headers: [(&[u8], &[u8]); 1] = [(b"Content-Type", kind.as_bytes())];
        let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let (method, protocol) = (&b"POST"[..], &b"HTTP/1.1"[..]);
        let (target, body) = (target.as_bytes(), body.as_bytes());
        let reading = read(&Request { client, method, target, protocol, headers: &headers, body });
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (text(&reading.target), text(&reading.body))
    }

    fn body(kind: &str, target: &str, body: &str) -> String {
        made(kind, target, body).1
    }

    #[test]
    fn of_a_document_its_texts_are_left() {
        let document = r#"query Q($first: Int = 1, $b: String = "one") { a(first: $first, c: "t\u0077o") @d(e: ["three"]) { f } } # four"#;
        assert_eq!(texts(document).unwrap(), ["one", "two", "three", "# four"]);
        assert_eq!(texts("{ a(b: \"\"\"\n  it's\n\"\"\") { c } }").unwrap(), ["it's"]);
        assert_eq!(texts("fragment F on T { a } { ...F }").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_document_to_execute_stays_as_it_is() {
        let deep = format!("{}a{}", "{a".repeat(100), "}".repeat(100));
        for text in [
            "",
            " ",
            "# only",
            "a",
            "{ a",
            "{ a } ' OR 1=1--",
            "{ a(b: \"x) }",
            "{a;b}",
            "{a|b}",
            "union A = B | C",
            "type A { b: C }",
            &deep,
        ] {
            assert_eq!(texts(text), None, "{text}");
            let sent = serde_json::to_string(&serde_json::json!({"query": text})).unwrap();
            assert_eq!(body("application/json", "/graphql", &sent), sent);
        }
    }

    #[test]
    fn documents_are_looked_for_where_graphql_is_served() {
        let sent = r#"{"query":"{ a(b: \"x\") { c } }","variables":{"d":"y"}}"#;
        let read = r#"{"query":["x"],"variables":{"d":"y"}}"#;
        for target in ["/graphql", "/api/GraphQL/", "/graphql?a=b"] {
            assert_eq!(body("application/json; charset=utf-8", target, sent), read, "{target}");
        }
        for (kind, target) in
            [("application/json", "/"), ("application/json", "/?/graphql"), ("text/plain", "/graphql")]
        {
            assert_eq!(body(kind, target, sent), sent, "{kind} {target}");
        }
        assert_eq!(body("application/json", "/graphql", &format!("[{sent},{sent}]")), format!("[{read},{read}]"));
        assert_eq!(body("application/graphql", "/any", "{ a(b: \"x\") }"), r#"["x"]"#);
    }

    #[test]
    fn no_member_is_lost() {
        let twice = r#"{"query":"' OR 1=1","query":"{ a }","variables":{"b":"1","b":"2"},"a":0,"a":"1"}"#;
        let read = r#"{"query":"' OR 1=1","query":[],"variables":{"b":"1","b":"2"},"a":0,"a":"1"}"#;
        assert_eq!(body("application/json", "/graphql", twice), read);
        for other in [r#"{"query":7}"#, r#"{"query":"{ a }"} x"#, r#"[1,{"query":"{ a }"}]"#, "7", ""] {
            assert_eq!(body("application/json", "/graphql", other), other);
        }
    }

    #[test]
    fn of_a_query_every_other_pair_stays() {
        let target = "/graphql?id=%27+OR&query=%7Ba(b%3A%22x%27%20y%22)%7D&query=%7Bc%7D&query=%7B&querY=%7Bc%7D&x";
        let read = "/graphql?id=%27+OR&query=x%27+y&query=&query=%7B&querY=%7Bc%7D&x";
        assert_eq!(made("", target, "").0, read);
        assert_eq!(made("", "/x?query=%7Bc%7D", "").0, "/x?query=%7Bc%7D");
    }

    #[test]
    fn lines_become_an_array() {
        let (sent, read) = ("{\"a\":1}\r\n\n{\"a\":\"x\"}\n", r#"[{"a":1},{"a":"x"}]"#);
        for kind in ["application/x-ndjson", "application/jsonl", "application/json", "application/vnd.api+json"] {
            assert_eq!(body(kind, "/", sent), read, "{kind}");
        }
        for other in ["{\"a\":1}\n{\"a\":", "a\nb", "{\"a\":1} {\"b\":2}"] {
            assert_eq!(body("application/x-ndjson", "/", other), other);
        }
        let pretty = "{\n  \"a\": 1\n}";
        assert_eq!(body("application/json", "/", pretty), pretty);
    }

    #[test]
    fn a_type_that_is_told_twice_is_none() {
        let headers: [(&[u8], &[u8]); 2] =
            [(b"content-type", b"application/x-ndjson"), (b"Content-Type", b"text/plain")];
        let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let request =
            Request { client, method: b"POST", target: b"/", protocol: b"HTTP/1.1", headers: &headers, body: b"1\n2" };
        assert_eq!(*read(&request).body, *b"1\n2");
    }
}
