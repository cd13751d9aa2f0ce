//! The open streams: what the core sends goes down here.
//!
//! In: messages by stream number. Out: the same, in order, in parts where they are large. A stream that is gone
//! swallows what is sent to it: the core hears of its end by an event. Each queue is bounded by what an agent may
//! hold (its credits), so it has no bound of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use evaljob_crds::wire::{CHUNK_BYTES, OperatorMessage, operator_message};
use prost::Message as _;
use tokio::sync::mpsc;
use tonic::Status;

use super::chunks;
use crate::names::Conn;

type Sender = mpsc::UnboundedSender<Result<OperatorMessage, Status>>;
type Receiver = mpsc::UnboundedReceiver<Result<OperatorMessage, Status>>;

/// Open streams; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Streams {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    messages: u64,
    open: HashMap<Conn, Sender>,
}

impl Streams {
    /// A new stream, and its lower end.
    #[must_use]
    pub fn open(&self) -> (Conn, Receiver) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut inner = self.lock();
        inner.last += 1;
        let conn = Conn(inner.last);
        inner.open.insert(conn, sender);
        (conn, receiver)
    }

    /// Sends a message.
    pub fn send(&self, conn: Conn, message: operator_message::Message) {
        let message = OperatorMessage {
            message: Some(message),
        };
        let mut inner = self.lock();
        inner.messages += 1;
        let id = inner.messages;
        let Some(sender) = inner.open.get(&conn) else {
            return;
        };
        if message.encoded_len() <= CHUNK_BYTES {
            let _ = sender.send(Ok(message));
            return;
        }
        for chunk in chunks::split(id, &message.encode_to_vec()) {
            let part = OperatorMessage {
                message: Some(operator_message::Message::Chunk(chunk)),
            };
            let _ = sender.send(Ok(part));
        }
    }

    /// Ends a stream, saying why.
    pub fn close(&self, conn: Conn, why: Status) {
        if let Some(sender) = self.lock().open.remove(&conn) {
            let _ = sender.send(Err(why));
        }
    }

    /// Waits until the agent has hung up or the stream was closed.
    pub async fn ended(&self, conn: Conn) {
        let sender = self.lock().open.get(&conn).map(Sender::downgrade);
        if let Some(sender) = sender.and_then(|weak| weak.upgrade()) {
            sender.closed().await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
