//! The messages to the Go half: big-endian 32-bit numbers, and byte strings behind their length. `go/packed.go` reads them.

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
