//! The messages to the Go half: big-endian 32-bit numbers, and byte strings behind their length. `go/packed.go` reads them. One
//! comes back: pairs of byte strings, which `go/rules.go` writes.

use crate::Error;

/// A message that is being written.
#[derive(Default)]
pub(crate) struct Packed {
    bytes: Vec<u8>,
    too_long: bool,
}

impl Packed {
    pub(crate) fn number(&mut self, value: u32) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.length(value.len()).bytes.extend_from_slice(value);
        self
    }

    /// Writes the number of things that follow.
    pub(crate) fn length(&mut self, length: usize) -> &mut Self {
        if let Ok(length) = u32::try_from(length) {
            self.number(length)
        } else {
            self.too_long = true;
            self
        }
    }

    pub(crate) fn pairs<'a>(&mut self, pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])>) -> &mut Self {
        self.length(pairs.len());
        for (name, value) in pairs {
            self.bytes(name).bytes(value);
        }
        self
    }

    /// The message.
    ///
    /// # Errors
    /// When something in it is longer than 4 GiB.
    pub(crate) fn done(self) -> Result<Vec<u8>, Error> {
        if self.too_long { Err(Error::Engine("a message of more than 4 GiB".into())) } else { Ok(self.bytes) }
    }
}

/// Two byte strings that belong together.
type Pair = (Vec<u8>, Vec<u8>);

/// Reads pairs of byte strings.
///
/// # Errors
/// When the message ends too early.
pub(crate) fn read_pairs(mut message: &[u8]) -> Result<Vec<Pair>, Error> {
    let mut pairs = Vec::new();
    while !message.is_empty() {
        let mut next = || read_bytes(&mut message).ok_or_else(|| Error::Engine("a message ends too early".into()));
        pairs.push((next()?, next()?));
    }
    Ok(pairs)
}

fn read_bytes(message: &mut &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = message.split_first_chunk::<4>()?;
    let (value, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *message = rest;
    Some(value.to_vec())
}
