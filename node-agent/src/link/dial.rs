//! Opens one connection and one stream to an operator: TLS with the given CA, the token in the request.
//!
//! CA and token are read at each dial: both are files that somebody rotates. HTTP/2 pings find a dead peer within
//! twice their time. Nothing is sent before the certificate was checked.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use evaljob_crds::wire::dispatch_client::DispatchClient;
use evaljob_crds::wire::{AgentMessage, OperatorMessage};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataValue;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};
use tonic::{Request, Status, Streaming};

use super::address::Target;

/// Time for TCP and TLS.
const CONNECT: Duration = Duration::from_secs(5);
/// Time until the operator has reviewed the token and read the Hello.
const ANSWER: Duration = Duration::from_secs(30);
/// Largest message that is not a part of another: a part and its frame.
const MESSAGE_BYTES: usize = 4 << 20;
/// Flow control lets this much come without a word back: a few parts of a large job.
const WINDOW: u32 = 4 << 20;
/// Largest token; those of ServiceAccounts have about 1 KiB.
const TOKEN_BYTES: u64 = 64 << 10;

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// A file cannot be read.
    #[error("cannot read {path} (hint: {hint})")]
    File {
        /// Which.
        path: PathBuf,
        /// The flag that names it.
        hint: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What the token file has cannot be sent.
    #[error("{path} does not hold a token (hint: --token-file)")]
    NoToken {
        /// The file.
        path: PathBuf,
    },
    /// No connection, or the certificate is not the operator's.
    #[error("cannot connect to the operator (hint: --operator, --operator-ca and --operator-name)")]
    Connect(#[source] tonic::transport::Error),
    /// The operator refused the stream.
    #[error("the operator refused the stream: {}", .0.message())]
    Refused(Status),
    /// No answer.
    #[error("the operator gave no answer within 30 s")]
    Silent,
}

/// What a dial needs beside an address.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// CA certificates (PEM) that the operator's certificate must lead to.
    pub ca_file: PathBuf,
    /// ServiceAccount token of this agent's Pod.
    pub token_file: PathBuf,
    /// Name in the operator's certificate; `None`: the host that is dialled.
    pub server_name: Option<String>,
}

impl Credentials {
    /// The token as it is now.
    ///
    /// # Errors
    /// When there is none.
    pub fn token(&self) -> Result<String, DialError> {
        let path = &self.token_file;
        let text = read(path, "--token-file")?;
        let token = std::str::from_utf8(&text)
            .map(str::trim)
            .unwrap_or_default();
        let sendable = |byte: u8| byte.is_ascii_graphic();
        if token.is_empty() || !token.bytes().all(sendable) {
            return Err(DialError::NoToken { path: path.clone() });
        }
        Ok(token.to_owned())
    }
}

/// An open stream.
#[derive(Debug)]
pub(super) struct Wire {
    /// To the operator.
    pub(super) up: mpsc::Sender<AgentMessage>,
    /// From it.
    pub(super) down: Streaming<OperatorMessage>,
    /// The token it was opened with.
    pub(super) token: String,
}

/// Dials one address; `hello` goes first.
///
/// # Errors
/// [`DialError`] where there is no stream.
pub(super) async fn dial(
    target: &Target,
    credentials: &Credentials,
    keepalive: Duration,
    hello: impl FnOnce() -> AgentMessage,
) -> Result<Wire, DialError> {
    let ca = Certificate::from_pem(read(&credentials.ca_file, "--operator-ca")?);
    let token = credentials.token()?;
    let name = credentials.server_name.as_deref().unwrap_or(&target.host);
    let channel = endpoint(target, ca, name, keepalive)
        .map_err(DialError::Connect)?
        .connect()
        .await
        .map_err(DialError::Connect)?;
    // One message is made when there is room for it: results are not copied ahead of time.
    let (up, outbound) = mpsc::channel(2);
    // The channel is new and empty.
    let _ = up.try_send(hello());
    let mut request = Request::new(ReceiverStream::new(outbound));
    let bearer = MetadataValue::try_from(format!("Bearer {token}"));
    let mut bearer = bearer.map_err(|_| DialError::NoToken {
        path: credentials.token_file.clone(),
    })?;
    bearer.set_sensitive(true);
    request.metadata_mut().insert("authorization", bearer);
    let mut client = DispatchClient::new(channel).max_decoding_message_size(MESSAGE_BYTES);
    let answer = tokio::time::timeout(ANSWER, client.connect(request)).await;
    let down = answer
        .map_err(|_| DialError::Silent)?
        .map_err(DialError::Refused)?
        .into_inner();
    Ok(Wire { up, down, token })
}

fn endpoint(
    target: &Target,
    ca: Certificate,
    name: &str,
    keepalive: Duration,
) -> Result<Endpoint, tonic::transport::Error> {
    let tls = ClientTlsConfig::new().ca_certificate(ca).domain_name(name);
    Ok(Endpoint::from_shared(format!("https://{}", target.socket))?
        .tls_config(tls)?
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(keepalive)
        .keep_alive_timeout(keepalive)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW))
}

fn read(path: &Path, hint: &'static str) -> Result<Vec<u8>, DialError> {
    use std::io::Read as _;
    let read = || {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?
            .take(TOKEN_BYTES.max(1 << 20))
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|source| DialError::File {
        path: path.to_owned(),
        hint,
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_token_is_taken_for_one() {
        let directory = tempfile::tempdir().unwrap();
        let credentials = Credentials {
            ca_file: directory.path().join("ca"),
            token_file: directory.path().join("token"),
            server_name: None,
        };
        assert!(matches!(credentials.token(), Err(DialError::File { .. })));
        let rows: [(&str, &[u8], Option<&str>); 5] = [
            ("as it is mounted", b"abc.def\n", Some("abc.def")),
            ("empty", b"\n", None),
            ("two lines", b"abc\ndef", None),
            ("no text", b"\xff\xfe", None),
            ("a header", b"abc\r\nx: y", None),
        ];
        for (row, content, expected) in rows {
            std::fs::write(&credentials.token_file, content).unwrap();
            let token = credentials.token();
            assert_eq!(token.as_deref().ok(), expected, "{row}");
        }
    }
}
