//! Predicates over names: those of this API, and those of Kubernetes that it refers to.
//!
//! Each stands for a pattern of the schema; `tests/patterns.rs` holds both to the same answers.

/// Names of volumes, steps, tests and groups: any text without control characters.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

/// A name that may become part of a flag or a file name: letters, digits, `.`, `_`, `-`.
pub(crate) fn is_word(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    edge(text.as_bytes().first())
        && edge(text.as_bytes().last())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// A DNS subdomain (RFC 1123), as names of ConfigMaps are.
pub(crate) fn is_subdomain(text: &str) -> bool {
    text.split('.').all(|label| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        label.bytes().all(|byte| inner(byte) || byte == b'-')
            && label.bytes().next().is_some_and(inner)
            && label.bytes().last().is_some_and(inner)
    })
}

/// A key of a ConfigMap.
pub(crate) fn is_config_map_key(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// A label's name, with or without prefix.
pub(crate) fn is_label_name(text: &str) -> bool {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    prefix.is_none_or(|prefix| prefix.len() <= 253 && is_subdomain(prefix))
        && name.len() <= 63
        && is_word(name)
}

/// A label's value.
pub(crate) fn is_label_value(text: &str) -> bool {
    text.is_empty() || (text.len() <= 63 && is_word(text))
}
