//! Messages over 1 MiB in parts, both ways.
//!
//! In: a message; out: itself, or its parts. In: parts; out: the message. Parts that come in are bounded, in order
//! and of one message at a time. Pure.

use evaljob_crds::wire::{AgentMessage, CHUNK_BYTES, Chunk, OperatorMessage};
use evaljob_crds::wire::{agent_message, operator_message};
use prost::Message as _;

/// Largest message that may come in parts (the wire schema's bound; the largest Run has about 48 MiB).
const LIMIT: usize = 64 << 20;

/// What is sent for a message: itself, or its parts. `id` must differ from one message to the next.
pub(super) fn outgoing(message: agent_message::Message, id: u64) -> Vec<AgentMessage> {
    let message = AgentMessage {
        message: Some(message),
    };
    if message.encoded_len() <= CHUNK_BYTES {
        return vec![message];
    }
    let encoded = message.encode_to_vec();
    let parts = encoded.chunks(CHUNK_BYTES);
    let count = parts.len();
    parts
        .enumerate()
        .map(|(index, part)| AgentMessage {
            message: Some(agent_message::Message::Chunk(Chunk {
                id,
                data: part.to_vec(),
                last: index + 1 == count,
            })),
        })
        .collect()
}

/// Why what came in is no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ChunkError {
    /// Another message, or a part of one, came between.
    #[error("parts of two messages are mixed")]
    Mixed,
    /// The whole would be too large.
    #[error("a message in parts is larger than 64 MiB")]
    TooLarge,
    /// The whole is not a message.
    #[error("a message in parts cannot be decoded")]
    Malformed,
    /// Sent by a later version, or empty.
    #[error("a message of an unknown kind")]
    Unknown,
}

/// Messages as they come in; keeps the parts of one that is not complete.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    id: Option<u64>,
    data: Vec<u8>,
}

impl Incoming {
    /// Takes what came; returns a message when it is complete.
    ///
    /// # Errors
    /// [`ChunkError`] where the peer does not keep to the rules.
    pub(super) fn take(
        &mut self,
        message: OperatorMessage,
    ) -> Result<Option<operator_message::Message>, ChunkError> {
        match message.message {
            None => Err(ChunkError::Unknown),
            Some(operator_message::Message::Chunk(chunk)) => self.part(&chunk),
            Some(_) if self.id.is_some() => Err(ChunkError::Mixed),
            whole => Ok(whole),
        }
    }

    fn part(&mut self, chunk: &Chunk) -> Result<Option<operator_message::Message>, ChunkError> {
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
        let data = std::mem::take(&mut self.data);
        let whole = OperatorMessage::decode(&*data).map_err(|_| ChunkError::Malformed)?;
        match whole.message {
            // A part of parts would escape the bound.
            None | Some(operator_message::Message::Chunk(_)) => Err(ChunkError::Unknown),
            whole => Ok(whole),
        }
    }
}

#[cfg(test)]
mod tests {
    use evaljob_crds::wire::{Ack, Done, Run};

    use super::*;

    fn parts(message: &OperatorMessage, size: usize) -> Vec<OperatorMessage> {
        let encoded = message.encode_to_vec();
        let parts = encoded.chunks(size);
        let count = parts.len();
        parts
            .enumerate()
            .map(|(index, data)| part(5, data.to_vec(), index + 1 == count))
            .collect()
    }

    fn part(id: u64, data: Vec<u8>, last: bool) -> OperatorMessage {
        OperatorMessage {
            message: Some(operator_message::Message::Chunk(Chunk { id, data, last })),
        }
    }

    fn run(bytes: usize) -> OperatorMessage {
        OperatorMessage {
            message: Some(operator_message::Message::Run(Run {
                spec: vec![b'x'; bytes],
                ..Run::default()
            })),
        }
    }

    #[test]
    fn a_run_in_parts_comes_together_whatever_their_size() {
        let whole = run(10_000);
        for size in [1, 7, 9_999, 10_000, 100_000] {
            let mut incoming = Incoming::default();
            let mut complete = None;
            for part in parts(&whole, size) {
                assert!(
                    complete.is_none(),
                    "{size}: only the last part completes it"
                );
                complete = incoming.take(part).unwrap();
            }
            assert_eq!(complete, whole.message.clone(), "{size}");
            assert!(
                incoming.take(run(1)).is_ok(),
                "{size}: nothing is left open"
            );
        }
    }

    #[test]
    fn parts_that_keep_to_no_rule_are_refused() {
        let ack = OperatorMessage {
            message: Some(operator_message::Message::Ack(Ack::default())),
        };
        let empty = OperatorMessage { message: None };
        let rows = [
            (
                "two ids",
                vec![part(1, vec![1], false), part(2, vec![1], true)],
                ChunkError::Mixed,
            ),
            (
                "a message between",
                vec![part(1, vec![1], false), ack],
                ChunkError::Mixed,
            ),
            (
                "no message",
                vec![part(1, vec![0xff; 9], true)],
                ChunkError::Malformed,
            ),
            (
                "nothing inside",
                vec![part(1, Vec::new(), true)],
                ChunkError::Unknown,
            ),
            (
                "a part of parts",
                parts(&part(6, vec![1], false), 100),
                ChunkError::Unknown,
            ),
            ("nothing at all", vec![empty], ChunkError::Unknown),
        ];
        for (row, messages, expected) in rows {
            let mut incoming = Incoming::default();
            let error = messages
                .into_iter()
                .find_map(|message| incoming.take(message).err());
            assert_eq!(error, Some(expected), "{row}");
        }
    }

    #[test]
    fn parts_without_end_are_refused_at_the_bound() {
        let mut incoming = Incoming::default();
        let mut taken = 0;
        let error = loop {
            match incoming.take(part(1, vec![0; CHUNK_BYTES], false)) {
                Ok(None) => taken += 1,
                other => break other,
            }
            assert!(taken <= LIMIT / CHUNK_BYTES, "no bound");
        };
        assert_eq!(error, Err(ChunkError::TooLarge));
        assert_eq!(taken, LIMIT / CHUNK_BYTES);
    }

    #[test]
    fn a_large_result_goes_in_parts_and_a_small_one_whole() {
        let done = |bytes| {
            agent_message::Message::Done(Done {
                status: vec![b'x'; bytes],
                ..Done::default()
            })
        };
        assert_eq!(outgoing(done(10), 1).len(), 1);
        let sent = outgoing(done(3 * CHUNK_BYTES), 9);
        assert_eq!(sent.len(), 4);
        let mut encoded = Vec::new();
        for (index, message) in sent.iter().enumerate() {
            let Some(agent_message::Message::Chunk(chunk)) = &message.message else {
                panic!("{message:?}");
            };
            assert_eq!((chunk.id, chunk.last), (9, index == 3));
            assert!(chunk.data.len() <= CHUNK_BYTES);
            encoded.extend_from_slice(&chunk.data);
        }
        let whole = AgentMessage::decode(&*encoded).unwrap();
        assert_eq!(whole.message, Some(done(3 * CHUNK_BYTES)));
    }
}
