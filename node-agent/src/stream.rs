//! What is kept of a stream that a program writes: both ends, the size, a digest, exact bytes on request.
//!
//! In: chunks as they come, of any size and number. Out: a `Captured` that renders at the sizes the
//! status budget asks for. Memory is bounded whatever the program writes; every byte counts and is
//! digested, also those that are not kept. Text is escaped by `visible`, never here.

use sha2::{Digest, Sha256};

use crate::visible;

/// Bytes of text at each end of a stream in a status (api.md).
pub const END_BYTES: usize = 4096;

/// Raw bytes kept at each end. A raw byte never needs less than one byte of text, so this many decide
/// `END_BYTES` of text; the three more make a character at the cut whole.
const KEPT_BYTES: usize = END_BYTES + 3;

/// Records one stream of one run.
#[derive(Debug)]
pub struct Recorder {
    head: Vec<u8>,
    /// The last bytes; grows to twice what is kept, then its front is dropped.
    tail: Vec<u8>,
    bytes: u64,
    digest: Sha256,
    exact: Option<Exact>,
}

#[derive(Debug)]
struct Exact {
    content: Vec<u8>,
    max_size: usize,
}

impl Recorder {
    /// A recorder that keeps exact content too, as long as it is at most `exact` bytes (`None`: not at all).
    pub fn new(exact: Option<u64>) -> Self {
        Self {
            head: Vec::new(),
            tail: Vec::new(),
            bytes: 0,
            digest: Sha256::new(),
            exact: exact.map(|max_size| Exact {
                content: Vec::new(),
                max_size: usize::try_from(max_size).unwrap_or(usize::MAX),
            }),
        }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        self.digest.update(chunk);
        let room = KEPT_BYTES - self.head.len();
        self.head.extend_from_slice(&chunk[..room.min(chunk.len())]);
        let last = &chunk[chunk.len().saturating_sub(KEPT_BYTES)..];
        if self.tail.len() + last.len() > 2 * KEPT_BYTES {
            self.tail
                .drain(..self.tail.len().saturating_sub(KEPT_BYTES));
        }
        self.tail.extend_from_slice(last);
        if let Some(exact) = &mut self.exact {
            // One byte more than asked for tells a stream that is too large from one that just fits.
            let room = exact
                .max_size
                .saturating_add(1)
                .saturating_sub(exact.content.len());
            exact
                .content
                .extend_from_slice(&chunk[..room.min(chunk.len())]);
        }
    }

    /// Ends the recording.
    pub fn finish(mut self) -> Captured {
        self.tail
            .drain(..self.tail.len().saturating_sub(KEPT_BYTES));
        if self.bytes > KEPT_BYTES as u64 {
            let rest = visible::without_cut_start(&self.tail).len();
            self.tail.drain(..self.tail.len() - rest);
        }
        Captured {
            head: self.head,
            tail: self.tail,
            bytes: self.bytes,
            sha256: hex(&self.digest.finalize()),
            exact: self
                .exact
                .map(|exact| (exact.content.len() <= exact.max_size).then_some(exact.content)),
        }
    }
}

/// A finished stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    head: Vec<u8>,
    tail: Vec<u8>,
    bytes: u64,
    sha256: String,
    exact: Option<Option<Vec<u8>>>,
}

/// A stream as a status shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The beginning.
    pub text: String,
    /// The end, where `text` is not all.
    pub tail: String,
    /// Whether `text` is not all.
    pub truncated: bool,
}

impl Captured {
    /// The stream of a run that wrote nothing.
    pub fn empty() -> Self {
        Recorder::new(None).finish()
    }

    /// Bytes the program wrote.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// SHA-256 of all of them, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The exact content: `None` when it was not asked for, `Some(None)` when it was larger than asked for.
    pub fn exact(&self) -> Option<Option<&[u8]>> {
        self.exact.as_ref().map(Option::as_deref)
    }

    /// Both ends, each of at most `end` bytes and never more than [`END_BYTES`].
    pub fn render(&self, end: usize) -> Rendered {
        let end = end.min(END_BYTES);
        let (text, complete) = visible::head(&self.head, end);
        let truncated = !complete || self.bytes > self.head.len() as u64;
        Rendered {
            tail: if truncated {
                visible::tail(&self.tail, end)
            } else {
                String::new()
            },
            text,
            truncated,
        }
    }

    /// The first line that is not blank, made visible, at most `limit` bytes.
    pub fn first_line(&self, limit: usize) -> Option<String> {
        let blank = |line: &&[u8]| !line.trim_ascii().is_empty();
        let line = self.head.split(|&byte| byte == b'\n').find(blank)?;
        let line = visible::without_cut_end(line.trim_ascii_end());
        Some(visible::line(line, limit))
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(chunks: &[&[u8]], exact: Option<u64>) -> Captured {
        let mut recorder = Recorder::new(exact);
        for chunk in chunks {
            recorder.push(chunk);
        }
        recorder.finish()
    }

    #[test]
    fn the_hostile_bytes_of_a_report_arrive_exact_and_harmless() {
        let out: &[u8] = b"ok\x00\xff\xfe\xc3(\x1b[2J\x1b]0;title\x07\xe2\x80\xaeabc\xe2\x81\xa6\n---\nkind: Secret\n\xf0\x9f\x92\rHIDDEN\n";
        let captured = record(&[out], Some(64));
        assert_eq!(captured.bytes(), 59);
        assert_eq!(captured.sha256(), hex(&Sha256::digest(out)));
        assert_eq!(captured.exact(), Some(Some(out)));
        let rendered = captured.render(END_BYTES);
        assert!(!rendered.truncated);
        assert_eq!(
            rendered.text,
            "ok\\x00\\xff\\xfe\\xc3(\\x1b[2J\\x1b]0;title\\x07\\u{202e}abc\\u{2066}\n---\nkind: Secret\n\\xf0\\x9f\\x92\\x0dHIDDEN\n"
        );
    }

    #[test]
    fn a_long_stream_shows_both_ends_in_whole_characters() {
        let out = "€".repeat(100_000);
        let captured = record(&[out.as_bytes()], None);
        assert_eq!(captured.bytes(), 300_000);
        let rendered = captured.render(END_BYTES);
        assert!(rendered.truncated);
        assert_eq!(rendered.text, "€".repeat(END_BYTES / 3));
        assert_eq!(rendered.tail, "€".repeat(END_BYTES / 3));
    }

    #[test]
    fn escapes_count_against_the_bound() {
        let captured = record(&[&[0; 2000]], None);
        let rendered = captured.render(END_BYTES);
        assert!(rendered.truncated);
        assert_eq!(rendered.text, "\\x00".repeat(END_BYTES / 4));
        assert_eq!(rendered.tail, rendered.text);
    }

    #[test]
    fn a_stream_that_just_fits_is_not_truncated() {
        let fits = record(&[&[b'a'; END_BYTES]], None).render(END_BYTES);
        assert_eq!(
            (fits.text.len(), fits.tail.len(), fits.truncated),
            (END_BYTES, 0, false)
        );
        let more = record(&[&[b'a'; END_BYTES + 1]], None).render(END_BYTES);
        assert_eq!(
            (more.text.len(), more.tail.len(), more.truncated),
            (END_BYTES, END_BYTES, true)
        );
    }

    #[test]
    fn nothing_shown_of_something_is_truncated_and_of_nothing_is_not() {
        let none = record(&[b"a"], None).render(0);
        assert_eq!(
            (none.text.as_str(), none.tail.as_str(), none.truncated),
            ("", "", true)
        );
        assert!(!Captured::empty().render(0).truncated);
    }

    #[test]
    fn exact_content_larger_than_asked_for_is_not_kept() {
        assert_eq!(
            record(&[b"ab", b"c"], Some(3)).exact(),
            Some(Some(&b"abc"[..]))
        );
        assert_eq!(record(&[b"ab", b"cd"], Some(3)).exact(), Some(None));
        assert_eq!(record(&[b"ab"], None).exact(), None);
    }

    #[test]
    fn the_first_line_skips_blank_ones() {
        assert_eq!(
            record(&[b"\n \r\nmain.c:1: error\r\nmore"], None)
                .first_line(99)
                .as_deref(),
            Some("main.c:1: error")
        );
        assert_eq!(record(&[b"\n\n"], None).first_line(99), None);
    }

    #[test]
    fn a_recorder_stays_small_whatever_is_written() {
        let mut recorder = Recorder::new(Some(100));
        for _ in 0..1000 {
            recorder.push(&[b'x'; 10_000]);
        }
        assert!(recorder.tail.capacity() + recorder.head.capacity() <= 8 * KEPT_BYTES);
        assert!(
            recorder
                .exact
                .is_some_and(|exact| exact.content.len() == 101)
        );
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(
            piece in prop::collection::vec(any::<u8>(), 1..50),
            times in 0usize..400,
            sizes in prop::collection::vec(1usize..9000, 1..20),
        ) {
            let all = piece.repeat(times);
            let mut recorder = Recorder::new(Some(1000));
            let mut rest = &all[..];
            for size in sizes.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (chunk, after) = rest.split_at((*size).min(rest.len()));
                recorder.push(chunk);
                rest = after;
            }
            let captured = recorder.finish();
            prop_assert_eq!(&captured, &record(&[&all], Some(1000)));
            prop_assert_eq!(captured.bytes(), all.len() as u64);
            prop_assert_eq!(captured.sha256(), hex(&Sha256::digest(&all)));
        }

        #[test]
        fn both_ends_are_those_of_the_whole_text(
            piece in visible::tests::hostile_bytes(),
            times in 0usize..400,
            end in prop_oneof![Just(END_BYTES), 0usize..END_BYTES],
        ) {
            let all = piece.repeat(times);
            let rendered = record(&[&all], None).render(end);
            let (text, complete) = visible::head(&all, end);
            prop_assert_eq!(&rendered.text, &text);
            prop_assert_eq!(rendered.truncated, !complete);
            let tail = if complete { String::new() } else { visible::tail(&all, end) };
            prop_assert_eq!(rendered.tail, tail);
        }
    }
}
