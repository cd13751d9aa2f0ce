//! Errors that name a field, and the paths they name.
//!
//! Paths are written as the API server writes them, `spec.tests[3].stdin`, and are put together only when there is
//! an error to report.

use std::fmt;

/// What is wrong with one field of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{path}: {message}")]
pub struct FieldError {
    /// Path from the root of the object, such as `spec.tests[3].stdin`.
    pub path: String,
    /// What is wrong and, where there is one, the way out.
    pub message: String,
}

/// A place in a manifest, borrowed from the places that contain it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Path<'a> {
    /// A field of the object itself; the empty name is the object.
    Root(&'a str),
    /// A field of `.0`.
    Field(&'a Path<'a>, &'a str),
    /// An item of the list `.0`.
    Index(&'a Path<'a>, usize),
    /// An entry of the map `.0`.
    Key(&'a Path<'a>, &'a str),
}

impl<'a> Path<'a> {
    pub(crate) fn field(&'a self, name: &'a str) -> Path<'a> {
        match self {
            Self::Root("") => Path::Root(name),
            _ => Path::Field(self, name),
        }
    }

    pub(crate) fn index(&'a self, index: usize) -> Path<'a> {
        Path::Index(self, index)
    }

    pub(crate) fn key(&'a self, key: &'a str) -> Path<'a> {
        Path::Key(self, key)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
            Self::Key(parent, key) => write!(f, "{parent}[{key}]"),
        }
    }
}

/// Collects errors.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) errors: Vec<FieldError>,
}

impl Report {
    pub(crate) fn add(&mut self, path: &Path<'_>, message: impl Into<String>) {
        self.errors.push(FieldError {
            path: path.to_string(),
            message: message.into(),
        });
    }

    /// Adds an error unless `holds`.
    pub(crate) fn check(&mut self, holds: bool, path: &Path<'_>, message: impl FnOnce() -> String) {
        if !holds {
            self.add(path, message());
        }
    }

    /// A list has between `min` and `max` items.
    pub(crate) fn items(&mut self, path: &Path<'_>, len: usize, min: usize, max: usize) {
        self.check(len >= min, path, || "must not be empty".to_owned());
        self.check(len <= max, path, || {
            format!("must have at most {max} items, has {len}")
        });
    }

    /// A text has at most `max` bytes.
    pub(crate) fn bytes(&mut self, path: &Path<'_>, text: &str, max: usize) {
        self.check(text.len() <= max, path, || {
            format!("must have at most {max} bytes, has {}", text.len())
        });
    }

    /// A number is within its range, ends included.
    pub(crate) fn range<T: PartialOrd + fmt::Display>(
        &mut self,
        path: &Path<'_>,
        value: Option<T>,
        (min, max): (T, T),
    ) {
        if let Some(value) = value {
            self.check(min <= value && value <= max, path, || {
                format!("must be {min} to {max}, is {value}")
            });
        }
    }
}
