//! A name server that knows one name: what a cluster's DNS says of a Service, for nodes that have none.
//!
//! In: an address, the name, the Service's address. Out: answers over UDP while it is there, and what it was asked.
//! Other names do not exist; the one name has no IPv6 address. Source: RFC 1035, section 4.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use tokio::net::UdpSocket;
use tokio::task::AbortHandle;

/// Query type of IPv4 addresses.
const A: u16 = 1;
/// Response code: there is no such name.
const NAME_ERROR: u8 = 3;
/// Bytes before the question.
const HEADER: usize = 12;

/// It answers until it is dropped.
#[derive(Debug)]
pub struct NameServer {
    asked: Arc<Mutex<Vec<String>>>,
    task: AbortHandle,
}

impl NameServer {
    /// Answers at `listen`.
    ///
    /// # Errors
    /// The address is in use.
    pub async fn start(listen: SocketAddr, name: &str, address: Ipv4Addr) -> Result<Self> {
        let socket = UdpSocket::bind(listen)
            .await
            .with_context(|| format!("no name server on {listen}"))?;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (name, questions) = (name.to_owned(), asked.clone());
        let serving = tokio::spawn(async move {
            let mut packet = [0; 512];
            // What is not a question of ours stays without an answer, as over UDP anything may.
            while let Ok((length, from)) = socket.recv_from(&mut packet).await {
                let Some(question) = Question::read(&packet[..length]) else {
                    continue;
                };
                let known = (question.name == name).then_some(address);
                let answer = question.answer(known);
                lock(&questions).push(question.name);
                let _lost = socket.send_to(&answer, from).await;
            }
        });
        Ok(Self {
            asked,
            task: serving.abort_handle(),
        })
    }

    /// Names that it was asked for, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        lock(&self.asked).clone()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(names: &Mutex<Vec<String>>) -> MutexGuard<'_, Vec<String>> {
    names.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Question {
    id: [u8; 2],
    name: String,
    kind: u16,
    /// Name, type and class as they came.
    bytes: Vec<u8>,
}

impl Question {
    fn read(packet: &[u8]) -> Option<Self> {
        let mut labels = Vec::new();
        let mut at = HEADER;
        loop {
            let length = usize::from(*packet.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            let label = packet.get(at..at + length)?;
            labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
            at += length;
        }
        let kind = packet.get(at..at + 2)?;
        Some(Self {
            id: packet.get(..2)?.try_into().ok()?,
            name: labels.join("."),
            kind: u16::from_be_bytes(kind.try_into().ok()?),
            bytes: packet.get(HEADER..at + 4)?.to_vec(),
        })
    }

    /// `known`: the name exists, with this address.
    fn answer(&self, known: Option<Ipv4Addr>) -> Vec<u8> {
        let address = known.filter(|_| self.kind == A);
        let code = if known.is_some() { 0 } else { NAME_ERROR };
        let mut packet = self.id.to_vec();
        // A response with recursion; one question, perhaps one answer, nothing else.
        packet.extend([
            0x81,
            0x80 | code,
            0,
            1,
            0,
            u8::from(address.is_some()),
            0,
            0,
            0,
            0,
        ]);
        packet.extend(&self.bytes);
        if let Some(address) = address {
            // The name of the question, A, IN, 5 seconds, 4 bytes.
            packet.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4]);
            packet.extend(address.octets());
        }
        packet
    }
}
