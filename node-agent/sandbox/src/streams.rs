//! The agent's event loop of one run: stdin in, stdout and stderr out, until the worker has reported.
//!
//! Everything is non-blocking. A program that never reads its input, or closes it, loses the rest of it and nothing
//! else happens; a process that outlives the main one cannot delay the result, because the worker reports only when
//! everything is dead and then both outputs are at their end.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::client::RunIo;
use crate::error::{Context, Layer, SandboxError};
use crate::facts::{Breach, RunFacts};
use crate::frame::{self, FromWorker, ToWorker};

/// Bytes moved at a time.
const BUFFER: usize = 64 << 10;

/// The streams of a run in progress.
pub(crate) struct Streams<'w, 'a> {
    worker: BorrowedFd<'w>,
    stdin: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
    limit: u64,
    io: RunIo<'a>,
    written: usize,
    stdout_bytes: u64,
    stderr_bytes: u64,
    ordered: bool,
    buffer: Vec<u8>,
}

/// What to watch in one turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Worker,
    Interrupt,
    Stdin,
    Stdout,
    Stderr,
}

impl<'w, 'a> Streams<'w, 'a> {
    pub(crate) fn new(
        worker: BorrowedFd<'w>,
        stdin: OwnedFd,
        stdout: OwnedFd,
        stderr: OwnedFd,
        limit: u64,
        io: RunIo<'a>,
    ) -> Result<Self, SandboxError> {
        for end in [&stdin, &stdout, &stderr] {
            rustix::fs::fcntl_setfl(end, OFlags::NONBLOCK)
                .or_layer(Layer::Descriptors, || "make a pipe non-blocking".into())?;
        }
        Ok(Self {
            worker,
            stdin: Some(stdin),
            stdout: Some(stdout),
            stderr: Some(stderr),
            limit,
            io,
            written: 0,
            stdout_bytes: 0,
            stderr_bytes: 0,
            ordered: false,
            buffer: vec![0; BUFFER],
        })
    }

    /// Carries the streams until the worker reports. The outer error means that the worker is lost, the inner one
    /// is the worker's own refusal.
    pub(crate) fn carry(mut self) -> Result<Result<RunFacts, SandboxError>, SandboxError> {
        self.feed();
        loop {
            for source in self.wait()? {
                match source {
                    Source::Stdin => self.feed(),
                    Source::Stdout => self.drain(true),
                    Source::Stderr => self.drain(false),
                    Source::Interrupt => self.order(Breach::Interrupted),
                    Source::Worker => match frame::receive::<FromWorker>(self.worker)?.frame {
                        FromWorker::Done(facts) => return Ok(Ok(self.finish(*facts))),
                        FromWorker::Failed(error) => return Ok(Err(error)),
                        other => {
                            return Err(SandboxError::new(
                                Layer::Spawner,
                                format!("the worker answered out of turn: {other:?}"),
                            ));
                        }
                    },
                }
            }
            if self.is_over() {
                self.order(Breach::Output);
            }
        }
    }

    fn is_over(&self) -> bool {
        self.stdout_bytes + self.stderr_bytes > self.limit
    }

    fn wait(&self) -> Result<Vec<Source>, SandboxError> {
        let mut sources = Vec::with_capacity(5);
        let mut fds = Vec::with_capacity(5);
        let mut watch = |source, fd, flags| {
            sources.push(source);
            fds.push(PollFd::from_borrowed_fd(fd, flags));
        };
        // Outputs before the worker: what has been written is counted before the facts are.
        for (source, fd) in [
            (Source::Stdout, &self.stdout),
            (Source::Stderr, &self.stderr),
        ] {
            // Over its limit a run is being killed and may write no more than its pipes hold; `finish` reads that.
            if let Some(fd) = fd.as_ref().filter(|_| !self.is_over()) {
                watch(source, fd.as_fd(), PollFlags::IN);
            }
        }
        if let Some(stdin) = &self.stdin {
            watch(Source::Stdin, stdin.as_fd(), PollFlags::OUT);
        }
        if !self.ordered {
            watch(
                Source::Interrupt,
                self.io.interrupt.fd().as_fd(),
                PollFlags::IN,
            );
        }
        watch(Source::Worker, self.worker, PollFlags::IN);
        loop {
            match poll(&mut fds, None) {
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(errno) => {
                    return Err(SandboxError::new(Layer::Spawner, format!("poll: {errno}")));
                }
            }
        }
        let ready = sources
            .into_iter()
            .zip(&fds)
            .filter(|(_, fd)| !fd.revents().is_empty());
        Ok(ready.map(|(source, _)| source).collect())
    }

    /// Writes as much input as the pipe takes; closes it at the end, or when nobody reads it any more.
    fn feed(&mut self) {
        let Some(stdin) = &self.stdin else {
            return;
        };
        loop {
            let rest = self.io.stdin.get(self.written..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            match write_quietly(stdin, rest) {
                Ok(count) => self.written += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => break,
            }
        }
        self.stdin = None;
    }

    /// Reads one buffer of an output, or finds its end.
    fn drain(&mut self, stdout: bool) {
        let end = if stdout {
            &mut self.stdout
        } else {
            &mut self.stderr
        };
        let Some(fd) = end else {
            return;
        };
        match rustix::io::read(fd, self.buffer.as_mut_slice()) {
            Ok(0) => *end = None,
            Ok(count) => {
                let bytes = self.buffer.get(..count).unwrap_or_default();
                if stdout {
                    self.stdout_bytes += bytes.len() as u64;
                    (self.io.stdout)(bytes);
                } else {
                    self.stderr_bytes += bytes.len() as u64;
                    (self.io.stderr)(bytes);
                }
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => *end = None,
        }
    }

    /// Orders the end of the run, once.
    fn order(&mut self, breach: Breach) {
        if !self.ordered {
            self.ordered = true;
            // A worker that is gone shows itself at the next turn.
            let _ = frame::send(self.worker, &ToWorker::Kill(breach), &[]);
        }
    }

    /// Everything is dead: reads what is left in the pipes.
    fn finish(mut self, mut facts: RunFacts) -> RunFacts {
        self.stdin = None;
        while self.stdout.is_some() {
            if self.is_drained(true) {
                break;
            }
        }
        while self.stderr.is_some() {
            if self.is_drained(false) {
                break;
            }
        }
        facts.stdout_bytes = self.stdout_bytes;
        facts.stderr_bytes = self.stderr_bytes;
        facts
    }

    /// Reads once; `true` when nothing came.
    fn is_drained(&mut self, stdout: bool) -> bool {
        let before = self.stdout_bytes + self.stderr_bytes;
        self.drain(stdout);
        self.stdout_bytes + self.stderr_bytes == before
    }
}

/// write(2) to a pipe of the run. The agent ignores SIGPIPE (Rust's start-up does so), so a closed pipe is EPIPE.
fn write_quietly(fd: &OwnedFd, bytes: &[u8]) -> Result<usize, Errno> {
    rustix::io::write(fd, bytes)
}
