//! Checks a value against a structural schema, in the part of OpenAPI v3 that Kubernetes allows and ours uses.
//!
//! Unknown fields are errors, as `kubectl` has them by default (`--validate=strict`); so are equal keys in a list
//! that is a map. Descriptions, formats and CEL rules are not looked at. Errors carry the path of the field.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::field::{Path, Report};

/// Adds to `report` what is wrong with `value`.
pub(super) fn check(value: &Value, schema: &Value, path: &Path<'_>, report: &mut Report) {
    if schema.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        let fits = value.is_string() || is_integer(value);
        report.check(fits, path, || must_be("an integer or a text", value));
        return check_text(value, schema, path, report);
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => match value {
            Value::Object(fields) => check_object(fields, schema, path, report),
            _ => report.add(path, must_be("an object", value)),
        },
        Some("array") => match value {
            Value::Array(items) => check_list(items, schema, path, report),
            _ => report.add(path, must_be("a list", value)),
        },
        Some("string") => {
            report.check(value.is_string(), path, || {
                format!("{} (hint: put it in quotes)", must_be("a text", value))
            });
            check_text(value, schema, path, report);
        }
        Some("integer") => {
            report.check(is_integer(value), path, || must_be("an integer", value));
            check_number(value, schema, path, report);
        }
        Some("number") => report.check(value.is_number(), path, || must_be("a number", value)),
        Some("boolean") => {
            report.check(value.is_boolean(), path, || must_be("true or false", value));
        }
        _ => {}
    }
    check_enum(value, schema, path, report);
}

fn is_integer(value: &Value) -> bool {
    value.is_i64() || value.is_u64()
}

fn must_be(wanted: &str, value: &Value) -> String {
    let mut shown = value.to_string();
    if shown.len() > 60 {
        let end = (0..=57)
            .rev()
            .find(|end| shown.is_char_boundary(*end))
            .unwrap_or(0);
        shown.truncate(end);
        shown.push_str("...");
    }
    format!("must be {wanted}, is {shown}")
}

fn check_object(fields: &Map<String, Value>, schema: &Value, path: &Path<'_>, report: &mut Report) {
    let properties = schema.get("properties").and_then(Value::as_object);
    let free = schema.get("additionalProperties");
    for (name, value) in fields {
        // A null field is an absent one.
        match (properties.and_then(|known| known.get(name)), free) {
            _ if value.is_null() => {}
            (Some(known), _) => check(value, known, &path.field(name), report),
            (None, Some(any)) => check(value, any, &path.key(name), report),
            (None, None) => report.add(&path.field(name), "unknown field"),
        }
    }
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        let given = fields.get(name).is_some_and(|value| !value.is_null());
        report.check(given, &path.field(name), || "is required".to_owned());
    }
    if let Some(most) = bound(schema, "maxProperties") {
        report.check(fields.len() <= most, path, || {
            format!("must have at most {most} entries, has {}", fields.len())
        });
    }
}

fn check_list(items: &[Value], schema: &Value, path: &Path<'_>, report: &mut Report) {
    if let Some(least) = bound(schema, "minItems") {
        report.check(items.len() >= least, path, || {
            format!("must have at least {least} items")
        });
    }
    if let Some(most) = bound(schema, "maxItems") {
        report.check(items.len() <= most, path, || {
            format!("must have at most {most} items, has {}", items.len())
        });
    }
    if let Some(schema) = schema.get("items") {
        for (index, item) in items.iter().enumerate() {
            check(item, schema, &path.index(index), report);
        }
    }
    let keys = schema
        .get("x-kubernetes-list-map-keys")
        .and_then(Value::as_array);
    let keys: Vec<&str> = keys
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if keys.is_empty() {
        return;
    }
    let mut seen = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let key: Vec<String> = keys
            .iter()
            .filter_map(|key| item.get(key).map(ToString::to_string))
            .collect();
        report.check(seen.insert(key.clone()), &path.index(index), || {
            format!("duplicate {} {}", keys.join(", "), key.join(", "))
        });
    }
}

fn check_text(value: &Value, schema: &Value, path: &Path<'_>, report: &mut Report) {
    let Some(text) = value.as_str() else {
        return;
    };
    let characters = text.chars().count();
    if let Some(least) = bound(schema, "minLength") {
        report.check(characters >= least, path, || "must not be empty".to_owned());
    }
    if let Some(most) = bound(schema, "maxLength") {
        report.check(characters <= most, path, || {
            format!("must have at most {most} characters, has {characters}")
        });
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        report.check(matches(pattern, text), path, || {
            format!(
                "{} (it must match {pattern})",
                must_be("another text", value)
            )
        });
    }
}

/// Whether `text` matches a pattern of the schema. The patterns are ours; one that does not compile matches nothing.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    regex::Regex::new(pattern).is_ok_and(|expression| expression.is_match(text))
}

fn check_number(value: &Value, schema: &Value, path: &Path<'_>, report: &mut Report) {
    let limit = |key: &str| schema.get(key).and_then(Value::as_f64);
    let Some(number) = value.as_f64() else {
        return;
    };
    if let Some(least) = limit("minimum") {
        report.check(number >= least, path, || {
            format!("must be at least {least}, is {value}")
        });
    }
    if let Some(most) = limit("maximum") {
        report.check(number <= most, path, || {
            format!("must be at most {most}, is {value}")
        });
    }
}

fn check_enum(value: &Value, schema: &Value, path: &Path<'_>, report: &mut Report) {
    let Some(allowed) = schema.get("enum").and_then(Value::as_array) else {
        return;
    };
    report.check(allowed.contains(value), path, || {
        let names: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
        must_be(&format!("one of {}", names.join(", ")), value)
    });
}

fn bound(schema: &Value, key: &str) -> Option<usize> {
    usize::try_from(schema.get(key)?.as_u64()?).ok()
}
