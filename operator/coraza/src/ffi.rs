//! The six functions of `go/exports.go` and the two that Go calls back, made safe. All unsafe code of Octroi is in this file.

use std::ptr;
use std::slice;
use std::sync::Once;

use regex::bytes::Regex;

use crate::Error;
use crate::expression::compiled;

static EXPRESSIONS: Once = Once::new();

/// Called by Go: compiles an expression, and gives 0 when it is none.
///
/// # Safety
/// `text` is valid for `size` bytes during the call.
unsafe extern "C" fn expression_new(text: *const u8, size: usize) -> usize {
    // SAFETY: as the caller promises.
    let text = unsafe { bytes(text, size) };
    let expression = std::str::from_utf8(text).ok().and_then(compiled);
    expression.map_or(0, |expression| ptr::from_ref(expression).expose_provenance())
}

/// Called by Go: 0 when nothing matches, else the number of groups whose places are in `spans`, or 1.
///
/// # Safety
/// `handle` is one of [`expression_new`]; `text` is valid for `size` bytes and `spans` for two numbers a group during the call.
unsafe extern "C" fn expression_match(
    handle: usize,
    text: *const u8,
    size: usize,
    spans: *mut i64,
    groups: usize,
) -> i32 {
    // SAFETY: expressions are never freed, and the rest is as the caller promises.
    let (expression, text) = unsafe { (&*ptr::with_exposed_provenance::<Regex>(handle), bytes(text, size)) };
    if groups == 0 {
        return i32::from(expression.is_match(text));
    }
    let Some(found) = expression.captures(text) else { return 0 };
    let place = |at: usize| i64::try_from(at).unwrap_or(-1);
    let mut count = 0;
    for (index, group) in found.iter().take(groups).enumerate() {
        let (start, end) = group.map_or((-1, -1), |group| (place(group.start()), place(group.end())));
        // SAFETY: `index` is below `groups`.
        unsafe {
            spans.add(2 * index).write(start);
            spans.add(2 * index + 1).write(end);
        }
        count += 1;
    }
    count
}

/// # Safety
/// `start` is valid for `size` bytes for as long as the result is used.
unsafe fn bytes<'a>(start: *const u8, size: usize) -> &'a [u8] {
    // SAFETY: as the caller promises; an empty string of Go's may have no place.
    if size == 0 { &[] } else { unsafe { slice::from_raw_parts(start, size) } }
}

// SAFETY: the names, types and order of `go/exports.go`, which is built from this folder. `out` is memory of C's malloc that the
// caller gives back by `octroi_coraza_release`; they keep no pointer after they return but those to functions, and may be called from any thread.
unsafe extern "C" {
    fn octroi_coraza_expressions(new: usize, matches: usize);
    fn octroi_coraza_new(
        input: *const u8,
        size: usize,
        handle: *mut usize,
        out: *mut *mut u8,
        out_size: *mut usize,
    ) -> i32;
    fn octroi_coraza_inspect(
        handle: usize,
        input: *const u8,
        size: usize,
        out: *mut *mut u8,
        out_size: *mut usize,
    ) -> i32;
    fn octroi_coraza_rules(out: *mut *mut u8, out_size: *mut usize) -> i32;
    fn octroi_coraza_close(handle: usize);
    fn octroi_coraza_release(out: *mut u8);
}

/// A rule set on Go's side. It is a number and no pointer: Go's garbage collector may move what it stands for.
#[derive(Debug)]
pub(crate) struct Handle(usize);

impl Handle {
    pub(crate) fn new(message: &[u8]) -> Result<Self, Error> {
        // SAFETY: two functions with the signatures that `go/rx.go` calls them by.
        EXPRESSIONS.call_once(|| unsafe {
            octroi_coraza_expressions(expression_new as *const () as usize, expression_match as *const () as usize);
        });
        let mut handle = 0;
        let mut reply = Reply::empty();
        // SAFETY: `message` is valid for its length during the call, and the three others are places of this frame to write to.
        let status = unsafe {
            octroi_coraza_new(
                message.as_ptr(),
                message.len(),
                &raw mut handle,
                &raw mut reply.start,
                &raw mut reply.size,
            )
        };
        if status == 0 { Ok(Self(handle)) } else { Err(Error::Rules(reply.text())) }
    }

    pub(crate) fn inspect(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let mut reply = Reply::empty();
        // SAFETY: as above; the handle is one of `octroi_coraza_new` and is closed only by this value's drop.
        let status = unsafe {
            octroi_coraza_inspect(self.0, message.as_ptr(), message.len(), &raw mut reply.start, &raw mut reply.size)
        };
        if status == 0 { Ok(reply.bytes().to_vec()) } else { Err(Error::Engine(reply.text())) }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is one of `octroi_coraza_new`, and nobody can use it after this.
        unsafe { octroi_coraza_close(self.0) }
    }
}

/// The files of the Core Rule Set that was built in, packed.
pub(crate) fn core_rule_set() -> Result<Vec<u8>, Error> {
    let mut reply = Reply::empty();
    // SAFETY: both are places of this frame to write to.
    let status = unsafe { octroi_coraza_rules(&raw mut reply.start, &raw mut reply.size) };
    if status == 0 { Ok(reply.bytes().to_vec()) } else { Err(Error::Rules(reply.text())) }
}

/// What came back: memory of C's malloc, or nothing.
struct Reply {
    start: *mut u8,
    size: usize,
}

impl Reply {
    const fn empty() -> Self {
        Self { start: ptr::null_mut(), size: 0 }
    }

    fn bytes(&self) -> &[u8] {
        if self.start.is_null() {
            return &[];
        }
        // SAFETY: Go wrote `size` bytes there, and nobody changes or frees them before this value's drop.
        unsafe { slice::from_raw_parts(self.start, self.size) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        // SAFETY: memory of C's malloc that is freed once; free takes a null pointer too.
        unsafe { octroi_coraza_release(self.start) }
    }
}
