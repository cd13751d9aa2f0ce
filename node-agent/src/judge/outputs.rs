//! Collected files and streams as a status has them: exact, or with the reason why not.
//!
//! In: what the spec asks for, opened files, the streams of the last run. Out: one entry for each, in
//! order. Reads at most the size that was asked for, and only from descriptors that the sandbox opened.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use evaljob_crds::job::{Output, Stream};
use evaljob_crds::status::CollectedOutput;
use evaljob_sandbox::Collected;
use sha2::{Digest, Sha256};

use crate::stream::{Captured, hex};

/// How many exact bytes of a stream any output asks for; `None`: none does.
pub(super) fn wanted(outputs: &[Output], wanted: Stream) -> Option<u64> {
    let sizes = outputs.iter().filter_map(|output| match output {
        Output::Stream { stream, max_size } if *stream == wanted => Some(*max_size),
        _ => None,
    });
    sizes.max()
}

/// One entry for each output. `files` are those of its paths, in order.
pub(super) fn status(
    outputs: &[Output],
    files: Vec<Collected>,
    stdout: &Captured,
    stderr: &Captured,
) -> Result<Vec<CollectedOutput>, String> {
    let mut files = files.into_iter();
    let mut status = Vec::with_capacity(outputs.len());
    for output in outputs {
        status.push(match output {
            Output::Path { path, max_size } => {
                let collected = files
                    .next()
                    .ok_or_else(|| format!("output {path} was not collected"))?;
                let entry = file(collected, *max_size)
                    .map_err(|error| format!("cannot read output {path}: {error}"))?;
                CollectedOutput {
                    path: Some(path.clone()),
                    ..entry
                }
            }
            Output::Stream { stream, max_size } => {
                let (captured, name) = match stream {
                    Stream::Stdout => (stdout, "Stdout"),
                    Stream::Stderr => (stderr, "Stderr"),
                };
                CollectedOutput {
                    stream: Some(name.to_owned()),
                    ..of_stream(captured, *max_size)
                }
            }
        });
    }
    Ok(status)
}

fn file(collected: Collected, max_size: u64) -> std::io::Result<CollectedOutput> {
    Ok(match collected {
        Collected::NotFound => without(None, "NotFound"),
        Collected::NotRegular => without(None, "NotRegular"),
        Collected::TooLarge { size } => without(Some(size), "TooLarge"),
        Collected::File { file, .. } => {
            let mut content = Vec::new();
            file.take(max_size.saturating_add(1))
                .read_to_end(&mut content)?;
            if content.len() as u64 > max_size {
                without(None, "TooLarge")
            } else {
                exact(&content)
            }
        }
    })
}

fn of_stream(captured: &Captured, max_size: u64) -> CollectedOutput {
    match captured.exact().flatten() {
        Some(content) if content.len() as u64 <= max_size => exact(content),
        _ => without(Some(captured.bytes()), "TooLarge"),
    }
}

fn exact(content: &[u8]) -> CollectedOutput {
    CollectedOutput {
        size: i64::try_from(content.len()).ok(),
        sha256: Some(hex(&Sha256::digest(content))),
        content_base64: Some(STANDARD.encode(content)),
        ..CollectedOutput::default()
    }
}

fn without(size: Option<u64>, reason: &str) -> CollectedOutput {
    CollectedOutput {
        size: size.and_then(|size| i64::try_from(size).ok()),
        reason: Some(reason.to_owned()),
        ..CollectedOutput::default()
    }
}
