//! Paths as expressions for RE2, matched against the whole of `:path`, the query with it. A backend may read a path in ways of
//! its own: without regard to case, without what follows a `;`, with escapes resolved once more. What it might read as a guarded
//! path is taken for one, or refused. The proof are the tests of this file and, by traffic, `auth` of the e2e tests.

/// A guarded path and what is below it. What follows is below it too unless it goes on as a name would: `/api.json`, `/api;x`
/// and `/api%20` are, `/apix` and `/api-docs` are not.
pub(super) fn under(prefix: &str) -> String {
    // Parameters of a segment: Tomcat and others read `/a;x=1/b` as `/a/b`.
    let segments: Vec<String> = prefix.split('/').skip(1).map(|segment| segment.replace('.', r"\.")).collect();
    let path = segments.join("(?:;[^/?]*)?/+");
    format!("(?i)/+{path}(?:[^-a-z0-9_~].*)?")
}

/// A path of which nobody knows what a backend reads: an escaped character that needs no escape (RFC 3986, section 6.2.2.2), or
/// that is a slash or the end of a text in C; an escape that is escaped itself, or is
/// longer than it may be; a backslash; `/..;`. Envoy resolves most of it
/// before; what it leaves is refused.
pub(super) fn doubtful() -> String {
    const PLAIN: &str = "00|2[def]|3[0-9]|[46][1-9a-f]|5[acf]|[57][0-9]|7[ae]";
    const TWICE: &str = "25[0-9a-f][0-9a-f]";
    // Longer than it may be (RFC 3629, section 3): `%c0%af` is a slash to who does not look.
    const OVERLONG: &str = "c[01]|e0%[89][0-9a-f]|f0%8[0-9a-f]";
    format!(r"(?i)[^?]*(?:%(?:{PLAIN}|{TWICE}|{OVERLONG})|\\|/\.\.?;).*")
}

/// A path as HTTP has it (RFC 9112, section 3.2): any other is refused, since an expression need not match what is no text.
pub(super) fn plain() -> String {
    "/[!-~]*".into()
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    /// As Envoy matches: the whole.
    fn matches(expression: &str, path: &str) -> bool {
        Regex::new(&format!("^(?:{expression})$")).unwrap().is_match(path)
    }

    #[test]
    fn what_a_backend_may_read_as_a_guarded_path_is_under_it() {
        for path in [
            "/api",
            "/API",
            "/Api/",
            "/api/",
            "/api/x",
            "/api?x",
            "/api/?x=/public",
            "/api;v=1",
            "/api;v=1/x",
            "/api.json",
            "/api%20",
            "/api%09",
            "//api",
            "///api/x",
            "/api//",
            "/api/../x",
            "/api#x",
            "/api=",
            "/api,x",
            "/api:x",
            "/api+",
        ] {
            assert!(matches(&super::under("/api"), path), "{path}");
        }
        for path in ["/a.b/c", "/A.B;x/c", "/a.b//c/d", "/a.b/c?"] {
            assert!(matches(&super::under("/a.b/c"), path), "{path}");
        }
    }

    #[test]
    fn what_is_another_path_is_not_under_it() {
        for path in ["/", "/apix", "/api-docs", "/api_v2", "/api2", "/x/api", "/?/api", "/ap", "/x?p=/api"] {
            assert!(!matches(&super::under("/api"), path), "{path}");
        }
        for path in ["/aXb/c", "/a.b", "/a.b/cd"] {
            assert!(!matches(&super::under("/a.b/c"), path), "{path}");
        }
    }

    #[test]
    fn what_hides_a_guarded_path_is_doubtful() {
        for path in [
            "/%61pi",
            "/%41PI",
            "/ap%69",
            "/x/%2e%2e/api",
            "/x/%2E%2E/api",
            "/x%2fapi",
            "/x%2F..%2Fapi",
            "/x/..;/api",
            "/x/.;/api",
            "/x/..;a=b/api",
            "/x\\api",
            "/x%5capi",
            "/x%5C..%5Capi",
            "/api%00",
            "/x%00/../api",
            "/%c0%afapi",
            "/%C1%81pi",
            "/%e0%80%afapi",
            "/%f0%80%80%afapi",
            "/%2561pi",
            "/x%252fapi",
            "/x/%252e%252e/api",
            "/%70",
            "/%7e",
            "/%5f",
            "/%2d",
            "/%39",
            "/%5a",
            "/%4f",
        ] {
            assert!(matches(&super::doubtful(), path), "{path}");
        }
    }

    #[test]
    fn ordinary_paths_are_not_doubtful() {
        for path in [
            "/",
            "/a/b",
            "/a%20b",
            "/caf%C3%A9",
            "/a;x=1",
            "/100%25",
            "/a?next=%2Fb",
            "/a?x=%61",
            "/a..b",
            "/a/..b",
            "/a/...",
            "/%E2%82%AC",
            "/%E0%A4%85",
            "/%F0%9F%98%80",
            "/%5Bx%5D",
            "/%40",
            "/%60",
            "/%7B%7D",
            "/a%3Ab",
            "/a%2Bb",
            "/a%2Cb",
            "/x?q=..;/",
        ] {
            assert!(!matches(&super::doubtful(), path), "{path}");
            assert!(matches(&super::plain(), path), "{path}");
        }
    }

    /// An expression need not match what is no text in UTF-8; then nothing else may let it in.
    #[test]
    fn what_is_no_text_is_not_plain() {
        for path in ["/caf\u{e9}", "/a b", "/a\u{7f}", "/a\u{0}", "*", "", "api", "/a\nb"] {
            assert!(!matches(&super::plain(), path), "{path}");
        }
    }

    #[test]
    fn the_longest_prefix_fits_into_a_policy() {
        for prefix in
            [format!("/{}", "a".repeat(127)), "/.".replace('.', "a").repeat(64), format!("/a{}", ".".repeat(126))]
        {
            assert!(super::under(&prefix).len() <= 1024, "{prefix}: {}", super::under(&prefix).len());
        }
    }
}
