//! The book behind a lock, and the places where its changes are waited for.
//!
//! Slots wait here for runs and for memory, the link and the timekeeper for changes. Whoever changes the book wakes
//! whom it concerns. Decides nothing.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use evaljob_crds::job::Needs;
use tokio::sync::watch;

use crate::executor::book::{Admission, Book, Taken};
use crate::identity::RunId;
use crate::judge::Stop;

/// What slots, link and keeper share.
#[derive(Debug)]
pub struct Desk {
    book: Mutex<Book>,
    /// A run waits for a slot, or the agent ends.
    work: Condvar,
    /// Memory or slots were given back, or a run that waits for them was ended.
    memory: Condvar,
    changes: watch::Sender<()>,
}

impl Desk {
    /// A desk with this book.
    pub fn new(book: Book) -> Self {
        Self {
            book: Mutex::new(book),
            work: Condvar::new(),
            memory: Condvar::new(),
            changes: watch::Sender::new(()),
        }
    }

    /// Looks something up, or notes what concerns nobody else.
    pub fn look<R>(&self, look: impl FnOnce(&mut Book) -> R) -> R {
        look(&mut self.lock())
    }

    /// Changes the book.
    pub fn update<R>(&self, change: impl FnOnce(&mut Book) -> R) -> R {
        let mut book = self.lock();
        let result = change(&mut book);
        self.wake(book);
        result
    }

    /// Hears of every change from now on.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Waits for the next run; `None` when the agent ends.
    pub fn take(&self, stop: &Arc<Stop>) -> Option<Taken> {
        let mut book = self.lock();
        loop {
            if book.is_closing() {
                return None;
            }
            if let Some(taken) = book.take(stop) {
                self.wake(book);
                return Some(taken);
            }
            book = self.work.wait(book).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until a run may start, and says on which slots; `None` when it is over without having run.
    pub fn admit(&self, run: &RunId, needs: Needs) -> Option<Vec<u32>> {
        let mut book = self.lock();
        loop {
            match book.admit(run, needs, Instant::now()) {
                Admission::Wait => {
                    book = self
                        .memory
                        .wait(book)
                        .unwrap_or_else(PoisonError::into_inner);
                }
                Admission::Start => {
                    let held = book.held(run).to_vec();
                    self.wake(book);
                    return Some(held);
                }
                Admission::Ended => {
                    self.wake(book);
                    return None;
                }
            }
        }
    }

    /// Tells everybody whom the present state concerns.
    fn wake(&self, book: MutexGuard<'_, Book>) {
        let (closing, waiting, blocked) =
            (book.is_closing(), book.has_waiting(), book.has_blocked());
        drop(book);
        if closing {
            self.work.notify_all();
        } else if waiting {
            self.work.notify_one();
        }
        if blocked {
            self.memory.notify_all();
        }
        self.changes.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
