//! Messages over 1 MiB in parts, both ways.
//!
//! In: a message; out: itself, or its parts. In: parts; out: the message. An agent's parts are bounded, in order and
//! of one message at a time. Pure.

use evaljob_crds::wire::{CHUNK_BYTES, Chunk};

/// Largest message that may come in parts: a result and what may still grow around it.
const LIMIT: usize = 64 << 20;

/// Parts of an encoded message.
pub fn split(id: u64, encoded: &[u8]) -> impl Iterator<Item = Chunk> + '_ {
    let parts = encoded.len().div_ceil(CHUNK_BYTES).max(1);
    (0..parts).map(move |index| {
        let start = index * CHUNK_BYTES;
        let end = encoded.len().min(start + CHUNK_BYTES);
        Chunk {
            id,
            data: encoded[start..end].to_vec(),
            last: index + 1 == parts,
        }
    })
}

/// Why parts make no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// A part of another message came between.
    #[error("parts of two messages are mixed")]
    Mixed,
    /// The whole would be too large.
    #[error("a message in parts is larger than 64 MiB")]
    TooLarge,
}

/// Parts that have come so far.
#[derive(Debug, Default)]
pub struct Assembly {
    id: Option<u64>,
    data: Vec<u8>,
}

impl Assembly {
    /// Takes a part; returns the whole with the last one.
    ///
    /// # Errors
    /// [`ChunkError`] where the peer does not keep to the rules.
    pub fn add(&mut self, chunk: Chunk) -> Result<Option<Vec<u8>>, ChunkError> {
        if *self.id.get_or_insert(chunk.id) != chunk.id {
            return Err(ChunkError::Mixed);
        }
        if self.data.len() + chunk.data.len() > LIMIT {
            return Err(ChunkError::TooLarge);
        }
        self.data.extend_from_slice(&chunk.data);
        if !chunk.last {
            return Ok(None);
        }
        self.id = None;
        Ok(Some(std::mem::take(&mut self.data)))
    }

    /// Whether a message is half there.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.id.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_split_comes_together_again() {
        for length in [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 7] {
            let whole: Vec<u8> = (0..length)
                .map(|index| u8::try_from(index % 251).unwrap())
                .collect();
            let mut assembly = Assembly::default();
            let mut result = None;
            for chunk in split(3, &whole) {
                assert!(chunk.data.len() <= CHUNK_BYTES, "{length}");
                assert!(
                    result.is_none(),
                    "{length}: only the last part completes it"
                );
                result = assembly.add(chunk).unwrap();
            }
            assert_eq!(result.as_deref(), Some(&*whole), "{length}");
            assert!(!assembly.is_open());
        }
    }

    #[test]
    fn mixed_and_endless_parts_are_refused() {
        let part = |id, bytes: usize| Chunk {
            id,
            data: vec![0; bytes],
            last: false,
        };
        let mut assembly = Assembly::default();
        assert_eq!(assembly.add(part(1, 1)), Ok(None));
        assert_eq!(assembly.add(part(2, 1)), Err(ChunkError::Mixed));
        let mut assembly = Assembly::default();
        let mut parts = 0;
        while let Ok(None) = assembly.add(part(1, 1 << 20)) {
            parts += 1;
            assert!(parts <= 64, "no bound");
        }
        assert_eq!(parts, 64);
    }
}
